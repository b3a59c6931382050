/* jpeg_check.c: a fast check whether a JPEG tile of a source is undamaged.
 *
 * libjpeg fills in damaged parts and warns, but fast decoders do not pass the warning on. So the codes of the scan are
 * parsed strictly here, without computing coefficients. A JPEG that is not an ordinary baseline one is not judged: a
 * slower decoder has to check it.
 */
#include "internal.h"

enum {
    SHORT = 10,        /* bits of an index into a lookup table */
    STEP_END = 64,     /* steps of an end of block: beyond the last position */
    LARGEST_UNITS = 10 /* blocks in a minimum coded unit (T.81 B.2.3) */
};

/* One Huffman table: an entry for each code of up to SHORT bits, which is the number of bits of the code and its
 * amplitude plus 32 times the steps to the next position; and what is needed to look up longer codes. */
typedef struct {
    uint16_t entry[1 << SHORT];
    int32_t above[17], offset[17];
    const uint8_t *symbols;
    int32_t count;
    int is_dc;
} lookup;

typedef struct {
    const uint8_t *codes[2][16]; /* segment of each class and number: 16 counts, then symbols */
    size_t codes_size[2][16];
    int32_t interval, height, width;
    int32_t frame_count, scan_count;
    uint8_t id[4], h[4], v[4], scan_id[4], dc[4], ac[4];
} header;

static size_t two_bytes(const uint8_t *at) { return (size_t)at[0] << 8 | at[1]; }

static int read_tables(const uint8_t *body, size_t size, header *out)
{
    while (size) {
        if (size < 17 || body[0] >> 4 > 1)
            return 0;
        size_t total = 17;
        for (int k = 1; k <= 16; k++)
            total += body[k];
        if (total > size)
            return 0;
        out->codes[body[0] >> 4][body[0] & 15] = body + 1;
        out->codes_size[body[0] >> 4][body[0] & 15] = total - 17;
        body += total;
        size -= total;
    }
    return 1;
}

static int read_frame(const uint8_t *body, size_t size, header *out)
{
    if (size < 6 || body[0] != 8 || body[5] < 1 || body[5] > 4 || size < 6 + 3 * (size_t)body[5])
        return 0;
    out->height = (int32_t)two_bytes(body + 1);
    out->width = (int32_t)two_bytes(body + 3);
    out->frame_count = body[5];
    for (int k = 0; k < body[5]; k++) {
        out->id[k] = body[6 + 3 * k];
        out->h[k] = body[7 + 3 * k] >> 4;
        out->v[k] = body[7 + 3 * k] & 15;
        for (int n = 0; n < k; n++)
            if (out->id[n] == out->id[k])
                return 0;
    }
    return 1;
}

static int read_scan_header(const uint8_t *body, size_t size, header *out)
{
    if (size < 1 || body[0] < 1 || body[0] > 4 || size != 4 + 2 * (size_t)body[0])
        return 0;
    out->scan_count = body[0];
    for (int k = 0; k < body[0]; k++) {
        out->scan_id[k] = body[1 + 2 * k];
        out->dc[k] = body[2 + 2 * k] >> 4;
        out->ac[k] = body[2 + 2 * k] & 15;
    }
    const uint8_t *spectrum = body + 1 + 2 * body[0];
    return spectrum[0] == 0 && spectrum[1] == 63 && spectrum[2] == 0;
}

/* Read the segments up to the scan and return the offset of its data; of tables alone (`is_whole` false), up to their
 * end. 0 if a segment is unusual. */
