/* contract.c: calls with any arguments. What rrip.h allows must be done, anything else refused, and memory is as large as
 * the contract says: for what it does not allow, of one byte. Input: which function, then its arguments. */
#include "fuzz.h"

#include <limits.h>

enum { MOST = 1 << 21 }; /* larger blocks are left to others */

static input in;

/* Mostly small, now and then at a limit. */
static int32_t any_number(void)
{
    static const int32_t edges[] = {-1, INT_MIN, INT_MAX, 0, 1, 7, 8, 63, 64, 512, 1023, 1024, 1025, 2048, 2056, 65536};
    const uint8_t kind = next_byte(&in);
    return kind < 64 ? edges[kind & 15] : kind < 96 ? 8 * next_byte(&in) : next_byte(&in) % 40;
}

static uint64_t any_large(void)
{
    const uint8_t kind = next_byte(&in);
    return kind < 192 ? next_byte(&in) : kind < 224 ? next_two(&in) : (uint64_t)next_byte(&in) << (kind & 63);
}

/* Memory of a size that the caller of a function has to give, or none at all. */
static void *memory(uint64_t size, int *is_sound)
{
    if (next_byte(&in) == 255) {
        *is_sound = 0;
        return NULL;
    }
    return block(*is_sound ? (size_t)size : 1, 0x5A);
}

static const rrip_core *any_core(int *is_sound)
{
    const rrip_core *core = variant(next_byte(&in) % 6);
    *is_sound &= core != NULL;
    return core;
}

/* The scratch for a call, or less than it needs; `is_enough` if it must do. */
static void *any_scratch(size_t *size, int *is_enough)
{
    const uint8_t kind = next_byte(&in);
    *is_enough = kind < 224;
    if (kind >= 240) {
        *size = kind >= 248 ? *size : 0;
        return NULL;
    }
    *size = *is_enough ? *size : *size * next_byte(&in) / 256;
    return block(*size, 0x5A);
}

static int is_inside(const rrip_window *w, int64_t height, int64_t width)
{
    return 0 <= w->top && w->top < w->bottom && w->bottom <= height && 0 <= w->left && w->left < w->right &&
           w->right <= width;
}

static rrip_window any_window(void)
{
    rrip_window w;
    w.top = any_number();
    w.bottom = any_number();
    w.left = any_number();
    w.right = any_number();
    return w;
}

/* A target, and whether the contract lets a window be written to it; its sums may be beyond 64 bits. */
static rrip_target any_target(const rrip_window *w, int *is_sound)
{
    rrip_target to = {NULL, 0, 0, 0, 0, 0};
    to.size = any_large() % MOST;
    to.start = any_large();
    to.plane_stride = any_large();
    to.row_stride = any_large();
    to.pixel_stride = next_byte(&in) % 6;
    const uint64_t rows = (uint64_t)((int64_t)w->bottom - w->top - 1);
    const uint64_t columns = (uint64_t)((int64_t)w->right - w->left - 1);
    const __uint128_t last = (__uint128_t)to.start + (to.pixel_stride == 4 ? 3 : 2 * (__uint128_t)to.plane_stride) +
                             (__uint128_t)rows * to.row_stride + (__uint128_t)columns * to.pixel_stride;
    const int is_layout = (to.pixel_stride == 1 && to.plane_stride >= 1) ||
                          ((to.pixel_stride == 3 || to.pixel_stride == 4) && to.plane_stride == 1);
    if (next_byte(&in) < 192 && is_layout && *is_sound && last < MOST)
        to.size = (uint64_t)last + (next_byte(&in) > 64);
    *is_sound &= is_layout && last < to.size;
    to.data = next_byte(&in) == 255 ? NULL : block((size_t)to.size, 0);
    *is_sound &= to.data != NULL;
    return to;
}

static void expect(int code, int is_sound, int is_enough)
{
    if (!is_sound)
        CHECK(code == RRIP_E_ARGUMENT);
    else if (is_enough)
        CHECK(code == 0);
    else
        CHECK(code == RRIP_E_SCRATCH || code == 0);
}

