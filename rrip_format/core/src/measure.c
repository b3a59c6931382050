/* measure.c: colour conversion, differences, back projection and SSIM for the encoder: each function checks its
 * arguments and calls a kernel. */
#include "internal.h"

static int is_picture(const rrip_core *core, const void *in, int32_t height, int32_t width, const void *out)
{
    return core && in && out && height > 0 && width > 0 && height < 1 << 20 && width < 1 << 20;
}

static size_t area(int32_t height, int32_t width) { return (size_t)height * (size_t)width; }

int rrip_rgb_to_ycc(const rrip_core *core, const uint8_t *rgb, int32_t height, int32_t width, uint8_t *out)
{
    if (!is_picture(core, rgb, height, width, out))
        return RRIP_E_ARGUMENT;
    core->rgb_to_ycc(rgb, area(height, width), out);
    return 0;
}

int rrip_rgb_to_exact_ycc(const rrip_core *core, const uint8_t *rgb, int32_t height, int32_t width, float *out)
{
    if (!is_picture(core, rgb, height, width, out))
        return RRIP_E_ARGUMENT;
    core->exact_ycc(rgb, area(height, width), out);
    return 0;
}

int rrip_difference(const rrip_core *core, const uint8_t *rgb, int32_t height, int32_t width, int32_t first,
                    int32_t count, const uint8_t *predicted, float *out)
{
    if (!is_picture(core, rgb, height, width, out) || first < 0 || count < 1 || count > 3 - first)
        return RRIP_E_ARGUMENT;
    const size_t size = area(height, width);
    for (int32_t c = 0; c < count; c++)
        core->difference(rgb, size, first + c, predicted ? predicted + (size_t)c * size : NULL, out + (size_t)c * size);
    return 0;
}

int rrip_box2(const rrip_core *core, const uint8_t *rgb, int32_t height, int32_t width, uint8_t *out)
{
    if (!is_picture(core, rgb, height, width, out))
        return RRIP_E_ARGUMENT;
    core->box2(rgb, height, width, out);
    return 0;
}

int rrip_luma(const rrip_core *core, const uint8_t *rgb, int32_t height, int32_t width, float *out)
{
    if (!is_picture(core, rgb, height, width, out))
        return RRIP_E_ARGUMENT;
    core->luma(rgb, area(height, width), out);
    return 0;
}

size_t rrip_back_project_scratch(int32_t height, int32_t width)
{
    return height < 1 || width < 1 || height > WIDEST || width > WIDEST
               ? 0
               : taken(project_floats(height, width) * sizeof(float));
}

int rrip_back_project(const rrip_core *core, const float *fine, const float *coarse, int32_t height, int32_t width,
                      const int16_t taps[4], float *out, void *scratch, size_t scratch_size)
{
    if (!is_picture(core, fine, height, width, out) || !coarse || !taps || height > WIDEST || width > WIDEST ||
        !are_taps(taps))
        return RRIP_E_ARGUMENT;
    arena memory = arena_of(scratch, scratch_size);
    float *rows = take(&memory, project_floats(height, width) * sizeof(float)), k[4];
    if (!rows)
        return RRIP_E_SCRATCH;
    for (int t = 0; t < 4; t++)
        k[t] = (float)taps[t] / 64;
    core->back_project(fine, coarse, height, width, k, rows, out);
    return 0;
}

size_t rrip_dissimilarity_scratch(int32_t width)
{
    return width < 1 || width >= 1 << 20 ? 0 : taken(9 * (size_t)width * sizeof(float));
}

int rrip_dissimilarity(const rrip_core *core, const float *first, const float *second, int32_t height, int32_t width,
                       const float *weights, int32_t reach, float c1, float c2, double *mean, void *scratch,
                       size_t scratch_size)
{
    if (!is_picture(core, first, height, width, mean) || !second || !weights || reach < 1 || reach > height ||
        reach > width)
        return RRIP_E_ARGUMENT;
    arena memory = arena_of(scratch, scratch_size);
    float *rows = take(&memory, 9 * (size_t)width * sizeof(float));
    if (!rows)
        return RRIP_E_SCRATCH;
    *mean = core->dissimilarity(first, second, height, width, weights, reach, c1, c2, rows);
    return 0;
}
