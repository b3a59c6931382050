/* kernel_scan.h: the codes of a scan to samples, with every fault an error (T.81 F.2).
 *
 * A position counts END for each block, so that several blocks are read in one loop in which nothing branches where a
 * block ends: a processor could not foresee that. Needs kernel_idct.h and the vector operations of a variant.
 */

/* Where a coefficient of each lane and position in zigzag order goes; behind the blocks for those that are none. There
 * is one lane more, because an end puts a zero into the next block: before that is read, so that it does no harm. */
#define PLACES_2(l, a, b) (a) * GROUP + (l), (b) * GROUP + (l)
#define PLACES_8(l, a, b, c, d, e, f, g, h) \
    PLACES_2(l, a, b), PLACES_2(l, c, d), PLACES_2(l, e, f), PLACES_2(l, g, h)
#define NONE_8(n) n, n, n, n, n, n, n, n
#define NONE_64(n) NONE_8(n), NONE_8(n), NONE_8(n), NONE_8(n), NONE_8(n), NONE_8(n), NONE_8(n), NONE_8(n)
#define PLACES(l)                                                                                    \
    {PLACES_8(l, 0, 1, 8, 16, 9, 2, 3, 10), PLACES_8(l, 17, 24, 32, 25, 18, 11, 4, 5),               \
     PLACES_8(l, 12, 19, 26, 33, 40, 48, 41, 34), PLACES_8(l, 27, 20, 13, 6, 7, 14, 21, 28),         \
     PLACES_8(l, 35, 42, 49, 56, 57, 50, 43, 36), PLACES_8(l, 29, 22, 15, 23, 30, 37, 44, 51),       \
     PLACES_8(l, 58, 59, 52, 45, 38, 31, 39, 46), PLACES_8(l, 53, 60, 61, 54, 47, 55, 62, 63),       \
     NONE_64(64 * GROUP)}
static const uint16_t places[GROUP + 1][END] = {
    PLACES(0), PLACES(1), PLACES(2),  PLACES(3),  PLACES(4),  PLACES(5),  PLACES(6),  PLACES(7),
    PLACES(8), PLACES(9), PLACES(10), PLACES(11), PLACES(12), PLACES(13), PLACES(14), PLACES(15),
    {NONE_64(64 * GROUP), NONE_64(64 * GROUP)}};

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

/* The coefficients of the blocks of one plane from position `k` up to `stop`, DC as it is stored.
 *
 * Returns 0 or what is wrong; `reached` gets the position, `seen` all positions of last coefficients by "or".
 * All 64 bits that the reader holds are the stream's, also those that it does not count in `have`. */
RRIP_INLINE int read_blocks(scan *restrict scan, const code_table *restrict table, const int looked,
                            int16_t *restrict coefficients, uint32_t k, const uint32_t stop, uint32_t *reached,
                            uint32_t *seen)
{
    const uint16_t *where = &places[0][0];
    const uint64_t *pairs = table->pairs;
    const uint8_t *at = scan->at, *const limit = scan->limit;
    uint64_t bits = scan->bits, have = scan->have;
    const uint32_t dc = 1u << looked;
    uint32_t kind = dc, all = 0;
    int problem = 0;
    while (k < stop) {
        if (at > limit) {
            problem = RRIP_EARLY;
            break;
        }
        uint64_t e = pairs[kind + (uint32_t)(bits >> (64 - looked))]; /* does not wait for the bits that come in */
        bits |= eight_bytes(at) >> have;
        at += (63 - have) >> 3;
        have |= 56;
        uint64_t spent = 0;
        int is_alone = 0;
        for (int n = 0;;) {
            uint32_t to = k + (uint8_t)(e >> 24);
            coefficients[where[k + (e >> 11 & 31)]] = (int16_t)(e >> 32);
            coefficients[where[to]] = (int16_t)(e >> 48);
            is_alone = (to & (END - 1)) > 62; /* the entry says nothing, or the block is full before its last */
            if (is_alone)
                break;
            all |= to;
            k = to & ~((uint32_t)(e >> 16) & 127);
            kind = (uint32_t)e & dc;
            bits <<= e & 63;
            spent += e;
            if (++n == LOOKS || k >= stop)
                break;
            e = pairs[kind + (uint32_t)(bits >> (64 - looked))];
        }
        have -= spent & 63;
        if (is_alone) { /* one symbol, which may be of any length */
            bits |= eight_bytes(at) >> have;
            at += (63 - have) >> 3;
            have |= 56;
            int32_t entry = table->single[kind + (uint32_t)(bits >> (64 - looked))];
            int is_dc = kind != 0;
            symbol found = rrip_read_symbol(bits, entry, is_dc, looked, table);
            uint32_t to = k + (uint32_t)found.run + !is_dc;
            coefficients[where[to]] = (int16_t)found.value;
            if (found.taken == 0)
                problem = RRIP_NO_CODE;
            if (found.run < END - 1) {
                uint32_t last = to & (END - 1);
                if (last > 63)
                    problem = RRIP_COEFFICIENTS;
                if (last == 63 && found.taken > 0) /* the block is full */
                    to += END;
            }
            bits <<= found.taken;
            have -= (uint64_t)found.taken;
            all |= to;
            uint32_t ended = (to ^ k) & END;
            k = to & ~(ended - (ended >> 7));
            kind = ended ? dc : 0;
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

/* As scan_row() of struct rrip_core, with a look of so many bits: numbers that are known take no registers. */
RRIP_INLINE int scan_row_looking(scan *scan, const int looked, uint8_t *const out[3], size_t stride,
                                 int64_t numbers[4])
{
    const int32_t across = scan->across, planes = scan->planes;
    for (int32_t left = 0; left < across; left += GROUP) {
        int32_t count = least32(GROUP, across - left), lane = 0;
        uint32_t last[3] = {0, 0, 0};
        for (int32_t c = 0; c < planes; c++)
            memset(scan->coefficients[c], 0, 64 * GROUP * sizeof(int16_t));
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
                uint32_t reached, seen;
                int problem = read_blocks(scan, scan->tables[c], looked, coefficients, (uint32_t)lane * END,
                                          (uint32_t)(lane + run) * END, &reached, &seen);
                if (problem) {
                    numbers[0] = (int64_t)scan->row * across + left + reached / END;
                    return problem;
                }
                last[c] = last[c] > seen ? last[c] : seen;
                int32_t value = scan->predicted[c];
                for (int32_t n = lane; n < lane + run; n++) {
                    value = (int16_t)(value + coefficients[n]);
                    coefficients[n] = (int16_t)value;
                }
                scan->predicted[c] = (int16_t)value;
            }
            scan->until -= run;
            lane += run;
        }
        for (int32_t c = 0; c < planes && out; c++)
            inverse_dct(scan->coefficients[c], scan->scale[c], (int)last[c],
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