static void try_pictures(uint8_t which)
{
    int sound = 1;
    const rrip_core *core = any_core(&sound);
    const int32_t height = any_number(), width = any_number(), first = any_number(), count = any_number();
    sound &= height > 0 && width > 0 && height < 1 << 20 && width < 1 << 20;
    if (which == 2)
        sound &= first >= 0 && count >= 1 && (int64_t)first + count <= 3;
    const uint64_t area = sound ? (uint64_t)height * (uint64_t)width : 1;
    if (area > MOST / 16)
        return;
    uint8_t *from = memory(3 * area, &sound);
    const int has_prediction = next_byte(&in) & 1;
    uint8_t *predicted = has_prediction ? block(sound ? 3 * area : 1, 7) : NULL;
    const uint64_t half = sound ? (uint64_t)((height + 1) / 2) * (uint64_t)((width + 1) / 2) : 1;
    const uint64_t sizes[5] = {3 * area, 12 * area, 4 * area * (uint64_t)(which == 2 ? count : 1), 3 * half, 4 * area};
    void *out = memory(sizes[which], &sound);
    int code = which == 0   ? rrip_rgb_to_ycc(core, from, height, width, out)
               : which == 1 ? rrip_rgb_to_exact_ycc(core, from, height, width, out)
               : which == 2 ? rrip_difference(core, from, height, width, first, count, predicted, out)
               : which == 3 ? rrip_box2(core, from, height, width, out)
                            : rrip_luma(core, from, height, width, out);
    expect(code, sound, 1);
    free(from);
    free(out);
    free(predicted);
}

static void try_prediction(uint8_t which)
{
    int sound = 1, enough = 1;
    const rrip_core *core = any_core(&sound);
    const int32_t height = any_number(), width = any_number();
    sound &= height >= 1 && width >= 1 && (width <= 1024 || which == 2);
    if (which != 2 && height > INT_MAX / 4)
        sound = 0;
    const uint64_t area = sound ? (uint64_t)height * (uint64_t)width : 1;
    if (area > MOST / 16)
        return;
    rrip_residual how = {{-1, 9, 58, -2}, {3, 40, 20, 1}, {-100, 127}, 3};
    rrip_window window = any_window();
    size_t room = rrip_predict_scratch();
    uint8_t *from, *residuals[3] = {NULL, NULL, NULL};
    int code;
    if (which == 0) {
        from = memory(area, &sound);
        uint8_t *out = memory(4 * area, &sound), *scratch = any_scratch(&room, &enough);
        code = rrip_up2(core, from, height, width, how.taps, out, scratch, room);
        expect(code, sound, enough);
        free(out);
        free(scratch);
    } else {
        const int64_t scale = which == 1 ? 2 : 1;
        sound &= is_inside(&window, scale * height, scale * width);
        rrip_target to = any_target(&window, &sound);
        from = memory(3 * area, &sound);
        if (which == 1) {
            for (int c = 0; c < 3; c++)
                if (next_byte(&in) & 1)
                    residuals[c] = block(sound ? 4 * area : 1, 100);
            uint8_t *scratch = any_scratch(&room, &enough);
            code = rrip_reconstruct(core, from, height, width, (const uint8_t *const *)residuals, &how, &window,
                                    next_byte(&in) & 1, &to, scratch, room);
            free(scratch);
        } else {
            code = rrip_convert_planes(core, from, height, width, &window, next_byte(&in) & 1, &to);
        }
        expect(code, sound, enough);
        free(to.data);
    }
    for (int c = 0; c < 3; c++)
        free(residuals[c]);
    free(from);
}

static void try_filter(void)
{
    int sound = 1, enough = 1;
    const rrip_core *core = any_core(&sound);
    const int32_t height = any_number(), width = any_number();
    int16_t weights[4];
    for (int k = 0; k < 4; k++)
        weights[k] = (int16_t)((int8_t)next_byte(&in) / (k < 2 ? 2 : 4));
    sound &= height >= 1 && width >= 1 && height <= RRIP_LARGEST_SIDE && width <= RRIP_LARGEST_SIDE &&
             abs(weights[0]) <= 63 && abs(weights[1]) <= 63 && abs(weights[2]) + abs(weights[3]) <= 28;
    const uint64_t area = sound ? (uint64_t)height * (uint64_t)width : 1;
    if (area > MOST)
        return;
    uint8_t *from = memory(area, &sound), *out = memory(area, &sound);
    size_t room = rrip_filter_scratch(width);
    uint8_t *scratch = any_scratch(&room, &enough);
    expect(rrip_filter_luma(core, from, height, width, weights, out, scratch, room), sound, enough);
    free(from);
    free(out);
    free(scratch);
}