static size_t read_segments(const uint8_t *data, size_t size, int is_whole, header *out)
{
    if (size < 4 || data[0] != 0xFF || data[1] != 0xD8)
        return 0;
    for (size_t at = 2; size - at >= 2 && data[at] == 0xFF;) {
        const uint8_t marker = data[at + 1];
        if (marker == 0xD9)
            return is_whole ? 0 : at + 2;
        if (size - at < 4)
            return 0;
        const size_t length = two_bytes(data + at + 2);
        if (length < 2 || size - at - 2 < length)
            return 0;
        const uint8_t *body = data + at + 4;
        const size_t body_size = length - 2;
        if (marker == 0xC4) {
            if (!read_tables(body, body_size, out))
                return 0;
        } else if (marker == 0xC0) {
            if (!read_frame(body, body_size, out))
                return 0;
        } else if (marker == 0xDD) {
            if (body_size != 2)
                return 0;
            out->interval = (int32_t)two_bytes(body);
        } else if (marker == 0xDA) {
            return read_scan_header(body, body_size, out) ? at + 2 + length : 0;
        } else if (marker == 0xE0 && body_size >= 5 && memcmp(body, "JFIF", 5) == 0) {
            if (body_size < 6 || body[5] != 1) /* libjpeg warns of other versions */
                return 0;
        } else if (marker != 0xDB && marker != 0xFE && (marker < 0xE0 || marker > 0xEF)) {
            return 0;
        }
        at += 2 + length;
    }
    return 0;
}

/* Size of the amplitude of a symbol plus 32 times its steps; 0 if baseline JPEG has no such symbol. */
static uint32_t meaning(uint8_t symbol, int is_dc)
{
    const uint32_t run = symbol >> 4, size = symbol & 15;
    if (is_dc)
        return symbol <= 11 ? symbol | 1u << 15 : 0; /* bit 15 is set so that no valid symbol gives 0 */
    if (size == 0)
        return run == 0 ? STEP_END << 5 | 1u << 15 : run == 15 ? 16 << 5 | 1u << 15 : 0;
    return size <= 10 ? size | (run + 1) << 5 | 1u << 15 : 0;
}

static int make_lookup(const uint8_t *codes, size_t symbols, int is_dc, lookup *out)
{
    int32_t code = 0, k = 0;
    memset(out->entry, 0, sizeof out->entry);
    out->symbols = codes + 16;
    out->count = (int32_t)symbols;
    out->is_dc = is_dc;
    for (int length = 1; length <= 16; length++) {
        out->offset[length] = k - code;
        for (int n = 0; n < codes[length - 1]; n++, code++, k++) {
            if (code >= 1 << length)
                return 0;
            const uint32_t is = meaning(codes[16 + k], is_dc);
            if (length > SHORT || !is)
                continue;
            const uint16_t entry = (uint16_t)((is & 0x7FFF) + (uint32_t)length);
            for (int32_t at = code << (SHORT - length); at < (code + 1) << (SHORT - length); at++)
                out->entry[at] = entry;
        }
        out->above[length] = code;
        code <<= 1;
    }
    return 1;
}

/* Return the entry of a code that is too long for the table; 0 if it is invalid. */
static uint32_t look_longer(const lookup *table, uint64_t bits)
{
    for (int length = 1; length <= 16; length++) {
        const int32_t code = (int32_t)(bits >> (64 - length)), index = code + table->offset[length];
        if (code < table->above[length]) {
            const uint32_t is = index < table->count ? meaning(table->symbols[index], table->is_dc) : 0;
            return is ? (is & 0x7FFF) + (uint32_t)length : 0;
        }
    }
    return 0;
}

/* Reader of the bits of the scan; after its end it supplies zeros, and counts them. */
typedef struct {
    const uint8_t *data;
    size_t at, size;
    uint64_t bits;
    int32_t have, invented;
} reader;

/* Refill to at least 32 bits: four bytes at once, or byte by byte if one of them is 0xFF. */
static inline void refill(reader *r)
{
    if (r->size - r->at >= 4) {
        const uint8_t *p = r->data + r->at;
        const uint32_t four = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3], zeros = ~four;
        if (!((zeros - 0x01010101u) & four & 0x80808080u)) {
            r->bits |= (uint64_t)four << (32 - r->have);
            r->at += 4;
            r->have += 32;
            return;
        }
    }
    while (r->have < 32) {
        uint64_t byte = 0;
        if (r->at < r->size && r->data[r->at] != 0xFF) {
            byte = r->data[r->at++];
        } else if (r->size - r->at >= 2 && r->data[r->at + 1] == 0) {
            byte = 0xFF;
            r->at += 2;
        } else {
            r->invented += 8;
        }
        r->bits |= byte << (56 - r->have);
        r->have += 8;
    }
}

