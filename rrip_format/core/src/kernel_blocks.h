/* kernel_blocks.h: forward DCT, and rate-distortion optimised quantisation of AC coefficients (T.81 A.3, F.1).
 *
 * Floating-point operations are in the written order on every processor.
 */

enum { BLOCKS_AT_ONCE = 32, ROW = 8 * BLOCKS_AT_ONCE };

/* Orthonormal forward DCT of eight samples (T.81 A.3.3); results are `apart` floats apart. */
RRIP_INLINE void dct(const float x0, const float x1, const float x2, const float x3, const float x4, const float x5,
                     const float x6, const float x7, float out[8])
{
    const float c1 = 0.49039263f, c2 = 0.46193975f, c3 = 0.4157348f, c4 = 0.35355338f, c5 = 0.27778512f,
                c6 = 0.19134171f, c7 = 0.09754516f; /* cos(k pi / 16) / 2 */
    const float s0 = x0 + x7, d0 = x0 - x7, s1 = x1 + x6, d1 = x1 - x6;
    const float s2 = x2 + x5, d2 = x2 - x5, s3 = x3 + x4, d3 = x3 - x4;
    out[0] = ((s0 + s3) + (s1 + s2)) * c4;
    out[1] = d0 * c1 + d1 * c3 + d2 * c5 + d3 * c7;
    out[2] = (s0 - s3) * c2 + (s1 - s2) * c6;
    out[3] = d0 * c3 - d1 * c7 - d2 * c1 - d3 * c5;
    out[4] = ((s0 + s3) - (s1 + s2)) * c4;
    out[5] = d0 * c5 - d1 * c1 + d2 * c7 + d3 * c3;
    out[6] = (s0 - s3) * c6 - (s1 - s2) * c2;
    out[7] = d0 * c7 - d1 * c5 + d2 * c3 - d3 * c1;
}

/* Transform `count` columns: vertical frequencies are written to rows that are ROW apart. */
RRIP_INLINE void dct_columns(const float *restrict plane, size_t width, int32_t count, float *restrict out)
{
    for (int32_t x = 0; x < count; x++) {
        float f[8];
        dct(plane[x], plane[width + (size_t)x], plane[2 * width + (size_t)x], plane[3 * width + (size_t)x],
            plane[4 * width + (size_t)x], plane[5 * width + (size_t)x], plane[6 * width + (size_t)x],
            plane[7 * width + (size_t)x], f);
        for (int v = 0; v < 8; v++)
            out[v * ROW + x] = f[v];
    }
}

/* Transform the rows of blocks: horizontal frequency h and vertical frequency v are at ROW h + BLOCKS_AT_ONCE v. */
RRIP_INLINE void dct_rows(const float *restrict rows, float *restrict out)
{
    for (int v = 0; v < 8; v++) {
        for (int b = 0; b < BLOCKS_AT_ONCE; b++) {
            const float *x = rows + v * ROW + 8 * b;
            float f[8];
            dct(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], f);
            for (int h = 0; h < 8; h++)
                out[h * ROW + v * BLOCKS_AT_ONCE + b] = f[h];
        }
    }
}

/* Vectors of eight numbers, in whatever registers there are: compilers do not vectorise the loop below by
 * themselves. */
typedef float floats8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t ints8 __attribute__((vector_size(32), aligned(4), may_alias));

/* Scale coefficients to units of their step, in zigzag order, and mark those of each block that do not round to zero
 * with a bit each: `kept` has positions 0 to 31 of all blocks, then 32 to 63. */
RRIP_INLINE void order(const float *turned, const float *scale, float *scaled, uint32_t kept[2 * BLOCKS_AT_ONCE])
{
    const ints8 magnitude = {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX};
    const int32_t half = 0x3F000000; /* as floats of either sign are ordered by their bits, it is 0.5 */
    for (int b = 0; b < BLOCKS_AT_ONCE; b += 8) {
        ints8 bits[2] = {{0}, {0}};
        for (int k = 0; k < 64; k++) {
            const float *from = turned + (rrip_zigzag[k] & 7) * ROW + (rrip_zigzag[k] >> 3) * BLOCKS_AT_ONCE + b;
            const floats8 v = *(const floats8 *)from * scale[k];
            *(floats8 *)(scaled + k * BLOCKS_AT_ONCE + b) = v;
            bits[k / 32] |= (((ints8)v & magnitude) >= half) & (int32_t)(1u << k % 32);
        }
        memcpy(kept + b, &bits[0], sizeof bits[0]);
        memcpy(kept + BLOCKS_AT_ONCE + b, &bits[1], sizeof bits[1]);
    }
}

/* Transform one plane, and append its blocks to those of the previous planes. */
static void transform(const float *samples, int32_t height, int32_t width, const float scale[64], struct blocks *out,
                      int32_t plane)
{
    _Alignas(64) float rows[8 * ROW], turned[8 * ROW], scaled[64 * BLOCKS_AT_ONCE];
    uint32_t kept[2 * BLOCKS_AT_ONCE];
    int32_t *first = out->first + (ptrdiff_t)plane * (out->count + 1), at = out->size;
    float *dc = out->dc + (ptrdiff_t)plane * out->count;
    memset(rows, 0, sizeof rows);
    for (int32_t top = 0; top < height; top += 8) {
        for (int32_t left = 0; left < width; left += ROW) {
            int32_t inside = least32(ROW, width - left);
            dct_columns(samples + (size_t)top * (size_t)width + left, (size_t)width, inside, rows);
            dct_rows(rows, turned);
            order(turned, scale, scaled, kept);
            for (int32_t b = 0; b < inside / 8; b++) {
                uint64_t bits = kept[b] | (uint64_t)kept[BLOCKS_AT_ONCE + b] << 32;
                *dc++ = scaled[b];
                *first++ = at;
                for (bits &= ~UINT64_C(1); bits; bits &= bits - 1) {
                    const int k = __builtin_ctzll(bits);
                    out->place[at] = (uint8_t)k;
                    out->value[at++] = scaled[k * BLOCKS_AT_ONCE + b];
                }
            }
        }
    }
    *first = out->size = at;
}

