/* jpeg_codes.c: lookup tables for Huffman codes (T.81 annexes C and F.2.2).
 *
 * Most codes of a residual have four bits with their amplitude, so a lookup of ten bits mostly gives two coefficients.
 * A table of single symbols is made first, and from it a table of pairs.
 */
#include "internal.h"

enum { ASK = 64 }; /* steps of a pair that has to be looked up singly: more than two symbols of a block can make */

/* The value of an amplitude, negative below half of its range (T.81 F.2.2.1). */
static int32_t signed_value(int32_t amplitude, int32_t size)
{
    return size > 0 && amplitude < 1 << (size - 1) ? amplitude - (1 << size) + 1 : amplitude;
}

static void fill(int32_t *table, int32_t count, int32_t entry)
{
    for (int32_t n = 0; n < count; n++)
        table[n] = entry;
}

/* Make the table of single symbols. An entry contains, from its least bit: the length of the code plus, if it fits,
 * of the amplitude (5 bits); the size of an amplitude that does not fit, or LONG_CODE (4); the run of zeros (8); the
 * value. */
static int make_single(const uint8_t codes[16 + 256], int is_dc, int looked, int32_t *table, int32_t above[17],
                       int32_t offset[17])
{
    int32_t code = 0, k = 0;
    for (int length = 1; length <= 16; length++) {
        offset[length] = k - code;
        for (int n = 0; n < codes[length - 1]; n++) {
            if (code >= 1 << length)
                return RRIP_TOO_MANY_CODES;
            int32_t spare = looked - length;
            if (spare >= 0) {
                symbol_meaning is = rrip_meaning_of(codes[16 + (k & 255)], is_dc);
                int32_t *at = table + ((size_t)code << spare);
                if (is.size == NO_SIZE) {
                    fill(at, 1 << spare, NO_SYMBOL);
                } else if (is.size > spare) {
                    fill(at, 1 << spare, length | is.size << 5 | is.run << 9);
                } else {
                    int32_t width = 1 << (spare - is.size), entry = (length + is.size) | is.run << 9;
                    for (int32_t amplitude = 0; amplitude < 1 << is.size; amplitude++, at += width)
                        fill(at, width, entry + signed_value(amplitude, is.size) * (1 << 17));
                }
            }
            code++;
            k++;
        }
        above[length] = code;
        if (length == looked) /* the entries that no code of this length or a shorter one has filled */
            fill(table + code, (1 << looked) - code, LONG_CODE << 5);
        code <<= 1;
    }
    return 0;
}

/* Compute what a second symbol adds to an entry of the table of pairs. A symbol that has to be looked up singly gets a
 * length that never fits. */
static void make_seconds(const int32_t *single, int looked, uint64_t *seconds)
{
    for (int32_t n = 0; n < 1 << looked; n++) {
        const int32_t entry = single[n], steps = (entry >> 9 & 255) + 1;
        const uint64_t found = (uint64_t)(entry & 31) | (steps == END ? 127 << 8 : 0) | (uint64_t)steps << 24 |
                               (uint64_t)(uint16_t)(entry >> 17) << 48;
        seconds[n] = entry >> 5 & 15 ? 63 : found;
    }
}

/* Make the table of pairs from that of the first symbol and what a following AC symbol adds.
 *
 * `steps` is the distance of the first symbol from the previous position, besides its run: 1, but 0 for DC. An entry
 * contains, in its bytes from the least: the length of both codes with amplitudes; 127 if the block ends (one bit of
 * this is the distance in bytes from the table of AC to that of DC); steps to the position of the first symbol;
 * steps to that of the last; and in the upper half, two bytes each, their values. Without a second symbol the first
 * is the last. An end of block writes 0 to the same position of the next block; an end of block without another
 * symbol, and an entry that has to be looked up singly, also write behind the position. Neither coefficient has been
 * decoded yet. The steps of an entry that has to be looked up singly lead outside the block. */
static void make_pairs(const int32_t *single, const uint64_t *seconds, int32_t steps, int looked, uint64_t *pairs)
{
    for (int32_t n = 0; n < 1 << looked;) {
        const int32_t first = single[n], length = first & 31, step = (first >> 9 & 255) + steps;
        if (first >> 5 & 15) {
            pairs[n++] = 1 << 16 | (uint64_t)ASK << 24;
            continue;
        }
        const uint64_t value = (uint16_t)(first >> 17);
        const int32_t width = 1 << (looked - length); /* number of entries that begin with this symbol */
        if (step >= END) {
            for (int32_t k = 0; k < width; k++)
                pairs[n + k] = (uint64_t)length | 127 << 8 | 31 << 16 | (uint64_t)step << 24;
        } else {
            const uint64_t start = (uint64_t)length | (uint64_t)step << 16 | (uint64_t)step << 24 | value << 32;
            for (int32_t k = 0; k < width; k++) {
                const uint64_t second = seconds[k << length];
                const int has_room = (int32_t)(second & 63) <= looked - length;
                pairs[n + k] = start + (has_room ? second : value << 48);
            }
        }
        n += width;
    }
}

int rrip_make_codes(const uint8_t dc[16 + 256], const uint8_t ac[16 + 256], int looked, code_table *table)
{
    int32_t *behind = table->single + (1 << looked);
    int problem = make_single(ac, 0, looked, table->single, table->above[0], table->offset[0]);
    if (!problem)
        problem = make_single(dc, 1, looked, behind, table->above[1], table->offset[1]);
    if (problem)
        return problem;
    memcpy(table->symbols[0], ac + 16, 256);
    memcpy(table->symbols[1], dc + 16, 256);
    make_seconds(table->single, looked, table->seconds);
    make_pairs(table->single, table->seconds, 1, looked, table->pairs);
    make_pairs(behind, table->seconds, 0, looked, table->pairs + (1 << looked));
    return 0;
}
