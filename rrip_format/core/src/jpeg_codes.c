/* jpeg_codes.c: Huffman codes as tables to look into (T.81 annexes C and F.2.2).
 *
 * Most codes of a residual have four bits with their amplitude, so one look of ten bits mostly gives two coefficients.
 * First a table of one symbol is made, then from it one of pairs.
 */
#include "internal.h"

enum {
    LONG = 15,              /* in a field for bits still to be read: the code is longer than the look, or none */
    NONE = LONG << 5 | 31,  /* the entry of a symbol that baseline JPEG does not have */
    ASK = 64                /* steps of a pair that says nothing: more than two symbols of a block can make */
};

/* Bits of the amplitude of a symbol, 12 if it is none of baseline JPEG, and the run of zeros (T.81 F.1, F.2). */
typedef struct {
    int32_t size, run;
} meaning;

static meaning meaning_of(uint8_t code, int is_dc)
{
    int32_t size = code & 15, run = code >> 4;
    if (is_dc)
        return code <= 11 ? (meaning){code, 0} : (meaning){12, 0};
    if (size == 0)
        return run == 0 ? (meaning){0, END - 1} : run == 15 ? (meaning){0, 15} : (meaning){12, 0};
    return size <= 10 ? (meaning){size, run} : (meaning){12, 0};
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
                if (is.size == 12) {
                    fill(at, 1 << spare, NONE);
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
            fill(table + code, (1 << looked) - code, LONG << 5);
        code <<= 1;
    }
    return 0;
}

/* The table of up to two symbols from that of the first, and that of the AC symbol that may follow.
 *
 * `steps` are those that a first symbol makes from the position before it, besides its run: 1, but 0 for DC.
 * An entry holds, from bit 0, the bits of both (6); in bit `looked`, whether the block ends, which makes of an index one
 * of the table of DC; from bit 11, steps to the position of the first (5); from 16, ones if the block ends (7); from
 * 24, steps to the position of the last (8); from 32 and 48, their values. Without a second symbol the first is the
 * last. An end puts 0 to the same position of the next block; an end alone, and an entry that says nothing, put one
 * behind the position: neither place has been read yet. The steps of an entry that says nothing lead to where no
 * coefficient is. */
static void make_pairs(const int32_t *single, const int32_t *following, int32_t steps, int looked, uint64_t *pairs)
{
    uint32_t mask = (1u << looked) - 1;
    for (uint32_t n = 0; n <= mask; n++) {
        int32_t first = single[n];
        if (first >> 5 & 15) {
            pairs[n] = 1 << 11 | (uint64_t)ASK << 24;
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
        pairs[n] = (uint32_t)length | ends << looked | (uint32_t)step << 11 | 127 * ends << 16 |
                   (uint64_t)(uint32_t)both << 24 | (uint64_t)(uint16_t)value << 32 | (uint64_t)(uint16_t)last << 48;
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
    make_pairs(table->single, table->single, 1, looked, table->pairs);
    make_pairs(behind, table->single, 0, looked, table->pairs + (1 << looked));
    return 0;
}

symbol rrip_read_symbol(uint64_t bits, int32_t entry, int kind, int looked, const code_table *table)
{
    const symbol none = {0, 0, 0};
    int32_t taken = entry & 31, size = entry >> 5 & 15, run = entry >> 9 & 255;
    if (entry == NONE)
        return none;
    if (size == LONG) {
        for (taken = looked + 1; taken <= 16; taken++) {
            int32_t code = (int32_t)(bits >> (64 - taken));
            if (code < table->above[kind][taken]) {
                uint8_t found = table->symbols[kind][(code + table->offset[kind][taken]) & 255];
                meaning is = meaning_of(found, kind == 1);
                size = is.size;
                run = is.run;
                break;
            }
        }
        if (taken > 16 || size == 12)
            return none;
    } else if (size == 0) {
        return (symbol){taken, run, entry >> 17};
    }
    if (size == 0)
        return (symbol){taken, run, 0};
    int32_t amplitude = (int32_t)(bits << taken >> (64 - size));
    return (symbol){taken + size, run, signed_value(amplitude, size)};
}