static void try_projection(void)
{
    int sound = 1, enough = 1;
    const rrip_core *core = any_core(&sound);
    const int32_t height = any_number(), width = any_number();
    const int16_t taps[2][4] = {{-8, 60, 16, -4}, {80, -16, 0, 0}}, which = next_byte(&in) & 1;
    sound &= height >= 1 && width >= 1 && height <= 1024 && width <= 1024 && !which;
    const uint64_t area = sound ? (uint64_t)height * (uint64_t)width : 1;
    if (area > MOST / 64)
        return;
    float *fine = memory(16 * area, &sound), *coarse = memory(4 * area, &sound), *out = memory(4 * area, &sound);
    size_t room = rrip_back_project_scratch(height, width);
    uint8_t *scratch = any_scratch(&room, &enough);
    expect(rrip_back_project(core, fine, coarse, height, width, taps[which], out, scratch, room), sound, enough);
    free(fine);
    free(coarse);
    free(out);
    free(scratch);
}

static void try_encoder(void)
{
    int sound = 1, enough = 1;
    const rrip_core *core = any_core(&sound);
    const int32_t planes = next_byte(&in) % 5, height = any_number(), width = any_number(), passes = any_number();
    sound &= (planes == 1 || planes == 3) && height >= 8 && width >= 8 && height <= RRIP_LARGEST_SIDE &&
             width <= RRIP_LARGEST_SIDE && height % 8 == 0 && width % 8 == 0 && passes >= 0 && passes <= 8;
    rrip_quantiser quantisers[2];
    memset(quantisers, 1, sizeof quantisers);
    for (int k = 0; k < 2; k++) {
        quantisers[k].rate = (float)any_number();
        if (k == 0 || planes == 3)
            sound &= quantisers[k].rate >= 0 && quantisers[k].rate <= 1e6f;
    }
    const uint8_t place = next_byte(&in);
    if (place < 128) {
        quantisers[place / 64].steps[place % 64] = 0;
        sound &= place >= 64 && planes == 1;
    }
    const uint64_t count = sound ? (uint64_t)planes * (uint64_t)height * (uint64_t)width : 1;
    if (count > MOST / 64)
        return;
    float *samples = memory(4 * count, &sound);
    if (samples && sound)
        for (uint64_t k = 0; k < count; k++)
            samples[k] = (float)(k * 7 % 255) - 128.0f;
    size_t room = rrip_encode_scratch(planes, height, width), length = 0;
    uint8_t *decoded = next_byte(&in) & 1 ? block(sound ? count : 1, 0) : NULL, *scratch = any_scratch(&room, &enough);
    const uint8_t *stream = NULL;
    int code = rrip_encode(core, samples, planes, height, width, quantisers, passes, next_byte(&in) & 1, decoded,
                           scratch, room, &stream, &length);
    expect(code, sound, enough);
    if (code == 0)
        CHECK(stream >= scratch && stream + length <= scratch + room);
    free(samples);
    free(decoded);
    free(scratch);
}

static void try_dissimilarity(void)
{
    int sound = 1, enough = 1;
    const rrip_core *core = any_core(&sound);
    const int32_t height = any_number(), width = any_number(), reach = any_number();
    sound &= height > 0 && width > 0 && height < 1 << 20 && width < 1 << 20 && reach >= 1 && reach <= height &&
             reach <= width;
    const uint64_t area = sound ? (uint64_t)height * (uint64_t)width : 1;
    if (area > MOST / 64 || (sound && (uint64_t)reach * area > MOST))
        return;
    float *first = memory(4 * area, &sound), *second = memory(4 * area, &sound);
    float *weights = memory(4 * (uint64_t)(sound ? reach : 1), &sound);
    size_t room = rrip_dissimilarity_scratch(width);
    if (!sound)
        room = 0;
    void *scratch = any_scratch(&room, &enough);
    double mean;
    expect(rrip_dissimilarity(core, first, second, height, width, weights, reach, 6.5f, 58.5f, &mean, scratch, room),
           sound, enough);
    free(first);
    free(second);
    free(weights);
    free(scratch);
}

