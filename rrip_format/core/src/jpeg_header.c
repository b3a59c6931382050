/* jpeg_header.c: read and check the header of a stream of a tile (spec section 6.1).
 *
 * It is checked before anything is decoded, so that a stream cannot be larger than its tile.
 */
#include "internal.h"

enum { SOF0 = 0xC0, DHT = 0xC4, SOS = 0xDA, DQT = 0xDB, DRI = 0xDD, COM = 0xFE };

/* Contents of a segment behind its length. */
typedef struct {
    const uint8_t *data;
    size_t size;
} body;

static int64_t two(const uint8_t *data) { return (int64_t)data[0] << 8 | data[1]; }

/* Read SOF0: 8 bits, the size of the tile, no subsampling; store each component's identifier and quantiser. */
static int read_frame(uint8_t marker, body in, int32_t side, int32_t planes, jpeg_header *out, int64_t numbers[4])
{
    if (marker != SOF0 || in.size < 6 || in.data[0] != 8)
        return RRIP_NOT_BASELINE;
    numbers[0] = two(in.data + 1);
    numbers[1] = two(in.data + 3);
    numbers[2] = in.data[5];
    if (numbers[0] != side || numbers[1] != side || numbers[2] != planes)
        return RRIP_SIZE;
    if (in.size != 6 + 3 * (size_t)planes)
        return RRIP_SUBSAMPLED;
    for (int32_t c = 0; c < planes; c++) {
        const uint8_t *component = in.data + 6 + 3 * c;
        if (component[1] != 0x11)
            return RRIP_SUBSAMPLED;
        out->chosen[c][0] = component[0];
        out->chosen[c][1] = component[2];
    }
    return 0;
}

static int read_quantisers(body in, jpeg_header *out)
{
    for (size_t at = 0; at < in.size; at += 65) {
        uint8_t number = in.data[at];
        if (number > 3 || in.size - at < 65)
            return RRIP_QUANTISER;
        for (size_t k = 0; k < 64; k++) {
            out->steps[number][k] = in.data[at + 1 + k];
            if (out->steps[number][k] == 0)
                return RRIP_QUANTISER;
        }
    }
    return 0;
}

static int read_codes(body in, jpeg_header *out)
{
    for (size_t at = 0; at < in.size;) {
        uint8_t kind = in.data[at] >> 4, number = in.data[at] & 15;
        if (kind > 1 || number > 1 || in.size - at < 17)
            return RRIP_HUFFMAN;
        size_t total = 0;
        for (int length = 1; length <= 16; length++)
            total += in.data[at + (size_t)length];
        if (total > 256 || in.size - at < 17 + total)
            return RRIP_HUFFMAN;
        memcpy(out->codes[2 * kind + number], in.data + at + 1, 16 + total);
        at += 17 + total;
    }
    return 0;
}

/* Read SOS: all components in the order of the frame, the whole spectrum; store the tables of each component. */
static int read_scan_header(body in, int32_t planes, jpeg_header *out)
{
    if (in.size != 4 + 2 * (size_t)planes || in.data[0] != planes)
        return RRIP_SCAN_HEADER;
    for (int32_t c = 0; c < planes; c++) {
        if (in.data[1 + 2 * c] != out->chosen[c][0])
            return RRIP_SCAN_HEADER;
        out->chosen[c][2] = in.data[2 + 2 * c] >> 4;
        out->chosen[c][3] = in.data[2 + 2 * c] & 15;
    }
    const uint8_t *spectrum = in.data + 1 + 2 * planes;
    return spectrum[0] != 0 || spectrum[1] != 63 || spectrum[2] != 0 ? RRIP_SCAN_HEADER : 0;
}

static int has_codes(const uint8_t codes[16 + 256])
{
    int total = 0;
    for (int length = 0; length < 16; length++)
        total += codes[length];
    return total > 0;
}

/* Check that the stream has the tables of every component. */
static int check_tables(int32_t planes, const jpeg_header *header, int64_t numbers[4])
{
    for (int32_t c = 0; c < planes; c++) {
        const uint8_t *chosen = header->chosen[c];
        numbers[1] = c + 1;
        for (int k = 1; k < 4; k++) {
            numbers[0] = chosen[k];
            if (chosen[k] > (k == 1 ? 3 : 1))
                return RRIP_NO_TABLE;
        }
        numbers[0] = chosen[1];
        if (header->steps[chosen[1]][0] == 0)
            return RRIP_NO_TABLE;
        for (int k = 0; k < 2; k++) {
            numbers[0] = chosen[2 + k];
            if (!has_codes(header->codes[2 * k + chosen[2 + k]]))
                return RRIP_NO_TABLE;
        }
    }
    return 0;
}

/* Whether a marker of a segment may precede the scan: frames, tables, APPn and COM. (TEM and RST have no length.) */
static int may_precede_scan(uint8_t marker)
{
    return (marker >= SOF0 && marker <= 0xCF) || marker == SOS || marker == DQT || marker == DRI ||
           (marker >= 0xE0 && marker <= 0xEF) || marker == COM;
}

int rrip_read_header(const uint8_t *data, size_t size, int32_t side, int32_t planes, jpeg_header *header,
                     int64_t numbers[4])
{
    if (size < 4 || data[0] != 0xFF || data[1] != 0xD8 || data[size - 2] != 0xFF || data[size - 1] != 0xD9)
        return RRIP_NOT_A_STREAM;
    memset(header, 0, sizeof *header);
    int is_framed = 0;
    for (size_t at = 2;;) {
        numbers[0] = (int64_t)at;
        if (size - at < 4 || data[at] != 0xFF)
            return RRIP_HEADER;
        uint8_t marker = data[at + 1];
        if (marker == 0xFF) { /* a fill byte */
            at++;
            continue;
        }
        if (!may_precede_scan(marker))
            return RRIP_MARKER;
        size_t length = (size_t)two(data + at + 2);
        if (length < 2 || size - at - 2 < length)
            return RRIP_SEGMENT_LENGTH;
        body in = {data + at + 4, length - 2};
        int problem = 0;
        if (marker == DHT) {
            problem = read_codes(in, header);
        } else if (marker == DQT) {
            problem = read_quantisers(in, header);
        } else if (marker == DRI) {
            if (in.size != 2)
                return RRIP_RESTART;
            header->interval = (int32_t)two(in.data);
        } else if (marker >= SOF0 && marker <= 0xCF) { /* also JPG and DAC, which no baseline stream has */
            if (is_framed)
                return RRIP_TWO_FRAMES;
            is_framed = 1;
            problem = read_frame(marker, in, side, planes, header, numbers);
        } else if (marker == SOS) {
            if (!is_framed)
                return RRIP_NO_FRAME;
            problem = read_scan_header(in, planes, header);
            header->scan = at + 2 + length;
            return problem ? problem : check_tables(planes, header, numbers);
        }
        if (problem)
            return problem;
        at += 2 + length;
    }
}