/* Find the cheapest sequence of AC levels in each block: a shortest path over the coefficients that are not set to
 * zero.
 *
 * `cost` is that of a level of s bits after a run of zeros, `cheapest` its minimum over the runs, `end` that of the
 * end-of-block code, all in squared steps as the error. Point 0 of a path is the DC coefficient. */
static void choose_ac(const struct blocks *blocks, int32_t plane, const float cost[11][64], const float cheapest[11],
                      float end)
{
    const int32_t *first = blocks->first + (ptrdiff_t)plane * (blocks->count + 1);
    float best[64];    /* cost of the cheapest path that ends at a point */
    float skipped[64]; /* squared error if all coefficients up to a point are zero */
    float floor[64];   /* minimum of best - skipped up to a point: a bound of paths through earlier points */
    int32_t where[64], before[64];
    int16_t chosen[64];
    best[0] = skipped[0] = floor[0] = 0;
    where[0] = before[0] = 0;
    for (int32_t n = 0; n < blocks->count; n++) {
        const int32_t start = first[n], count = first[n + 1] - start;
        const uint8_t *place = blocks->place + start;
        const float *value = blocks->value + start;
        int16_t *out = blocks->ac_level + start;
        float error = 0; /* squared error if all coefficients up to the previous point are zero */
        for (int32_t t = 1; t <= count; t++) {
            const int32_t k = place[t - 1];
            const float x = __builtin_fabsf(value[t - 1]);
            const int32_t high = x < LARGEST_AC ? (int32_t)(x + 0.5f) : LARGEST_AC;
            const int32_t low = high > 1 && x < (float)high ? high - 1 : high;
            const int32_t size_high = bits_of((uint32_t)high), size_low = bits_of((uint32_t)low);
            const float error_high = (x - (float)high) * (x - (float)high);
            const float error_low = (x - (float)low) * (x - (float)low);
            const float with_high = error_high + cheapest[size_high], with_low = error_low + cheapest[size_low];
            const float bound = error + (with_high < with_low ? with_high : with_low);
            float least = 1e30f;
            int32_t prior = 0, level = high;
            const float *cost_high = cost[size_high], *cost_low = cost[size_low];
            for (int32_t j = t - 1; j >= 0 && !(least <= floor[j] + bound); j--) {
                const float path = best[j] + (error - skipped[j]);
                const int32_t run = k - where[j] - 1;
                float total = path + (error_high + cost_high[run]);
                if (total < least) {
                    least = total;
                    prior = j;
                    level = high;
                }
                if (low == high) /* both have the same total */
                    continue;
                total = path + (error_low + cost_low[run]);
                if (total < least) {
                    least = total;
                    prior = j;
                    level = low;
                }
            }
            best[t] = least;
            where[t] = k;
            before[t] = prior;
            chosen[t] = (int16_t)level;
            error = error + x * x;
            skipped[t] = error;
            const float gained = least - error;
            floor[t] = floor[t - 1] < gained ? floor[t - 1] : gained;
        }
        float least = 1e30f;
        int32_t last = 0;
        for (int32_t j = count; j >= 0; j--) {
            const float total = best[j] + (error - skipped[j]) + (where[j] < 63 ? end : 0.0f);
            if (total < least) {
                least = total;
                last = j;
            }
        }
        for (int32_t t = count; t > 0; t--) {
            out[t - 1] = 0;
            if (t == last) {
                out[t - 1] = value[t - 1] >= 0 ? chosen[t] : (int16_t)-chosen[t];
                last = before[t];
            }
        }
    }
}

/* Decode the levels of a plane to samples; `steps` in zigzag order. */
static void decode_levels(const struct blocks *blocks, int32_t plane, int32_t height, int32_t width,
                          const int16_t steps[64], uint8_t *out)
{
    const int32_t *first = blocks->first + (ptrdiff_t)plane * (blocks->count + 1), across = width / 8;
    const int16_t *dc = blocks->dc_level + (ptrdiff_t)plane * blocks->count;
    int16_t coefficients[GROUP * END];
    for (int32_t row = 0; row < height / 8; row++) {
        for (int32_t left = 0; left < across; left += GROUP) {
            int32_t count = least32(GROUP, across - left), last = 0;
            memset(coefficients, 0, sizeof coefficients);
            for (int32_t lane = 0; lane < count; lane++) {
                const int32_t n = row * across + left + lane;
                int16_t *block = coefficients + lane * END;
                block[0] = dc[n];
                for (int32_t k = first[n]; k < first[n + 1]; k++) {
                    block[blocks->place[k]] = blocks->ac_level[k];
                    if (blocks->ac_level[k])
                        last = most32(last, blocks->place[k]);
                }
            }
            inverse_dct(coefficients, END, steps, last, out + 8 * (size_t)row * (size_t)width + 8 * left, (size_t)width,
                        count);
        }
    }
}
