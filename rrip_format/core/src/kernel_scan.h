/* kernel_scan.h: decode the codes of a scan to samples; anything invalid is an error (T.81 F.2).
 *
 * Positions run through several blocks, END for each, so that one loop reads them without a branch at the end of a
 * block, which processors mispredict. Needs kernel_idct.h and the vector operations of a variant.
 */

enum { LOOKS = 5 }; /* lookups between two refills: each takes at most LOOKED bits, and enough are left for the next */

/* Load eight bytes, the first one uppermost. */
RRIP_INLINE uint64_t eight_bytes(const uint8_t *at)
{
    uint64_t eight;
    memcpy(&eight, at, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    eight = __builtin_bswap64(eight);
#endif
    return eight;
}

/* A symbol read singly: length of code and amplitude (0 if invalid), run of zeros, value. */
typedef struct {
    int32_t taken, run, value;
} symbol;

/* Read one symbol of any length; `bits` are the next ones of the stream, the first uppermost. */
RRIP_INLINE symbol read_symbol(uint64_t bits, const int is_dc, const int looked, const code_table *table)
{
    const int32_t entry = table->single[((size_t)is_dc << looked) + (size_t)(bits >> (64 - looked))];
    int32_t taken = entry & 31, size = entry >> 5 & 15, run = entry >> 9 & 255;
    if (size == LONG_CODE) { /* or an invalid code */
        taken = looked + 1;
        while (taken <= 16 && (int32_t)(bits >> (64 - taken)) >= table->above[is_dc][taken])
            taken++;
        if (entry == NO_SYMBOL || taken > 16)
            return (symbol){0, 0, 0};
        const int32_t index = (int32_t)(bits >> (64 - taken)) + table->offset[is_dc][taken];
        const symbol_meaning is = rrip_meaning_of(table->symbols[is_dc][index & 255], is_dc);
        size = is.size;
        run = is.run;
        if (size == NO_SIZE)
            return (symbol){0, 0, 0};
    } else if (size == 0) {
        return (symbol){taken, run, entry >> 17};
    }
    if (size == 0)
        return (symbol){taken, run, 0};
    const int32_t amplitude = (int32_t)(bits << taken >> (64 - size)), half = 1 << (size - 1);
    return (symbol){taken + size, run, amplitude < half ? amplitude - 2 * half + 1 : amplitude};
}

/* The tables of a plane, and those that follow when a block ends: of the next plane in the order of the scan. */
typedef struct turn {
    const code_table *table;
    const uint8_t *ac, *next_dc; /* pairs of AC, and of DC of the next plane */
    struct turn *next;
    uint64_t seen; /* bitwise "or" of the positions of all last coefficients */
} turn;

/* Decode the coefficients of `count` blocks, with DC as the stored difference; the first block is of the first plane.
 *
 * Returns 0 or a code of enum rrip_code; `reached` receives the position. All 64 bits of the reader are the
 * stream's, also those that it does not count in `have`. The speed depends on the latency from one lookup to the
 * next: a shift by the length in the last entry, a shift to the index, a load. */
RRIP_INLINE int read_blocks(scan *restrict scan, turn turns[3], const int planes, const int looked,
                            int16_t *restrict coefficients, const uint64_t count, uint64_t *reached)
{
    const uint8_t *at = scan->at, *const limit = scan->limit;
    uint64_t bits = scan->bits, have = scan->have, k = 0, seen = 0;
    const uint64_t dc = 8u << looked, stop = count * END; /* bytes from the pairs of AC to those of DC */
    turn *now = turns;
    const uint8_t *pairs = turns->ac + dc;
    int problem = 0;
    while (k < stop) {
        if (at > limit) {
            problem = RRIP_EARLY;
            break;
        }
        uint64_t e = ((const uint64_t *)pairs)[bits >> (64 - looked)]; /* before the refill, so as not to wait for it */
        bits |= eight_bytes(at) >> have;
        at += (63 - have) >> 3;
        have |= 56;
        uint64_t spent = 0;
        int is_alone = 0;
        for (int n = 0;;) {
            uint64_t to = k + (uint8_t)(e >> 24);
            coefficients[k + (uint8_t)(e >> 16)] = (int16_t)(e >> 32);
            coefficients[to] = (int16_t)(e >> 48);
            is_alone = (to & (END - 1)) > 62; /* to be looked up singly, or the block might be full */
            if (is_alone)
                break;
            k = to & ~(uint64_t)(uint8_t)(e >> 8);
            if (planes == 1) {
                seen |= to;
                pairs = turns->ac + (e & dc);
            } else { /* without a branch, which would be mispredicted */
                const uintptr_t ended = (uintptr_t)0 - (uintptr_t)((e & dc) != 0);
                const uintptr_t ac = (uintptr_t)now->ac, next_dc = (uintptr_t)now->next_dc;
                now->seen |= to;
                pairs = (const uint8_t *)(ac ^ ((ac ^ next_dc) & ended));
                now = (turn *)((uintptr_t)now ^ (((uintptr_t)now ^ (uintptr_t)now->next) & ended));
            }
            bits <<= e & 63;
            spent += e;
            if (++n == LOOKS || k >= stop)
                break;
            e = ((const uint64_t *)pairs)[bits >> (64 - looked)];
        }
        have -= spent & 63;
        if (is_alone) { /* one symbol, which may be of any length */
            bits |= eight_bytes(at) >> have;
            at += (63 - have) >> 3;
            have |= 56;
            const int is_dc = pairs != now->ac;
            symbol found = read_symbol(bits, is_dc, looked, now->table);
            uint64_t to = k + (uint64_t)found.run + !is_dc;
            coefficients[to] = (int16_t)found.value;
            if (found.taken == 0)
                problem = RRIP_NO_CODE;
            if (found.run < END - 1) {
                uint64_t last = to & (END - 1);
                if (last > 63)
                    problem = RRIP_COEFFICIENTS;
                if (last == 63 && found.taken > 0) /* the block is full */
                    to += END;
            }
            bits <<= found.taken;
            have -= (uint64_t)found.taken;
            now->seen |= to;
            uint64_t ended = (to ^ k) & END;
            k = to & ~(ended - (ended >> 7));
            pairs = ended ? now->next_dc : now->ac;
            now = ended ? now->next : now;
            if (problem)
                break;
        }
    }
    scan->at = at;
    scan->bits = bits;
    scan->have = (uint32_t)have;
    turns->seen |= seen;
    *reached = k;
    return problem;
}

RRIP_INLINE void clear_blocks(int16_t *coefficients, int32_t count)
{
    for (int32_t n = 0; n < count; n++)
        for (int k = 0; k < 64; k += LANES)
            v_store(coefficients + n * END + k, v_set(0));
}

/* Decode a row of blocks (see struct rrip_core). `planes` and `looked` are constants of each call, which saves
 * registers. */
RRIP_INLINE int scan_row_of(scan *scan, const int planes, const int looked, uint8_t *const out[3], size_t stride,
                            int64_t numbers[4])
{
    const int32_t across = scan->across;
    int16_t *coefficients = scan->coefficients;
    turn turns[3];
    for (int c = 0; c < planes; c++) {
        const code_table *table = scan->tables[c], *next = scan->tables[(c + 1) % planes];
        turns[c] = (turn){table, (const uint8_t *)table->pairs, (const uint8_t *)next->pairs + (8u << looked),
                          &turns[(c + 1) % planes], 0};
    }
    for (int32_t left = 0; left < across; left += GROUP) {
        int32_t count = least32(GROUP, across - left), lane = 0;
        clear_blocks(coefficients, planes * GROUP);
        for (int c = 0; c < planes; c++)
            turns[c].seen = 0;
        while (lane < count) {
            numbers[0] = (int64_t)scan->row * across + left + lane;
            if (scan->until == 0) {
                int problem = rrip_interval_problem(scan);
                if (problem) {
                    numbers[0] = scan->row;
                    return problem;
                }
                scan->part++;
                scan->until = scan->interval;
                rrip_begin_interval(scan);
            }
            int32_t run = least32(count - lane, scan->until);
            int16_t *first = coefficients + lane * planes * END;
            uint64_t reached;
            int problem = read_blocks(scan, turns, planes, looked, first, (uint64_t)(run * planes), &reached);
            if (problem && rrip_interval_problem(scan) == RRIP_EARLY)
                problem = RRIP_EARLY; /* the zeros supplied after the end may be invalid in any way */
            if (problem) {
                numbers[0] = problem == RRIP_EARLY ? scan->row : numbers[0] + (int64_t)(reached / END) / planes;
                return problem;
            }
            for (int c = 0; c < planes; c++) {
                int32_t value = scan->predicted[c];
                for (int32_t n = 0; n < run; n++) {
                    int16_t *dc = first + (n * planes + c) * END;
                    *dc = (int16_t)(value = (int16_t)(value + *dc));
                }
                scan->predicted[c] = (int16_t)value;
            }
            scan->until -= run;
            lane += run;
        }
        for (int c = 0; c < planes && out; c++)
            inverse_dct(coefficients + c * END, planes * END, scan->steps[c], (int)(turns[c].seen & 63),
                        out[c] + 8 * left, stride, count);
    }
    /* Variants read different numbers of blocks at a time and notice the end of the data in different blocks, but in
     * the same row. */
    numbers[0] = scan->row++;
    return rrip_interval_problem(scan) == RRIP_EARLY ? RRIP_EARLY : 0;
}

static int scan_gray(scan *scan, uint8_t *const out[3], size_t stride, int64_t numbers[4])
{
    return scan->looked == LOOKED ? scan_row_of(scan, 1, LOOKED, out, stride, numbers)
                                  : scan_row_of(scan, 1, FEW_LOOKED, out, stride, numbers);
}

#ifndef SCAN_COLOUR
#define SCAN_COLOUR scan_colour
static int scan_colour(scan *scan, uint8_t *const out[3], size_t stride, int64_t numbers[4])
{
    return scan->looked == LOOKED ? scan_row_of(scan, 3, LOOKED, out, stride, numbers)
                                  : scan_row_of(scan, 3, FEW_LOOKED, out, stride, numbers);
}
#endif
