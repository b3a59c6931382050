/* jpeg_codes.c: Huffman codes as tables to look into (T.81 annexes C and F.2.2).
 *
 * Most codes of a residual have four bits with their amplitude, so one look of ten bits mostly gives two coefficients.
 * First a table of one symbol is made, then from it one of pairs.
 */
#include "internal.h"

enum { ASK = 64 }; /* steps of a pair that says nothing: more than two symbols of a block can make */

/* Bits of the amplitude of a symbol, NO_SIZE if it is none of baseline JPEG, and the run of zeros (T.81 F.1, F.2). */
typedef struct {
    int32_t size, run;
} meaning;

static meaning meaning_of(uint8_t code, int is_dc)
{
    int32_t size = code & 15, run = code >> 4;
    if (is_dc)
        return code <= 11 ? (meaning){code, 0} : (meaning){NO_SIZE, 0};
    if (size == 0)
        return run == 0 ? (meaning){0, END - 1} : run == 15 ? (meaning){0, 15} : (meaning){NO_SIZE, 0};
    return size <= 10 ? (meaning){size, run} : (meaning){NO_SIZE, 0};
}

/* A value from its bits: below half of its range it is negative (T.81 F.2.2.1). */
static int32_t signed_value(int32_t amplitude, int32_t size)
{
    return size > 0 && amplitude < 1 << (size - 1) ? amplitude - (1 << size) + 1 : amplitude;
}

static void fill(int32_t *table, int32_t count, int32_t entry)
{
    for (int32_t n = 0; n < count; n++)
        table[n] = entry;
}

/* The table of one symbol. An entry holds, from its least bit: bits of the code and, if they fit, of the amplitude (5);
 * bits of the amplitude that did not fit, or LONG (4); the run of zeros (8); the amplitude. */
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
                meaning is = meaning_of(codes[16 + (k & 255)], is_dc);
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
        if (length == looked) /* what no code of this length or a shorter one fills */
            fill(table + code, (1 << looked) - code, LONG_CODE << 5);
        code <<= 1;
    }
    return 0;
}

/* The table of up to two symbols from that of the first, and that of the AC symbol that may follow.
 *
 * `steps` are those that a first symbol makes from the position before it, besides its run: 1, but 0 for DC.
 * An entry holds, in its bytes from the least: the bits of both; 127 if the block ends, of which one bit is the distance
 * in bytes from the table of AC to that of DC; steps to the position of the first; steps to the position of the last;
 * and in the upper half, two bytes each, their values. Without a second symbol
 * the first is the last. An end puts 0 to the same position of the next block; an end alone, and an entry that says
 * nothing, put one behind the position: neither place has been read yet. The steps of an entry that says nothing lead to
 * where no coefficient is. */
static void make_pairs(const int32_t *single, const int32_t *following, int32_t steps, int looked, uint64_t *pairs)
{
    uint32_t mask = (1u << looked) - 1;
    for (uint32_t n = 0; n <= mask; n++) {
        int32_t first = single[n];
        if (first >> 5 & 15) {
            pairs[n] = 1 << 16 | (uint64_t)ASK << 24;
            continue;
        }
        int32_t length = first & 31, step = (first >> 9 & 255) + steps, value = first >> 17, both = step, last = value;
        if (step < END) {
            int32_t second = following[n << length & mask];
            if (!(second >> 5 & 15) && length + (second & 31) <= looked) {
                length += second & 31;
                both = step + (second >> 9 & 255) + 1;
                last = second >> 17;
            }
        } else {
            step = 31;
        }
        uint32_t ends = (uint32_t)both / END;
        pairs[n] = (uint32_t)length | 127 * ends << 8 | (uint32_t)step << 16 | (uint64_t)(uint32_t)both << 24 | (uint64_t)(uint16_t)value << 32 | (uint64_t)(uint16_t)last << 48;
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
    for (int k = 0; k < 256; k++) {
        meaning is_ac = meaning_of(ac[16 + k], 0), is_dc = meaning_of(dc[16 + k], 1);
        table->meanings[0][k] = (uint16_t)(is_ac.size | is_ac.run << 4);
        table->meanings[1][k] = (uint16_t)(is_dc.size | is_dc.run << 4);
    }
    make_pairs(table->single, table->single, 1, looked, table->pairs);
    make_pairs(behind, table->single, 0, looked, table->pairs + (1 << looked));
    return 0;
}
