/* decode.c: decode stored tiles and streams to pixels (spec sections 5 and 6).
 *
 * A level is decoded one row of blocks at a time: the eight rows of residuals are still in the first cache when the
 * samples are reconstructed from them. Only the planes that a finer level is predicted from are stored whole; a filter
 * of luma keeps four rows.
 */
#include "internal.h"

static int fail(rrip_fault *fault, int code, int32_t tile, int32_t plane)
{
    if (fault && code > 0) {
        fault->code = code;
        fault->tile = tile;
        fault->plane = plane;
    }
    return code;
}

/* Whether the window lies in `height` x `width` px and all its samples in the target. */
static int fits(const rrip_window *window, int32_t height, int32_t width, const rrip_target *target)
{
    const rrip_window w = *window;
    if (!(0 <= w.top && w.top < w.bottom && w.bottom <= height && 0 <= w.left && w.left < w.right && w.right <= width))
        return 0;
    const uint64_t planes = target->plane_stride, row = target->row_stride, step = target->pixel_stride;
    if (!target->data || !(step == 1 || ((step == 3 || step == 4) && planes == 1)) || planes < 1)
        return 0;
    const uint64_t rows = (uint64_t)(w.bottom - w.top - 1), columns = (uint64_t)(w.right - w.left - 1);
    const uint64_t largest = UINT64_C(1) << 48; /* so that no sum below overflows */
    if (planes > largest || row > largest / (rows + 1) || target->start > largest)
        return 0;
    const uint64_t last = step == 4 ? 3 : 2 * planes; /* offset of the last channel of a pixel */
    return target->start + last + rows * row + columns * step < target->size;
}

static int is_residual(const rrip_residual *how)
{
    for (int k = 0; k < 2; k++)
        if (how->cfl[k] < -127 || how->cfl[k] > 127)
            return 0;
    return are_taps(how->taps) && are_taps(how->chroma_taps);
}

static line line_of(const rrip_target *target, int32_t row)
{
    uint8_t *at = target->data + target->start + (uint64_t)row * target->row_stride;
    if (target->pixel_stride != 1)
        return (line){{at, NULL, NULL}, (uint32_t)target->pixel_stride};
    return (line){{at, at + target->plane_stride, at + 2 * target->plane_stride}, 1};
}

/* The window of the next coarser level that a window is predicted from. */
static rrip_window coarser(rrip_window w, int32_t side)
{
    return (rrip_window){most32(w.top / 2 - 2, 0), least32((w.bottom + 1) / 2 + 2, side), most32(w.left / 2 - 2, 0),
                         least32((w.right + 1) / 2 + 2, side)};
}

/* Reconstruct fine rows 2 n and 2 n + 1, if they are in the window; the residual planes begin at row `top`. They are
 * written to the target, or kept for the filter. */
static void predict_rows(const rrip_core *core, const prediction *job, int32_t n, const uint8_t *const planes[3],
                         int32_t top, int32_t side, const rrip_window *window, const rrip_target *target,
                         const filtering *filter)
{
    const uint8_t *residuals[2][3];
    line lines[2];
    const line *wanted[2];
    for (int half = 0; half < 2; half++) {
        const int32_t row = 2 * n + half;
        for (int c = 0; c < 3; c++)
            residuals[half][c] = planes[c] ? planes[c] + (size_t)(row - top) * (size_t)side : NULL;
        wanted[half] = NULL;
        if (row >= window->top && row < window->bottom) {
            lines[half] = filter ? rrip_line_to_filter(filter, row) : line_of(target, row - window->top);
            wanted[half] = &lines[half];
        }
    }
    core->predict_pair(job, n, residuals, wanted);
}

/* Filter the rows whose neighbours are there after fine rows 2 n and 2 n + 1, and write them as RGB to the target. */
static void filter_rows(const rrip_core *core, const filtering *filter, int32_t n, const rrip_target *target)
{
    const rrip_window *window = &filter->window;
    const int32_t stop = 2 * n + 2 < filter->height ? 2 * n + 1 : filter->height;
    for (int32_t y = most32(2 * n - 1, window->top); y < least32(stop, window->bottom); y++) {
        const uint8_t *planes[3];
        const line to = line_of(target, y - window->top);
        rrip_filter_row(core, filter, y, planes);
        core->convert_line(planes, window->right - window->left, 1, &to);
    }
}

