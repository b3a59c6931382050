/* huffman.c: entropy coding of quantised blocks (T.81 F.1.2, annexes C and K.2). */
#include "huffman.h"

enum { END_OF_BLOCK = 0x00, SIXTEEN_ZEROS = 0xF0 }; /* EOB and ZRL of T.81 F.1.2.2.1 */

/* If `is_kept` is 1 (not 0), append the symbol of the size of `value`, with its amplitude (T.81 F.1.2.1.1). */
static inline uint32_t *append(uint32_t symbol, int32_t value, int32_t is_kept, uint32_t *coded, uint32_t *counts)
{
    uint32_t size = (uint32_t)bits_of(magnitude_of(value));
    uint32_t amplitude = (uint32_t)(value + ((value >> 31) & (int32_t)((1u << size) - 1))); /* negative ones less 1 */
    symbol |= size;
    counts[symbol] += (uint32_t)is_kept;
    *coded = symbol | size << 10 | amplitude << 14;
    return coded + is_kept;
}

size_t rrip_list_symbols(const struct blocks *blocks, uint32_t *coded, symbol_counts *counts)
{
    uint32_t *at = coded, *of = &counts->of[0][0][0];
    int32_t previous[3] = {0, 0, 0};
    memset(counts, 0, sizeof *counts);
    for (int32_t n = 0; n < blocks->count; n++) {
        for (int32_t c = 0; c < blocks->planes; c++) {
            const uint32_t table = c ? 1 << 9 : 0;
            const int32_t *first = blocks->first + (ptrdiff_t)c * (blocks->count + 1) + n;
            const int32_t dc = blocks->dc_level[(ptrdiff_t)c * blocks->count + n];
            int32_t last = 0;
            at = append(table, dc - previous[c], 1, at, of);
            previous[c] = dc;
            for (int32_t k = first[0]; k < first[1]; k++) { /* about half the levels are 0: branches would mispredict */
                const int32_t value = blocks->ac_level[k], is_kept = value != 0, place = blocks->place[k];
                int32_t run = place - last - 1;
                for (; run > 15 && is_kept; run -= 16)
                    at = append(table | 256 | SIXTEEN_ZEROS, 0, 1, at, of);
                at = append(table | 256 | (uint32_t)(run & 15) << 4, value, is_kept, at, of);
                last = is_kept ? place : last;
            }
            if (last < 63)
                at = append(table | 256 | END_OF_BLOCK, 0, 1, at, of);
        }
    }
    return (size_t)(at - coded);
}

enum { SYMBOLS = 257 }; /* the last reserves the code of all ones, which no symbol may have */

/* Compute the code length of each symbol without an upper limit (T.81 K.2). */
static void tree_depths(const uint32_t counts[256], int32_t depth[SYMBOLS])
{
    int32_t used[SYMBOLS], node[SYMBOLS], parent[2 * SYMBOLS], depths[2 * SYMBOLS], count = 0;
    int64_t weight[2 * SYMBOLS];
    memset(depth, 0, SYMBOLS * sizeof *depth);
    for (int32_t k = 0; k < 256; k++) {
        if (counts[k]) {
            weight[count] = counts[k];
            used[count++] = k;
        }
    }
    weight[count] = 1;
    used[count++] = 256;
    for (int32_t k = 0; k < count; k++)
        node[k] = k; /* roots of the subtrees that are still to be joined: those before `left` */
    for (int32_t made = count; made < 2 * count - 1; made++) {
        /* the two lightest, the last of equal ones, so that the reserved code is among the longest */
        int32_t left = 2 * count - made, a = 0, b = 0;
        int64_t lightest = INT64_MAX, second = INT64_MAX;
        for (int32_t k = 0; k < left; k++) {
            int64_t this = weight[node[k]];
            if (this <= lightest) {
                b = a;
                second = lightest;
                a = k;
                lightest = this;
            } else if (this <= second) {
                b = k;
                second = this;
            }
        }
        parent[node[a]] = parent[node[b]] = made;
        weight[made] = lightest + second;
        node[a] = made;
        for (int32_t k = b; k < left - 1; k++)
            node[k] = node[k + 1];
    }
    depths[2 * count - 2] = 0;
    for (int32_t k = 2 * count - 3; k >= 0; k--)
        depths[k] = depths[parent[k]] + 1;
    for (int32_t k = 0; k < count; k++)
        depth[used[k]] = depths[k];
}

