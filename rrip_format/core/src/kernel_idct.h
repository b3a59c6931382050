/* kernel_idct.h: the inverse DCT of spec section 5.1, for GROUP blocks at a time, one in each lane.
 *
 * The products are expanded so that each is of two 16-bit numbers, for the instructions that add these in pairs. Values
 * between the two dimensions are clipped to 16 bits, which those of a stream that obeys that section never exceed.
 */

enum { GROUP = LANES > 16 ? LANES : 16 };
_Static_assert((int)GROUP <= (int)MOST_GROUP && GROUP % LANES == 0, "a group is some whole vectors");

/* By position in zigzag order: the largest horizontal or vertical frequency up to there, plus 1. */
static const uint8_t extent[64] = {1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 7,
                                   7, 7, 7, 7, 7, 7, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8,
                                   8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8};

/* Inverse DCT in one dimension of `n` coefficients, 4 or 8, the others being zero; `half` is added to each result. */
RRIP_INLINE void butterfly(const v16 *c, const int n, const int32_t half, v32 *s)
{
    v16 zero = v_set(0);
    v32 e0, e1, e2, e3, b0, b1, b2, b3;
    if (n == 8) {
        e0 = w_offset(w_dot(c[0], c[4], 8192, 8192), half);
        e1 = w_offset(w_dot(c[0], c[4], 8192, -8192), half);
        e2 = w_dot(c[2], c[6], 4433, -10704);
        e3 = w_dot(c[2], c[6], 10703, 4433);
        b0 = w_add(w_dot(c[1], c[3], 2260, -6436), w_dot(c[5], c[7], 9633, -11363));
        b1 = w_add(w_dot(c[1], c[3], 6437, -11362), w_dot(c[5], c[7], 2261, 9633));
        b2 = w_add(w_dot(c[1], c[3], 9633, -2259), w_dot(c[5], c[7], -11362, -6436));
        b3 = w_add(w_dot(c[1], c[3], 11363, 9633), w_dot(c[5], c[7], 6437, 2260));
    } else {
        e0 = e1 = w_offset(w_dot(c[0], zero, 8192, 0), half);
        e2 = w_dot(c[2], zero, 4433, 0);
        e3 = w_dot(c[2], zero, 10703, 0);
        b0 = w_dot(c[1], c[3], 2260, -6436);
        b1 = w_dot(c[1], c[3], 6437, -11362);
        b2 = w_dot(c[1], c[3], 9633, -2259);
        b3 = w_dot(c[1], c[3], 11363, 9633);
    }
    v32 a0 = w_add(e0, e3), a1 = w_add(e1, e2), a2 = w_sub(e1, e2), a3 = w_sub(e0, e3);
    s[0] = w_add(a0, b3);
    s[1] = w_add(a1, b2);
    s[2] = w_add(a2, b1);
    s[3] = w_add(a3, b0);
    s[4] = w_sub(a3, b0);
    s[5] = w_sub(a2, b1);
    s[6] = w_sub(a1, b2);
    s[7] = w_sub(a0, b3);
}

/* Position in zigzag order of each frequency, in raster order. */
static const uint8_t position[64] = {0,  1,  5,  6,  14, 15, 27, 28, 2,  4,  7,  13, 16, 26, 29, 42, 3,  8,  12, 17, 25, 30,
                                     41, 43, 9,  11, 18, 24, 31, 40, 44, 53, 10, 19, 23, 32, 39, 45, 52, 54, 20, 22, 33, 38,
                                     46, 51, 55, 60, 21, 34, 37, 47, 50, 56, 59, 61, 35, 36, 48, 49, 57, 58, 62, 63};

/* Transform LANES blocks, whose coefficients are within the first `n` by `n` frequencies and `width` columns of
 * these, to rows of 8 * LANES samples. */
RRIP_INLINE void transform_lanes(const int16_t *coefficients, int32_t apart, const int16_t steps[64], int last,
                                 const int n, const int width, uint8_t *out, size_t stride)
{
    v16 dequantised[64], work[8][8], c[8];
    v32 s[8];
    for (int k = 0; k < (n == 4 ? 32 : 64); k += 8) { /* the last of 4 by 4 frequencies is at position 24 */
        v16 turned[8];
        if (k <= last)
            v_transpose(coefficients + k, apart, turned);
        for (int j = 0; j < 8; j++)
            dequantised[k + j] = k <= last ? v_mul(turned[j], v_set(steps[k + j])) : v_set(0);
    }
    for (int u = 0; u < width; u++) {
        for (int v = 0; v < n; v++)
            c[v] = dequantised[position[8 * v + u]];
        butterfly(c, n, 1 << 10, s);
        for (int y = 0; y < 8; y++)
            work[y][u] = w_narrow(s[y], 11);
    }
    for (int y = 0; y < 8; y++)
        for (int u = width; u < n; u++)
            work[y][u] = v_set(0);
    for (int y = 0; y < 8; y++) {
        butterfly(work[y], n, (1 << 17) + (128 << 18), s); /* 128 is added before the shift */
        v16 x[8];
        for (int k = 0; k < 8; k++)
            x[k] = w_narrow(s[k], 18);
        v_store_blocks(out + (size_t)y * stride, x);
    }
}

/* Write the samples of `count` adjacent blocks, at most GROUP, to rows `stride` apart.
 *
 * The quantised `coefficients` of GROUP blocks are `apart` numbers apart; they and the quantiser steps are in zigzag
 * order. Coefficients after position `last` are zero. */
static void inverse_dct(const int16_t *coefficients, int32_t apart, const int16_t steps[64], int last, uint8_t *out,
                        size_t stride, int32_t count)
{
    if (last == 0) { /* (8192 * dc + 1024 >> 11) * 8192 + ... >> 18 */
        for (int32_t b = 0; b < count; b++) {
            int32_t dc = (int16_t)(coefficients[b * apart] * steps[0]);
            dc = (int16_t)least32(most32(4 * dc, -32768), 32767);
            int32_t sample = least32(most32(((dc * 8192 + (1 << 17)) >> 18) + 128, 0), 255);
            for (size_t y = 0; y < 8; y++)
                memset(out + y * stride + 8 * b, sample, 8);
        }
        return;
    }
    uint8_t part[8 * 8 * GROUP];
    uint8_t *to = count == GROUP ? out : part;
    size_t row_size = count == GROUP ? stride : 8 * GROUP;
    int width = extent[last];
    for (int lane = 0; lane < GROUP; lane += LANES) {
        if (width <= 4)
            transform_lanes(coefficients + lane * apart, apart, steps, last, 4, width, to + 8 * lane, row_size);
        else
            transform_lanes(coefficients + lane * apart, apart, steps, last, 8, width, to + 8 * lane, row_size);
    }
    if (to == part)
        for (size_t y = 0; y < 8; y++)
            memcpy(out + y * stride, part + y * row_size, 8 * (size_t)count);
}