/* ---- Streams ---------------------------------------------------------------------------------------------------- */

/* Decode the next row of blocks. */
static int scan_row(const rrip_core *core, scan *scan, uint8_t *const out[3], int32_t side, int64_t numbers[4])
{
    return (scan->planes == 1 ? core->scan_gray : core->scan_colour)(scan, out, (size_t)side, numbers);
}

static int decode_rows(const rrip_core *core, scan *scan, int32_t begin, int32_t end, int32_t side, uint8_t *out,
                       int64_t numbers[4])
{
    for (int32_t row = 0; row < end; row++) {
        uint8_t *planes[3];
        for (int c = 0; c < 3; c++)
            planes[c] = out + ((size_t)c * (size_t)side + 8 * (size_t)row) * (size_t)side;
        int problem = scan_row(core, scan, row < begin ? NULL : planes, side, numbers);
        if (problem)
            return problem;
    }
    return rrip_close_scan(scan, side);
}

int rrip_decode_stream(const rrip_core *core, const uint8_t *data, size_t size, int32_t side, int32_t planes,
                       int32_t top, int32_t bottom, uint8_t *out, void *scratch, size_t scratch_size,
                       rrip_fault *fault)
{
    if (!core || !data || !out || !fault || side < 8 || side > RRIP_LARGEST_SIDE || side % 8 ||
        (planes != 1 && planes != 3) || top < 0 || top >= bottom || bottom > side || size > UINT32_MAX)
        return RRIP_E_ARGUMENT;
    memset(fault, 0, sizeof *fault);
    arena memory = arena_of(scratch, scratch_size);
    scan scan;
    int problem = rrip_open_scan(&memory, data, size, side, planes, &scan, fault->numbers);
    if (!problem)
        problem = decode_rows(core, &scan, top / 8, (bottom + 7) / 8, side, out, fault->numbers);
    return fail(fault, problem, 0, 0);
}

/* ---- Tiles ------------------------------------------------------------------------------------------------------ */

/* Decode a tile of level 2 or coarser to its planes, or to RGB in the target, which is written row of blocks by row. */
static int decode_base(const rrip_core *core, arena memory, stream in, int32_t side, const rrip_window *window,
                       uint8_t *planes, const rrip_target *target, rrip_fault *fault)
{
    scan scan;
    int problem = rrip_open_scan(&memory, in.data, in.size, side, 3, &scan, fault->numbers);
    if (problem)
        return problem;
    if (planes)
        return decode_rows(core, &scan, window->top / 8, (window->bottom + 7) / 8, side, planes, fault->numbers);
    const size_t row_size = 8 * (size_t)side;
    uint8_t *strip = take(&memory, 3 * row_size);
    if (!strip)
        return RRIP_E_SCRATCH;
    for (int32_t top = 0; top < window->bottom; top += 8) {
        uint8_t *const out[3] = {strip, strip + row_size, strip + 2 * row_size};
        const int is_wanted = top + 8 > window->top;
        problem = scan_row(core, &scan, is_wanted ? out : NULL, side, fault->numbers);
        if (problem)
            return problem;
        for (int32_t y = most32(top, window->top); y < least32(top + 8, window->bottom); y++) {
            const size_t at = (size_t)(y - top) * (size_t)side + (size_t)window->left;
            const uint8_t *const from[3] = {out[0] + at, out[1] + at, out[2] + at};
            const line to = line_of(target, y - window->top);
            core->convert_line(from, window->right - window->left, 1, &to);
        }
    }
    return rrip_close_scan(&scan, side);
}

