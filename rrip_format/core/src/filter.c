/* filter.c: the filter of luma of level 0 (spec section 5.8), a row at a time.
 *
 * A sample depends on its eight neighbours. So rows are kept until the next one is there, each with room on both sides,
 * where the outermost samples of the tile repeat.
 */
#include "internal.h"

enum { KEPT = 4 };

static size_t stride_of(int32_t width) { return ((size_t)width + BESIDE - 1) / BESIDE * BESIDE + 2 * BESIDE; }

size_t rrip_filtering_scratch(int32_t width) { return taken((3 * KEPT + 1) * stride_of(width)); }

rrip_window rrip_window_beside(rrip_window w, int32_t height, int32_t width)
{
    return (rrip_window){most32(w.top - 1, 0), least32(w.bottom + 1, height), most32(w.left - 1, 0),
                         least32(w.right + 1, width)};
}

int rrip_begin_filter(arena *memory, const int16_t weights[4], const rrip_window *window, int32_t height,
                      int32_t width, filtering *out)
{
    const size_t stride = stride_of(width);
    uint8_t *rows = take(memory, (3 * KEPT + 1) * stride);
    if (!rows)
        return RRIP_E_SCRATCH;
    *out = (filtering){weights, *window, rrip_window_beside(*window, height, width), height, stride, rows,
                       rows + 3 * KEPT * stride};
    return 0;
}

static uint8_t *row_of(const filtering *filter, int32_t y)
{
    return filter->rows + 3 * filter->stride * (size_t)(y % KEPT) + BESIDE;
}

line rrip_line_to_filter(const filtering *filter, int32_t y)
{
    uint8_t *at = row_of(filter, y);
    return (line){{at, at + filter->stride, at + 2 * filter->stride}, 1};
}

void rrip_filter_row(const rrip_core *core, const filtering *filter, int32_t y, const uint8_t *planes[3])
{
    const int32_t count = filter->needed.right - filter->needed.left;
    const int32_t wanted = filter->window.right - filter->window.left;
    const size_t first = (size_t)(filter->window.left - filter->needed.left);
    const uint8_t *rows[3];
    for (int32_t k = 0; k < 3; k++) {
        uint8_t *row = row_of(filter, least32(most32(y + k - 1, 0), filter->height - 1));
        row[-1] = row[0]; /* which is read at the left and the right end of the plane alone */
        row[count] = row[count - 1];
        rows[k] = row + first;
    }
    core->filter_line(rows, wanted, filter->weights, filter->luma);
    planes[0] = filter->luma;
    planes[1] = rows[1] + filter->stride;
    planes[2] = rows[1] + 2 * filter->stride;
}

size_t rrip_filter_scratch(int32_t width)
{
    return width < 1 || width > RRIP_LARGEST_SIDE ? 0 : rrip_filtering_scratch(width);
}

int rrip_filter_luma(const rrip_core *core, const uint8_t *plane, int32_t height, int32_t width,
                     const int16_t weights[4], uint8_t *out, void *scratch, size_t scratch_size)
{
    if (!core || !plane || !weights || !out || !are_weights(weights) || height < 1 || width < 1 ||
        height > RRIP_LARGEST_SIDE || width > RRIP_LARGEST_SIDE)
        return RRIP_E_ARGUMENT;
    arena memory = arena_of(scratch, scratch_size);
    filtering filter;
    const rrip_window whole = {0, height, 0, width};
    if (rrip_begin_filter(&memory, weights, &whole, height, width, &filter))
        return RRIP_E_SCRATCH;
    for (int32_t y = 0; y <= height; y++) {
        const uint8_t *planes[3];
        if (y < height)
            memcpy(row_of(&filter, y), plane + (size_t)y * (size_t)width, (size_t)width);
        if (y > 0) {
            rrip_filter_row(core, &filter, y - 1, planes);
            memcpy(out + (size_t)(y - 1) * (size_t)width, planes[0], (size_t)width);
        }
    }
    return 0;
}
