/* jpeg_scan.c: restart intervals of a scan, and the state of its decoding (T.81 F.2); kernel_scan.h reads the codes. */
#include "internal.h"

const uint8_t rrip_zigzag[64] = {0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
                                 41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
                                 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

enum { SPARE = 32, GAP = 8 }; /* zero bytes after the last interval and between two: more than are read past an end */

static size_t blocks_of(int32_t side) { return (size_t)(side / 8) * (size_t)(side / 8); }

static size_t coefficients_of(int32_t planes)
{
    return ((size_t)MOST_GROUP * (size_t)planes + 1) * END * sizeof(int16_t);
}

size_t rrip_scan_scratch(int32_t side, int32_t planes, size_t size)
{
    size_t parts = blocks_of(side); /* restart intervals, at most */
    return (size_t)planes * taken(sizeof(code_table)) + taken(coefficients_of(planes)) +
           2 * taken(4 * parts) + taken(size + parts * GAP + SPARE);
}

static int has_ff(uint64_t eight)
{
    return ((~eight - 0x0101010101010101u) & eight & 0x8080808080808080u) != 0;
}

/* Copy the scan's bytes without stuffed zeros; `first` and `count` receive offset and length of each interval. */
static int split_scan(const uint8_t *data, size_t at, size_t size, int32_t interval, size_t parts, uint8_t *bytes,
                      uint32_t *first, uint32_t *count, size_t *end)
{
    const size_t stop = size - 2; /* the end marker */
    size_t to = 0, part = 0;
    first[0] = 0;
    if (at > stop) /* the scan's header overlaps the end marker */
        at = stop;
    for (;;) {
        while (stop - at >= 8) { /* `bytes` has as much room as `data` has bytes left */
            uint64_t eight;
            memcpy(&eight, data + at, 8);
            if (has_ff(eight))
                break;
            memcpy(bytes + to, &eight, 8);
            at += 8;
            to += 8;
        }
        if (at < stop && (data[at] != 0xFF || data[at + 1] == 0)) { /* in bounds, since the end marker follows */
            bytes[to++] = data[at];
            at += data[at] == 0xFF ? 2 : 1;
            continue;
        }
        count[part] = (uint32_t)(to - first[part]);
        part++;
        memset(bytes + to, 0, GAP);
        to += GAP;
        while (at < stop && data[at + 1] == 0xFF) /* fill bytes before a marker */
            at++;
        if (at >= stop)
            break;
        if (data[at + 1] < 0xD0 || data[at + 1] > 0xD7)
            return RRIP_AFTER_SCAN;
        if (interval == 0 || part >= parts || (data[at + 1] & 7) != ((part - 1) & 7))
            return RRIP_INTERVALS;
        first[part] = (uint32_t)to;
        at += 2;
    }
    if (part != parts)
        return RRIP_INTERVALS;
    memset(bytes + to, 0, SPARE);
    *end = to;
    return 0;
}

int rrip_open_scan(arena *memory, const uint8_t *data, size_t size, int32_t side, int32_t planes, scan *scan,
                   int64_t numbers[4])
{
    jpeg_header header;
    int problem = rrip_read_header(data, size, side, planes, &header, numbers);
    if (problem)
        return problem;
    memset(scan, 0, sizeof *scan);
    scan->planes = planes;
    scan->across = side / 8;
    scan->interval = header.interval;
    scan->looked = size > FEW_BYTES ? LOOKED : FEW_LOOKED;
    scan->coefficients = take(memory, coefficients_of(planes));
    for (int32_t c = 0; c < planes; c++) {
        code_table *table = take(memory, sizeof(code_table));
        if (!table)
            return RRIP_E_SCRATCH;
        const uint8_t *chosen = header.chosen[c];
        for (int k = 0; k < 64; k++)
            scan->steps[c][k] = header.steps[chosen[1]][k];
        scan->tables[c] = table;
        if (c == 2 && chosen[2] == header.chosen[1][2] && chosen[3] == header.chosen[1][3]) {
            scan->tables[c] = scan->tables[1]; /* Cr has the tables of Cb */
            continue;
        }
        problem = rrip_make_codes(header.codes[chosen[2]], header.codes[2 + chosen[3]], scan->looked, table);
        if (problem)
            return problem;
    }
    size_t blocks = blocks_of(side), parts = 1;
    if (scan->interval)
        parts = (blocks + (size_t)scan->interval - 1) / (size_t)scan->interval;
    uint32_t *first = take(memory, 4 * parts), *count = take(memory, 4 * parts);
    uint8_t *bytes = take(memory, size - header.scan + parts * GAP + SPARE);
    if (!bytes)
        return RRIP_E_SCRATCH;
    size_t end;
    problem = split_scan(data, header.scan, size, scan->interval, parts, bytes, first, count, &end);
    if (problem)
        return problem;
    scan->bytes = bytes;
    scan->limit = bytes + end;
    scan->first = first;
    scan->count = count;
    scan->until = scan->interval ? scan->interval : (int32_t)blocks;
    rrip_begin_interval(scan);
    return 0;
}

void rrip_begin_interval(scan *scan)
{
    scan->at = scan->bytes + scan->first[scan->part];
    scan->bits = 0;
    for (int k = 0; k < 8; k++)
        scan->bits = scan->bits << 8 | scan->at[k]; /* in bounds, since at least 8 zeros follow each interval */
    scan->have = 0;
    memset(scan->predicted, 0, sizeof scan->predicted);
}

int rrip_interval_problem(const scan *scan)
{
    int64_t read = 8 * (int64_t)(scan->at - (scan->bytes + scan->first[scan->part]));
    int64_t spent = read - (int64_t)scan->have, bits = 8 * (int64_t)scan->count[scan->part];
    return spent > bits ? RRIP_EARLY : bits - spent >= 8 ? RRIP_LATE : 0;
}

int rrip_close_scan(const scan *scan, int32_t side)
{
    return scan->row < side / 8 ? 0 : rrip_interval_problem(scan);
}
