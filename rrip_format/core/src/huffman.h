/* huffman.h: entropy coding of quantised blocks: statistics, optimal tables and the scan. Internal. */
#ifndef RRIP_HUFFMAN_H
#define RRIP_HUFFMAN_H

#include "blocks.h"

/* How often each symbol occurs: by table, by class (0 DC, 1 AC), by symbol. */
typedef struct {
    uint32_t of[2][2][256];
} symbol_counts;

/* Optimal tables, by table and class. */
typedef struct {
    uint8_t lengths[2][2][16];    /* number of codes of each length, 1 ... 16 bits */
    uint8_t symbols[2][2][256];   /* by ascending code */
    uint32_t codes[2][2][256];    /* of each symbol 32 times its code, and its length; 0 where it has none */
    uint64_t bits;                /* of all symbols that they are made for, with the amplitudes behind them */
} huffman_tables;

/* Fill `coded` with what the interleaved scan of all planes consists of, and count it; returns how many there are.
 *
 * An item holds, from its least bit: a symbol (8), 1 for AC (1), its table (1), the number of bits behind its code (4),
 * these. The first plane has table 0, all others table 1. `coded` has room for the list of coefficients and five items
 * a block: its DC, its end, and three runs of 16 zeros. */
size_t rrip_list_symbols(const struct blocks *blocks, uint32_t *coded, symbol_counts *counts);

/* The optimal tables, the first `count` of them (T.81 figures K.1 to K.4, C.1 to C.3). */
void rrip_make_tables(const symbol_counts *counts, int32_t count, huffman_tables *tables);

/* Bits that an ideal code would spend on each symbol, 1 ... 18. */
void rrip_symbol_costs(const uint32_t counts[256], float bits[256]);

/* Write the codes of symbols by way of `words`, (tables->bits / 32 + 1); returns how many bytes `out` has then, at
 * most 8 for each word. */
size_t rrip_write_scan(const uint32_t *coded, size_t count, const huffman_tables *tables, uint32_t *words,
                       uint8_t *out);

#endif
