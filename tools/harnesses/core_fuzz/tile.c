/* tile.c: up to three stored tiles. Their trailers are made here, so that what stands behind the checks is reached.
 *
 * Input: level; how many planes, which kind of target and whether luma is filtered; four bytes of window; two of gaps in the target; three of damage
 * to a trailer; then seven lengths of two bytes, and the streams: one of level 2 or coarser, three of level 1, three of
 * level 0. All variants must agree in code, fault and what is in the target, and nothing outside the window is written.
 */
#include "fuzz.h"

enum { T = 64, ROW = 3, COL = 5 };
static const uint8_t slide[8] = {1, 2, 3, 4, 5, 6, 7, 8};

static void put(uint8_t *at, uint32_t number)
{
    for (int k = 0; k < 4; k++)
        at[k] = (uint8_t)(number >> 8 * k);
}

/* A stored tile; `damage` are place, bits to change, and whether the checksum comes afterwards. */
static input make_tile(const input *streams, int count, uint32_t level, const uint8_t damage[3])
{
    size_t size = RRIP_TRAILER;
    for (int k = 0; k < count; k++)
        size += streams[k].size;
    uint8_t *made = block(size, 0), *at = made;
    for (int k = 0; k < count; k++) {
        if (streams[k].size)
            memcpy(at, streams[k].data, streams[k].size);
        put(made + size - RRIP_TRAILER + 4 * k, (uint32_t)streams[k].size);
        at += streams[k].size;
    }
    put(at + 12, ROW);
    put(at + 16, COL);
    at[20] = (uint8_t)level;
    at[21] = (uint8_t)count;
    memcpy(at + 24, slide, 8);
    if (damage[2] & 1)
        at[damage[0] % 32] ^= damage[1];
    put(at + 32, rrip_crc32c(rrip_core_best(), 0, made, size - 4));
    if (damage[2] & 2)
        at[damage[0] % RRIP_TRAILER] ^= damage[1];
    if (damage[2] & 4) { /* cut off */
        size = damage[1] < size ? damage[1] : size;
        uint8_t *part = copy_of((input){made, size});
        free(made);
        made = part;
    }
    return (input){made, size};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const rrip_residual how = {{-2, 58, 9, -1}, {1, 20, 40, 3}, {-100, 127}, 1};
    input in = {data, size};
    const uint32_t level = next_byte(&in) & 3;
    const uint8_t kind = next_byte(&in);
    rrip_coding coding = {{0}, T, {how, how}, {0, 0, 0, 0}};
    if (kind & 16) { /* a filter of luma */
        static const int16_t weights[4] = {63, -63, 9, -19};
        memcpy(coding.filter, weights, sizeof weights);
    }
    memcpy(coding.slide, slide, 8);
    coding.residuals[0].planes = kind & 1 ? 3 : 1;
    coding.residuals[1].planes = kind & 2 ? 3 : 1;
    const int32_t side = level > 2 ? 4 * T : T << (2 - level);
    int32_t edge[4]; /* of the window */
    for (int k = 0; k < 4; k++)
        edge[k] = next_byte(&in) * side / 256;
    const rrip_window window = {edge[0], edge[0] + 1 + edge[1] * (side - edge[0] - 1) / side, edge[2],
                                edge[2] + 1 + edge[3] * (side - edge[2] - 1) / side};
    const uint64_t rows = (uint64_t)(window.bottom - window.top), columns = (uint64_t)(window.right - window.left);
    rrip_target to = {NULL, 0, next_byte(&in), 1, 0, (uint64_t[]){1, 3, 4, 1}[kind >> 2 & 3]};
    to.row_stride = columns * to.pixel_stride + next_byte(&in);
    to.plane_stride = to.pixel_stride == 1 ? rows * to.row_stride : 1;
    const uint64_t channels = to.pixel_stride == 4 ? 4 : 3;
    to.size = to.start + (channels - 1) * to.plane_stride + (rows - 1) * to.row_stride +
              (columns - 1) * to.pixel_stride + 1;
    uint8_t damage[3];
    for (int k = 0; k < 3; k++)
        damage[k] = next_byte(&in);
    size_t lengths[7];
    for (int k = 0; k < 7; k++)
        lengths[k] = next_two(&in);
    input streams[7], made[3];
    for (int k = 0; k < 7; k++)
        streams[k] = next_part(&in, lengths[k]);
    const uint8_t sound[3] = {0, 0, 0};
    const int count = level < 2 ? 3 - (int)level : 1;
    const uint8_t *tiles[3] = {NULL, NULL, NULL};
    size_t sizes[3] = {0, 0, 0}, longest = 0;
    for (int k = 0; k < count; k++) {
        made[k] = make_tile(streams + (k ? 3 * k - 2 : 0), k ? coding.residuals[2 - k].planes : 1,
                            level < 2 ? (uint32_t)(2 - k) : level, k == (damage[2] >> 4) % count ? damage : sound);
        tiles[k] = made[k].data;
        sizes[k] = made[k].size;
        longest = sizes[k] > longest ? sizes[k] : longest;
    }
    const size_t room = rrip_decode_scratch(T, longest);
    uint8_t *first = NULL;
    rrip_fault expected = {0, 0, 0, 0, {0, 0, 0, 0}};
    const rrip_core *core;
    for (size_t n = 0; (core = one_of_two(n, size)); n++) {
        uint8_t *scratch = block(room, n % 2 ? 0xFF : 0x5A);
        rrip_fault fault;
        to.data = block(to.size, 0xA5);
        int code = rrip_decode_tile(core, &coding, level, ROW, COL, tiles, sizes, &window, &to, scratch, room, &fault);
        CHECK(code >= 0 && code == fault.code);
        free(scratch);
        if (first) {
            CHECK(memcmp(&fault, &expected, sizeof fault) == 0);
            CHECK(code || memcmp(first, to.data, to.size) == 0);
            free(to.data);
        } else {
            first = to.data;
            expected = fault;
        }
    }
    for (uint64_t y = 0; y < rows; y++) /* forget what may be written; the rest must be as it was */
        for (uint64_t x = 0; x < columns; x++)
            for (uint64_t c = 0; c < channels; c++)
                first[to.start + c * to.plane_stride + y * to.row_stride + x * to.pixel_stride] = 0xA5;
    for (uint64_t k = 0; k < to.size; k++)
        CHECK(first[k] == 0xA5);
    for (int k = 0; k < count; k++)
        free((void *)(uintptr_t)tiles[k]);
    free(first);
    return 0;
}