static void make_table(const uint32_t counts[256], uint8_t lengths[16], uint8_t symbols[256], uint32_t codes[256],
                       uint64_t *bits)
{
    int32_t depth[SYMBOLS], of_length[SYMBOLS + 2] = {0}, start[SYMBOLS + 2];
    tree_depths(counts, depth);
    for (int32_t k = 0; k < SYMBOLS; k++)
        if (depth[k])
            of_length[depth[k]]++;
    start[0] = start[1] = 0;
    int32_t all_ones = depth[256]; /* it is not among the symbols */
    for (int32_t length = 2; length <= SYMBOLS; length++)
        start[length] = start[length - 1] + of_length[length - 1] - (length - 1 == all_ones);
    for (int32_t k = 0; k < 256; k++)
        if (depth[k])
            symbols[start[depth[k]]++] = (uint8_t)k;
    for (int32_t length = SYMBOLS; length > 16; length--) { /* no code has more than 16 bits: T.81 figure K.3 */
        while (of_length[length] > 0) {
            int32_t shorter = length - 2;
            while (of_length[shorter] == 0)
                shorter--;
            of_length[length] -= 2;
            of_length[length - 1] += 1;
            of_length[shorter + 1] += 2;
            of_length[shorter] -= 1;
        }
    }
    int32_t longest = 16;
    while (longest > 0 && of_length[longest] == 0)
        longest--;
    of_length[longest]--;
    memset(codes, 0, 256 * sizeof *codes);
    uint32_t code = 0;
    for (int32_t length = 1, k = 0; length <= 16; length++, code <<= 1) {
        lengths[length - 1] = (uint8_t)of_length[length];
        for (int32_t n = 0; n < of_length[length]; n++, k++, code++) {
            codes[symbols[k]] = code << 5 | (uint32_t)length;
            *bits += (uint64_t)counts[symbols[k]] * (uint64_t)(length + (symbols[k] & 15));
        }
    }
}

void rrip_make_tables(const symbol_counts *counts, int32_t count, huffman_tables *tables)
{
    tables->bits = 0;
    for (int32_t k = 0; k < count; k++)
        for (int kind = 0; kind < 2; kind++)
            make_table(counts->of[k][kind], tables->lengths[k][kind], tables->symbols[k][kind],
                       tables->codes[k][kind], &tables->bits);
}

/* 256 log2(value), rounded down, for 1 ... 2^30; in integers, so that it is the same on every machine. */
static int32_t log2_of(uint32_t value)
{
    int32_t exponent = bits_of(value) - 1, fraction = 0;
    uint64_t mantissa = (uint64_t)value << (30 - exponent);
    for (int k = 0; k < 8; k++) {
        mantissa = (mantissa * mantissa) >> 30;
        fraction <<= 1;
        if (mantissa >> 31) {
            mantissa >>= 1;
            fraction |= 1;
        }
    }
    return exponent << 8 | fraction;
}

void rrip_symbol_costs(const uint32_t counts[256], float bits[256])
{
    uint32_t total = 0;
    for (int k = 0; k < 256; k++)
        total += 2 * counts[k];
    const int32_t of_total = log2_of(total ? total : 1);
    for (int k = 0; k < 256; k++) { /* a symbol that does not occur counts as half an occurrence */
        int32_t found = of_total - (counts[k] ? log2_of(2 * counts[k]) : 0);
        bits[k] = (float)least32(most32(found, 256), 18 * 256) / 256.0f;
    }
}

/* Write the first `count` bytes of 32 bits, with a zero after each 0xFF (T.81 F.1.2.3). */
static uint8_t *stuff(uint32_t four, uint32_t count, uint8_t *to)
{
    for (uint32_t k = 0; k < count; k++) {
        uint8_t byte = (uint8_t)(four >> (24 - 8 * k));
        *to++ = byte;
        if (byte == 255)
            *to++ = 0;
    }
    return to;
}

size_t rrip_write_scan(const uint32_t *coded, size_t count, const huffman_tables *tables, uint32_t *words,
                       uint8_t *out)
{
    /* Zeros are stuffed in a second loop, because looking for 0xFF in the first one took most of the time. */
    const uint32_t *codes = &tables->codes[0][0][0];
    uint64_t word = 0;
    uint32_t filled = 0;
    uint32_t *at = words;
    for (size_t k = 0; k < count; k++) {
        const uint32_t item = coded[k], entry = codes[item & 1023], size = item >> 10 & 15;
        word = word << ((entry & 31) + size) | (uint64_t)(entry >> 5) << size | item >> 14;
        filled += (entry & 31) + size; /* at most 27 more than the 31 left over */
        if (filled >= 32) {
            filled -= 32;
            *at++ = (uint32_t)(word >> filled);
        }
    }
    uint32_t spare = 32 - filled, tail = (uint32_t)(word << spare | ((UINT64_C(1) << spare) - 1)); /* padded */
    uint8_t *to = out;
    for (const uint32_t *each = words; each < at; each++) {
        const uint32_t four = *each, zeros = ~four; /* is one of its bytes zero? */
        if ((zeros - 0x01010101u) & four & 0x80808080u) {
            to = stuff(four, 4, to);
            continue;
        }
        to[0] = (uint8_t)(four >> 24);
        to[1] = (uint8_t)(four >> 16);
        to[2] = (uint8_t)(four >> 8);
        to[3] = (uint8_t)four;
        to += 4;
    }
    return (size_t)(stuff(tail, (filled + 7) >> 3, to) - out);
}
