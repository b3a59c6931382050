/* kernel_scan.h: the codes of a scan to samples, with every fault an error (T.81 F.2).
 *
 * A position counts END for each block, so that several blocks are read in one loop in which nothing branches where a
 * block ends: a processor could not foresee that. Needs kernel_idct.h and the vector operations of a variant.
 */

enum { LOOKS = 5 }; /* between two refills: of LOOKED bits at most, which leaves what the next look needs */

/* Eight bytes, the first one uppermost. */
RRIP_INLINE uint64_t eight_bytes(const uint8_t *at)
{
    uint64_t eight;
    memcpy(&eight, at, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    eight = __builtin_bswap64(eight);
#endif
    return eight;
}

/* A symbol that the table of pairs does not hold whole: bits it takes (0 if it is none), run of zeros, value. */
typedef struct {
    int32_t taken, run, value;
} symbol;

/* `bits` are the next ones of the stream from the upper end. */
RRIP_INLINE symbol read_symbol(uint64_t bits, const int is_dc, const int looked, const code_table *table)
{
    const int32_t entry = table->single[((size_t)is_dc << looked) + (size_t)(bits >> (64 - looked))];
    int32_t taken = entry & 31, size = entry >> 5 & 15, run = entry >> 9 & 255;
    if (size == LONG_CODE) { /* or none */
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

/* The coefficients of the blocks of one plane from position `k` up to `stop`, DC as it is stored.
 *
 * Returns 0 or what is wrong; `reached` gets the position, `seen` all positions of last coefficients by "or".
 * All 64 bits that the reader holds are the stream's, also those that it does not count in `have`. What decides on the
 * speed is how long it takes from one look to the next: a shift by what the last entry says, one to the index, a load. */
RRIP_INLINE int read_blocks(scan *restrict scan, const code_table *restrict table, const int looked,
                            int16_t *restrict coefficients, uint64_t k, const uint64_t stop, uint64_t *reached,
                            uint64_t *seen)
{
    const uint8_t *at = scan->at, *const limit = scan->limit;
    uint64_t bits = scan->bits, have = scan->have;
    const uint64_t dc = 8u << looked; /* bytes from the pairs of AC to those of DC */
    const uint8_t *pairs = (const uint8_t *)table->pairs + dc;
    uint64_t all = 0;
    int problem = 0;
    while (k < stop) {
        if (at > limit) {
            problem = RRIP_EARLY;
            break;
        }
        uint64_t e = ((const uint64_t *)pairs)[bits >> (64 - looked)]; /* does not wait for the bits that come in */
        bits |= eight_bytes(at) >> have;
        at += (63 - have) >> 3;
        have |= 56;
        uint64_t spent = 0;
        int is_alone = 0;
        for (int n = 0;;) {
            uint64_t to = k + (uint8_t)(e >> 24);
            coefficients[k + (uint8_t)(e >> 16)] = (int16_t)(e >> 32);
            coefficients[to] = (int16_t)(e >> 48);
            is_alone = (to & (END - 1)) > 62; /* the entry says nothing, or the block is full before its last */
            if (is_alone)
                break;
            all |= to;
            k = to & ~(uint64_t)(uint8_t)(e >> 8);
            pairs = (const uint8_t *)table->pairs + (e & dc);
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
            const int is_dc = pairs != (const uint8_t *)table->pairs;
            symbol found = read_symbol(bits, is_dc, looked, table);
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
            all |= to;
            uint64_t ended = (to ^ k) & END;
            k = to & ~(ended - (ended >> 7));
            pairs = (const uint8_t *)table->pairs + (ended ? dc : 0);
            if (problem)
                break;
        }
    }
    scan->at = at;
    scan->bits = bits;
    scan->have = (uint32_t)have;
    *reached = k;
    *seen = all & 63;
    return problem;
}

RRIP_INLINE void clear_blocks(int16_t *coefficients)
{
    for (int n = 0; n < GROUP; n++)
        for (int k = 0; k < 64; k += LANES)
            v_store(coefficients + n * END + k, v_set(0));
}

/* As scan_row() of struct rrip_core, with a look of so many bits: numbers that are known take no registers. */
RRIP_INLINE int scan_row_looking(scan *scan, const int looked, uint8_t *const out[3], size_t stride,
                                 int64_t numbers[4])
{
    const int32_t across = scan->across, planes = scan->planes;
    for (int32_t left = 0; left < across; left += GROUP) {
        int32_t count = least32(GROUP, across - left), lane = 0;
        uint64_t last[3] = {0, 0, 0};
        for (int32_t c = 0; c < planes; c++)
            clear_blocks(scan->coefficients[c]);
        while (lane < count) {
            numbers[0] = (int64_t)scan->row * across + left + lane;
            if (scan->until == 0) {
                numbers[0]--;
                int problem = rrip_interval_problem(scan);
                if (problem)
                    return problem;
                scan->part++;
                scan->until = scan->interval;
                rrip_begin_interval(scan);
            }
            int32_t run = planes == 1 ? least32(count - lane, scan->until) : 1;
            for (int32_t c = 0; c < planes; c++) {
                int16_t *coefficients = scan->coefficients[c];
                uint64_t reached, seen;
                int problem = read_blocks(scan, scan->tables[c], looked, coefficients, (uint64_t)lane * END,
                                          (uint64_t)(lane + run) * END, &reached, &seen);
                if (problem) {
                    numbers[0] = (int64_t)scan->row * across + left + (int64_t)(reached / END);
                    return problem;
                }
                last[c] = last[c] > seen ? last[c] : seen;
                int32_t value = scan->predicted[c];
                for (int32_t n = lane; n < lane + run; n++) {
                    value = (int16_t)(value + coefficients[n * END]);
                    coefficients[n * END] = (int16_t)value;
                }
                scan->predicted[c] = (int16_t)value;
            }
            scan->until -= run;
            lane += run;
        }
        for (int32_t c = 0; c < planes && out; c++)
            inverse_dct(scan->coefficients[c], scan->steps[c], (int)last[c],
                        out[c] + 8 * left, stride, count);
    }
    scan->row++;
    return 0;
}

static int scan_row(scan *scan, uint8_t *const out[3], size_t stride, int64_t numbers[4])
{
    return scan->looked == LOOKED ? scan_row_looking(scan, LOOKED, out, stride, numbers)
                                  : scan_row_looking(scan, FEW_LOOKED, out, stride, numbers);
}
