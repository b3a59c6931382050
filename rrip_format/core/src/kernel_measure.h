/* kernel_measure.h: colour conversion, differences and SSIM for the encoder, in loops that compilers vectorise.
 *
 * Floating-point operations are in the written order on every processor.
 */

static const int32_t ycc_factors[3][4] = {{19595, 38470, 7471, 0}, {-11059, -21709, 32768, 8388608},
                                          {32768, -27439, -5329, 8388608}}; /* factors of R, G, B and 1, times 65536 */

static void rgb_to_ycc(const uint8_t *restrict rgb, size_t count, uint8_t *restrict out)
{
    for (size_t n = 0; n < count; n++) {
        int32_t r = rgb[3 * n], g = rgb[3 * n + 1], b = rgb[3 * n + 2];
        out[n] = (uint8_t)((19595 * r + 38470 * g + 7471 * b + 32768) >> 16);
        out[count + n] = (uint8_t)((-11059 * r - 21709 * g + 32768 * b + 8421375) >> 16);
        out[2 * count + n] = (uint8_t)((32768 * r - 27439 * g - 5329 * b + 8421375) >> 16);
    }
}

static void exact_ycc(const uint8_t *restrict rgb, size_t count, float *restrict out)
{
    const float unit = 1.0f / 65536;
    for (int c = 0; c < 3; c++) {
        const int32_t *k = ycc_factors[c];
        for (size_t n = 0; n < count; n++)
            out[(size_t)c * count + n] =
                (float)(k[0] * rgb[3 * n] + k[1] * rgb[3 * n + 1] + k[2] * rgb[3 * n + 2] + k[3]) * unit;
    }
}

static void difference(const uint8_t *restrict rgb, size_t count, int32_t plane, const uint8_t *restrict predicted,
                       float *restrict out)
{
    const float unit = 1.0f / 65536;
    const int32_t a = ycc_factors[plane][0], b = ycc_factors[plane][1], c = ycc_factors[plane][2],
                  d = ycc_factors[plane][3];
    for (size_t n = 0; n < count; n++) {
        int32_t total = a * rgb[3 * n] + b * rgb[3 * n + 1] + c * rgb[3 * n + 2] + d;
        float value = (float)total * unit - (float)(predicted ? predicted[n] : 128);
        value = value < -128.0f ? -128.0f : value;
        out[n] = value > 127.0f ? 127.0f : value;
    }
}

static void luma(const uint8_t *restrict rgb, size_t count, float *restrict out)
{
    const float unit = 1.0f / 65536;
    const uint8_t *g = rgb + count, *b = g + count;
    for (size_t n = 0; n < count; n++)
        out[n] = (float)(19595 * rgb[n] + 38470 * g[n] + 7471 * b[n]) * unit;
}

static void box2(const uint8_t *restrict rgb, int32_t height, int32_t width, uint8_t *restrict out)
{
    const size_t row = 3 * (size_t)width;
    for (int32_t y = 0; y < height; y += 2) {
        const uint8_t *upper = rgb + (size_t)y * row, *lower = rgb + (size_t)least32(y + 1, height - 1) * row;
        for (int32_t x = 0; x + 1 < width; x += 2, upper += 6, lower += 6, out += 3)
            for (int c = 0; c < 3; c++)
                out[c] = (uint8_t)((upper[c] + upper[c + 3] + lower[c] + lower[c + 3] + 2) >> 2);
        if (width % 2) { /* use the last column twice */
            for (int c = 0; c < 3; c++)
                out[c] = (uint8_t)((2 * upper[c] + 2 * lower[c] + 2) >> 2);
            out += 3;
        }
    }
}

/* Mean of 1 - SSIM.
 *
 * With d the difference of both pictures, SSIM's factors are 1 - mean(d)^2 / (mean_1^2 + mean_2^2 + c1) and
 * 1 - var(d) / (var_1 + var_2 + c2): this form has no cancellation for nearly equal pictures. 128 is subtracted from
 * samples. Columns are weighted first, then rows, both in loops along a row of memory. `scratch` has 9 rows. */
static double dissimilarity(const float *first, const float *second, int32_t height, int32_t width,
                            const float *weights, int32_t reach, float c1, float c2, float *scratch)
{
    const int32_t count = width - reach + 1;
    float *columns = scratch, *sums = scratch + 4 * (ptrdiff_t)width, *row = scratch + 8 * (ptrdiff_t)width;
    double total = 0;
    for (int32_t y = 0; y + reach <= height; y++) {
        memset(scratch, 0, 8 * (size_t)width * sizeof(float));
        for (int32_t k = 0; k < reach; k++) {
            const float weight = weights[k];
            const float *restrict p = first + (ptrdiff_t)(y + k) * width;
            const float *restrict q = second + (ptrdiff_t)(y + k) * width;
            float *restrict s0 = columns, *restrict s1 = columns + width;
            float *restrict s2 = columns + 2 * (ptrdiff_t)width, *restrict s3 = columns + 3 * (ptrdiff_t)width;
            for (int32_t x = 0; x < width; x++) {
                float a = p[x] - 128.0f, b = q[x] - 128.0f, d = a - b;
                s0[x] += weight * a;
                s1[x] += weight * d;
                s2[x] += weight * (d * d);
                s3[x] += weight * (a * a + b * b);
            }
        }
        for (int32_t k = 0; k < reach; k++) {
            const float weight = weights[k];
            for (int c = 0; c < 4; c++) {
                float *restrict sum = sums + (ptrdiff_t)c * width;
                const float *restrict from = columns + (ptrdiff_t)c * width + k;
                for (int32_t x = 0; x < count; x++)
                    sum[x] += weight * from[x];
            }
        }
        const float *restrict s0 = sums, *restrict s1 = sums + width;
        const float *restrict s2 = sums + 2 * (ptrdiff_t)width, *restrict s3 = sums + 3 * (ptrdiff_t)width;
        float *restrict to = row;
        for (int32_t x = 0; x < count; x++) {
            float mean = s0[x], d = s1[x], other = mean - d;
            float variances = s3[x] - mean * mean - other * other;
            float contrast = (s2[x] - d * d) / (variances + c2);
            mean += 128.0f;
            other += 128.0f;
            float luminance = d * d / (mean * mean + other * other + c1);
            to[x] = contrast + luminance - contrast * luminance;
        }
        for (int32_t x = 0; x < count; x++)
            total += row[x];
    }
    return total / ((double)count * (height - reach + 1));
}