/* Decode a residual level from the planes of the coarser one; the filter of the window, if there is one, has begun. */
static int decode_residual(const rrip_core *core, arena memory, const stream streams[3], int32_t side,
                           const rrip_window *window, prediction *job, const filtering *filter,
                           const rrip_target *target, rrip_fault *fault)
{
    scan scans[3];
    uint8_t *strips[3] = {NULL, NULL, NULL};
    for (int c = 0; c < 3; c++) {
        if (!streams[c].size)
            continue;
        strips[c] = take(&memory, 8 * (size_t)side);
        fault->plane = c;
        int problem = strips[c] ? rrip_open_scan(&memory, streams[c].data, streams[c].size, side, 1, &scans[c],
                                                 fault->numbers)
                                : RRIP_E_SCRATCH;
        if (problem)
            return problem;
    }
    job->left = window->left;
    job->right = window->right;
    for (int32_t top = 0; top < window->bottom; top += 8) {
        const int is_wanted = top + 8 > window->top;
        for (int c = 0; c < 3; c++) {
            if (!strips[c])
                continue;
            fault->plane = c;
            uint8_t *const out[3] = {strips[c], NULL, NULL};
            int problem = scan_row(core, &scans[c], is_wanted ? out : NULL, side, fault->numbers);
            if (problem)
                return problem;
        }
        const uint8_t *const residuals[3] = {strips[0], strips[1], strips[2]};
        for (int32_t n = most32(top, window->top) / 2; 2 * n < least32(top + 8, window->bottom); n++) {
            predict_rows(core, job, n, residuals, top, side, window, target, filter);
            if (filter)
                filter_rows(core, filter, n, target);
        }
    }
    for (int c = 0; c < 3; c++) {
        if (!strips[c])
            continue;
        fault->plane = c;
        int problem = rrip_close_scan(&scans[c], side);
        if (problem)
            return problem;
    }
    return 0;
}

size_t rrip_decode_scratch(int32_t tile, size_t longest)
{
    if (tile < 8 || tile > RRIP_LARGEST_SIDE)
        return 0;
    /* A tile of level 3 has side 4 T, and three planes in one stream; one of level 0 up to three streams.
     * rrip_decode_stream() passes the side itself, and needs less. */
    const int32_t side = tile <= RRIP_LARGEST_TILE ? 4 * tile : tile;
    const size_t planes = 3 * (size_t)side * (size_t)side; /* base and level 1 together are 5 / 16 of it */
    return 3 * rrip_scan_scratch(side, 1, longest) + rrip_scan_scratch(side, 3, longest) + planes / 2 +
           taken(24 * (size_t)side) + 3 * taken(8 * (size_t)side) + taken(6 * LINE * sizeof(int16_t)) +
           rrip_filtering_scratch(side) + 4 * ALIGNMENT;
}

int rrip_decode_tile(const rrip_core *core, const rrip_coding *coding, uint32_t level, uint32_t row, uint32_t col,
                     const uint8_t *const tiles[3], const size_t sizes[3], const rrip_window *window,
                     const rrip_target *target, void *scratch, size_t scratch_size, rrip_fault *fault)
{
    if (!core || !coding || !tiles || !sizes || !window || !target || !fault || level > 255 ||
        coding->tile < RRIP_LEAST_TILE || coding->tile > RRIP_LARGEST_TILE || coding->tile % 16)
        return RRIP_E_ARGUMENT;
    for (int k = 0; k < 2; k++)
        if (!is_residual(&coding->residuals[k]) || (coding->residuals[k].planes != 1 && coding->residuals[k].planes != 3))
            return RRIP_E_ARGUMENT;
    if (!are_weights(coding->filter))
        return RRIP_E_ARGUMENT;
    const int32_t finest = level < 2 ? (int32_t)(2 - level) : 0, side = coding->tile;
    if (!fits(window, level > 2 ? 4 * side : side << finest, level > 2 ? 4 * side : side << finest, target))
        return RRIP_E_ARGUMENT;
    memset(fault, 0, sizeof *fault);
    stream streams[3][3];
    for (int32_t k = 0; k <= finest; k++) {
        if (!tiles[k] || sizes[k] > UINT32_MAX)
            return RRIP_E_ARGUMENT;
        const uint32_t of_level = level < 2 ? (uint32_t)(2 - k) : level;
        int problem = rrip_split_tile(core, coding, of_level, row, col, tiles[k], sizes[k], streams[k]);
        if (problem)
            return fail(fault, problem, k, 0);
    }
    arena memory = arena_of(scratch, scratch_size);
    if (level >= 2)
        return fail(fault, decode_base(core, memory, streams[0][0], level > 2 ? 4 * side : side, window, NULL, target,
                                       fault), 0, 0);
    rrip_window windows[3] = {*window, *window, *window};
    filtering filter;
    const int16_t *weights = coding->filter;
    const int is_filtered = level == 0 && (weights[0] || weights[1] || weights[2] || weights[3]);
    if (is_filtered) {
        if (rrip_begin_filter(&memory, weights, window, side << finest, side << finest, &filter))
            return RRIP_E_SCRATCH;
        windows[finest] = filter.needed;
    }
    for (int32_t k = finest; k > 0; k--)
        windows[k - 1] = coarser(windows[k], side << (k - 1));
    uint8_t *planes = take(&memory, 3 * (size_t)side * (size_t)side);
    int16_t *lines = take(&memory, 6 * LINE * sizeof(int16_t));
    if (!lines)
        return RRIP_E_SCRATCH;
    int problem = decode_base(core, memory, streams[0][0], side, &windows[0], planes, NULL, fault);
    if (problem)
        return fail(fault, problem, 0, 0);
    for (int32_t k = 1; k <= finest; k++) {
        const int32_t wide = side << k;
        const size_t size = (size_t)wide * (size_t)wide;
        prediction job = {planes, wide / 2, wide / 2, &coding->residuals[2 - k], 0, 0, k == finest && !is_filtered,
                          lines};
        rrip_target to = *target;
        if (k < finest) { /* room for whole planes, of which only the window is written */
            planes = take(&memory, 3 * size);
            if (!planes)
                return RRIP_E_SCRATCH;
            to = (rrip_target){planes, 3 * size, (uint64_t)windows[k].top * (uint64_t)wide + (uint64_t)windows[k].left,
                               size, (uint64_t)wide, 1};
        }
        problem = decode_residual(core, memory, streams[k], wide, &windows[k], &job,
                                  k == finest && is_filtered ? &filter : NULL, &to, fault);
        if (problem)
            return fail(fault, problem, k, fault->plane);
    }
    return 0;
}

