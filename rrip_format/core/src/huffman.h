/* huffman.h: entropy coding of quantised blocks: statistics, optimal tables and the scan. Internal. */
#ifndef RRIP_HUFFMAN_H
#define RRIP_HUFFMAN_H

#include "blocks.h"

/* Number of occurrences of each symbol: by table, by class (0 DC, 1 AC), by symbol. */
typedef struct {
    uint32_t of[2][2][256];
} symbol_counts;

/* Optimal tables, by table and class. */
typedef struct {
    uint8_t lengths[2][2][16];    /* number of codes of each length, 1 ... 16 bits */
    uint8_t symbols[2][2][256];   /* by ascending code */
    uint32_t codes[2][2][256];    /* for each symbol 32 times its code plus the length of that; 0 if it has no code */
    uint64_t bits;                /* total size of the counted symbols with their amplitudes */
} huffman_tables;

/* List the symbols of the interleaved scan of all planes in `coded`, and count them; returns the number of items.
 *
 * An item contains, from its least bit: a symbol (8 bits), 1 for AC (1), its table (1), the size of the amplitude
 * (4) and the amplitude. The first plane has table 0, all others table 1. `coded` must have room for the list of
 * coefficients and five items a block: its DC, its end, and three runs of 16 zeros. */
size_t rrip_list_symbols(const struct blocks *blocks, uint32_t *coded, symbol_counts *counts);

/* Make the first `count` tables, optimal for the counts (T.81 figures K.1 to K.4, C.1 to C.3). */
void rrip_make_tables(const symbol_counts *counts, int32_t count, huffman_tables *tables);

/* Estimate the length of the code of each symbol from its frequency, 1 ... 18 bits. */
void rrip_symbol_costs(const uint32_t counts[256], float bits[256]);

/* Write the codes and amplitudes of the items to `out`; returns the number of bytes. `words` is scratch of
 * tables->bits / 32 + 1 words; `out` must have room for 8 bytes for each of these. */
size_t rrip_write_scan(const uint32_t *coded, size_t count, const huffman_tables *tables, uint32_t *words,
                       uint8_t *out);

#endif