/* Whether the codes of a block are valid. */
static inline int read_block(reader *r, const lookup *dc, const lookup *ac)
{
    const lookup *table = dc;
    for (int32_t k = 0;;) {
        if (r->have < 32)
            refill(r);
        uint32_t entry = table->entry[r->bits >> (64 - SHORT)];
        if (!entry) {
            entry = look_longer(table, r->bits);
            if (!entry)
                return 0;
        }
        r->bits <<= entry & 31;
        r->have -= (int32_t)(entry & 31);
        if (table == dc) {
            table = ac;
            continue;
        }
        k += (int32_t)(entry >> 5);
        if (k >= 63)
            return (k == 63 || entry >> 5 == STEP_END) && r->have >= r->invented;
    }
}

/* Whether less than a byte is left, and none of the supplied zeros was used. */
static int is_used_up(const reader *r) { return r->have >= r->invented && r->have - r->invented < 8; }

int rrip_is_sound_jpeg(const rrip_core *core, const uint8_t *data, size_t size, const uint8_t *tables,
                       size_t tables_size, int32_t height, int32_t width)
{
    if (!core || !data || (tables_size && !tables))
        return 0;
    header header;
    memset(&header, 0, sizeof header);
    if (tables_size && !read_segments(tables, tables_size, 0, &header))
        return 0;
    const size_t start = read_segments(data, size, 1, &header);
    if (!start || header.height != height || header.width != width || header.scan_count != header.frame_count)
        return 0;
    lookup lookups[2][4];
    int32_t across = 1, down = 1, units = 0, component[LARGEST_UNITS];
    for (int32_t k = 0; k < header.scan_count; k++) {
        int32_t n = 0;
        while (n < header.frame_count && header.id[n] != header.scan_id[k])
            n++;
        for (int32_t other = 0; other < k; other++)
            if (header.scan_id[other] == header.scan_id[k])
                return 0;
        if (n == header.frame_count)
            return 0;
        const int32_t h = header.scan_count == 1 ? 1 : header.h[n], v = header.scan_count == 1 ? 1 : header.v[n];
        if (h < 1 || h > 4 || v < 1 || v > 4 || units + h * v > LARGEST_UNITS)
            return 0;
        across = most32(across, h);
        down = most32(down, v);
        for (int32_t block = 0; block < h * v; block++)
            component[units++] = k;
        const uint8_t *dc = header.codes[0][header.dc[k]], *ac = header.codes[1][header.ac[k]];
        if (!dc || !ac || !make_lookup(dc, header.codes_size[0][header.dc[k]], 1, &lookups[0][k]) ||
            !make_lookup(ac, header.codes_size[1][header.ac[k]], 0, &lookups[1][k]))
            return 0;
    }
    const int64_t rows = (height + 8 * down - 1) / (8 * down), columns = (width + 8 * across - 1) / (8 * across);
    reader r = {data, start, size, 0, 0, 0};
    int32_t until = header.interval, restart = 0;
    for (int64_t unit = 0; unit < rows * columns; unit++) {
        if (header.interval && until == 0) {
            if (!is_used_up(&r) || r.size - r.at < 2 || data[r.at] != 0xFF || data[r.at + 1] != 0xD0 + restart)
                return 0;
            restart = (restart + 1) & 7;
            until = header.interval;
            r = (reader){data, r.at + 2, size, 0, 0, 0};
        }
        until--;
        for (int32_t n = 0; n < units; n++)
            if (!read_block(&r, &lookups[0][component[n]], &lookups[1][component[n]]))
                return 0;
    }
    if (!is_used_up(&r) || r.size - r.at < 2 || data[r.at] != 0xFF || data[r.at + 1] != 0xD9)
        return 0;
    for (size_t at = r.at + 2; at < size; at++)
        if (data[at])
            return 0;
    return 1;
}
