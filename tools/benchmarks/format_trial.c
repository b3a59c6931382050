/* format_trial.c: two steps that a decoder could add, to measure their time; no part of the format. */
#include <stddef.h>
#include <stdint.h>

static inline int16_t clipped(int16_t value, int16_t limit)
{
    const int16_t least = (int16_t)-limit, above = value > least ? value : least;
    return above < limit ? above : limit;
}

/* Add to the samples `from` to `stop` of a row the weighted differences of their eight neighbours; `west` and `east`
 * are 0 where a sample stands for its neighbour outside. All in 16 bits. */
static inline __attribute__((always_inline)) void
sharpen_row(const uint8_t *above, const uint8_t *here, const uint8_t *below, size_t from, size_t stop,
            const size_t west, const size_t east, const int16_t weights[8], const int16_t limits[2],
            uint8_t *restrict out)
{
    const int16_t a = limits[0], b = limits[1], w0 = weights[0], w1 = weights[1], w2 = weights[2], w3 = weights[3];
    const int16_t w4 = weights[4], w5 = weights[5], w6 = weights[6], w7 = weights[7];
    for (size_t x = from; x < stop; x++) {
        const int16_t c = here[x];
        const int16_t l = (int16_t)(here[x - west] - c), r = (int16_t)(here[x + east] - c);
        const int16_t n = (int16_t)(above[x] - c), s = (int16_t)(below[x] - c);
        const int16_t nw = (int16_t)(above[x - west] - c), se = (int16_t)(below[x + east] - c);
        const int16_t ne = (int16_t)(above[x + east] - c), sw = (int16_t)(below[x - west] - c);
        int16_t sum = 64;
        sum = (int16_t)(sum + w0 * (int16_t)(clipped(l, a) + clipped(r, a)));
        sum = (int16_t)(sum + w1 * (int16_t)(clipped(n, a) + clipped(s, a)));
        sum = (int16_t)(sum + w2 * (int16_t)(clipped(nw, a) + clipped(se, a)));
        sum = (int16_t)(sum + w3 * (int16_t)(clipped(ne, a) + clipped(sw, a)));
        sum = (int16_t)(sum + w4 * (int16_t)(clipped(l, b) + clipped(r, b)));
        sum = (int16_t)(sum + w5 * (int16_t)(clipped(n, b) + clipped(s, b)));
        sum = (int16_t)(sum + w6 * (int16_t)(clipped(nw, b) + clipped(se, b)));
        sum = (int16_t)(sum + w7 * (int16_t)(clipped(ne, b) + clipped(sw, b)));
        const int16_t found = (int16_t)(c + (int16_t)(sum >> 7));
        out[x] = (uint8_t)(found < 0 ? 0 : found > 255 ? 255 : found);
    }
}

/* Filter a plane with 3 x 3 neighbours. The weights, in 128ths, are those of the pairs beside, above and below, and on
 * both diagonals, with differences clipped to the first limit, and the same with the second one. */
void sharpen(const uint8_t *restrict in, size_t height, size_t width, const int16_t weights[8],
             const int16_t limits[2], uint8_t *restrict out)
{
    for (size_t y = 0; y < height; y++) {
        const uint8_t *here = in + y * width;
        const uint8_t *above = y ? here - width : here, *below = y + 1 < height ? here + width : here;
        uint8_t *to = out + y * width;
        sharpen_row(above, here, below, 0, 1, 0, 1, weights, limits, to);
        sharpen_row(above, here, below, 1, width - 1, 1, 1, weights, limits, to);
        sharpen_row(above, here, below, width - 1, width, 1, 0, weights, limits, to);
    }
}

/* Draw the samples on both sides of each edge of 8 x 8 blocks together: the three nearest pairs, by weights / 256 of
 * their difference; first across columns, then across rows. */
void unlap(uint8_t *plane, size_t height, size_t width, const int16_t weights[3])
{
    for (size_t y = 0; y < height; y++) {
        uint8_t *row = plane + y * width;
        for (size_t x = 8; x < width; x += 8)
            for (size_t k = 0; k < 3; k++) {
                const int16_t change = (int16_t)(((row[x + k] - row[x - 1 - k]) * weights[k] + 128) >> 8);
                row[x - 1 - k] = (uint8_t)(row[x - 1 - k] + change);
                row[x + k] = (uint8_t)(row[x + k] - change);
            }
    }
    for (size_t y = 8; y < height; y += 8)
        for (size_t k = 0; k < 3; k++) {
            uint8_t *restrict a = plane + (y - 1 - k) * width, *restrict b = plane + (y + k) * width;
            for (size_t x = 0; x < width; x++) {
                const int16_t change = (int16_t)(((b[x] - a[x]) * weights[k] + 128) >> 8);
                a[x] = (uint8_t)(a[x] + change);
                b[x] = (uint8_t)(b[x] - change);
            }
        }
}
