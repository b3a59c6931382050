/* format_trial.c: lapping, to measure its time; no part of the format. */
#include <stddef.h>
#include <stdint.h>

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