/* ---- Single steps ----------------------------------------------------------------------------------------------- */

size_t rrip_predict_scratch(void) { return taken(6 * LINE * sizeof(int16_t)); }

int rrip_up2(const rrip_core *core, const uint8_t *plane, int32_t height, int32_t width, const int16_t taps[4],
             uint8_t *out, void *scratch, size_t scratch_size)
{
    if (!core || !plane || !taps || !out || !are_taps(taps) || height < 1 || width < 1 || width > WIDEST ||
        height > INT32_MAX / 4)
        return RRIP_E_ARGUMENT;
    arena memory = arena_of(scratch, scratch_size);
    int16_t *lines = take(&memory, 6 * LINE * sizeof(int16_t));
    if (!lines)
        return RRIP_E_SCRATCH;
    core->up2(plane, height, width, taps, lines, out);
    return 0;
}

int rrip_reconstruct(const rrip_core *core, const uint8_t *coarse, int32_t height, int32_t width,
                     const uint8_t *const residuals[3], const rrip_residual *how, const rrip_window *window,
                     int32_t colour, const rrip_target *target, void *scratch, size_t scratch_size)
{
    if (!core || !coarse || !residuals || !how || !is_residual(how) || !window || !target || height < 1 || width < 1 ||
        width > WIDEST || height > INT32_MAX / 4 || !fits(window, 2 * height, 2 * width, target))
        return RRIP_E_ARGUMENT;
    arena memory = arena_of(scratch, scratch_size);
    int16_t *lines = take(&memory, 6 * LINE * sizeof(int16_t));
    if (!lines)
        return RRIP_E_SCRATCH;
    const prediction job = {coarse, height, width, how, window->left, window->right, colour, lines};
    for (int32_t n = window->top / 2; 2 * n < window->bottom; n++)
        predict_rows(core, &job, n, residuals, 0, 2 * width, window, target, NULL);
    return 0;
}

int rrip_convert_planes(const rrip_core *core, const uint8_t *planes, int32_t height, int32_t width,
                        const rrip_window *window, int32_t colour, const rrip_target *target)
{
    if (!core || !planes || !window || !target || height < 1 || width < 1 || !fits(window, height, width, target))
        return RRIP_E_ARGUMENT;
    const size_t size = (size_t)height * (size_t)width;
    for (int32_t y = window->top; y < window->bottom; y++) {
        const uint8_t *at = planes + (size_t)y * (size_t)width + (size_t)window->left;
        const uint8_t *const from[3] = {at, at + size, at + 2 * size};
        const line to = line_of(target, y - window->top);
        core->convert_line(from, window->right - window->left, colour, &to);
    }
    return 0;
}