/* Streams and tiles of a few bytes, which are no streams: they must be refused, after the arguments. */
static void try_decoder(uint8_t which)
{
    int sound = 1, enough = 1, code;
    const rrip_core *core = any_core(&sound);
    rrip_fault fault;
    if (which == 0) {
        const int32_t side = any_number(), planes = next_byte(&in) % 5, top = any_number(), bottom = any_number();
        sound &= side >= 8 && side <= RRIP_LARGEST_SIDE && side % 8 == 0 && (planes == 1 || planes == 3) && top >= 0 &&
                 top < bottom && bottom <= side;
        const uint64_t size = sound ? (uint64_t)planes * (uint64_t)side * (uint64_t)side : 1;
        if (size > MOST)
            return;
        uint8_t *out = memory(size, &sound);
        size_t room = rrip_decode_scratch(side, in.size);
        void *scratch = any_scratch(&room, &enough);
        uint8_t *data = copy_of(in);
        code = rrip_decode_stream(core, data, in.size, side, planes, top, bottom, out, scratch, room, &fault);
        free(data);
        free(out);
        free(scratch);
    } else {
        rrip_coding coding;
        memset(&coding, 0, sizeof coding);
        coding.tile = any_number();
        for (int k = 0; k < 2; k++) {
            coding.residuals[k].planes = (int16_t)(next_byte(&in) % 5);
            sound &= coding.residuals[k].planes == 1 || coding.residuals[k].planes == 3;
        }
        coding.filter[0] = (int16_t)((int8_t)next_byte(&in) / 2);
        coding.filter[2] = coding.filter[0] / 2;
        sound &= coding.filter[0] >= -57 && coding.filter[0] <= 57;
        const uint32_t level = (uint32_t)any_number();
        sound &= coding.tile >= 64 && coding.tile <= 512 && coding.tile % 16 == 0 && level <= 255;
        const rrip_window window = any_window();
        const int64_t side = !sound ? 1 : level > 2 ? 4 * (int64_t)coding.tile : (int64_t)coding.tile << (2 - level);
        sound &= is_inside(&window, side, side);
        rrip_target to = any_target(&window, &sound);
        const size_t needed = level < 2 ? 3 - level : 1;
        const uint8_t *tiles[3] = {NULL, NULL, NULL};
        size_t sizes[3] = {0, 0, 0};
        const uint8_t missing = next_byte(&in); /* bits: tiles that are not given */
        uint8_t *data = copy_of(in);
        for (size_t k = 0; k < needed; k++) {
            tiles[k] = missing > 192 && missing >> k & 1 ? NULL : data;
            sizes[k] = in.size;
        }
        sound &= tiles[0] != NULL; /* which is refused before others are looked at */
        size_t room = rrip_decode_scratch(coding.tile, in.size);
        void *scratch = any_scratch(&room, &enough);
        code = rrip_decode_tile(core, &coding, level, 0, 0, tiles, sizes, &window, &to, scratch, room, &fault);
        free(data);
        free(to.data);
        free(scratch);
    }
    if (!sound)
        CHECK(code == RRIP_E_ARGUMENT);
    else
        CHECK(code >= 0 || (code == RRIP_E_SCRATCH && !enough));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    in = (input){data, size};
    const uint8_t which = next_byte(&in) % 14;
    if (which < 5)
        try_pictures(which);
    else if (which < 8)
        try_prediction(which - 5);
    else if (which == 8)
        try_encoder();
    else if (which == 9)
        try_dissimilarity();
    else if (which < 12)
        try_decoder(which - 10);
    else if (which == 12)
        try_projection();
    else
        try_filter();
    return 0;
}
