/* jpeg_encode.c: a baseline JPEG encoder with rate-distortion optimised quantisation (T.81).
 *
 * A level is lowered or set to zero where the bits saved are worth more than the error added. The length of a code
 * depends on how often it occurs, so the choice is repeated, each time with the statistics of the previous one. The
 * Huffman tables are then optimal for the result.
 */
#include "huffman.h"

enum {
    LARGEST_PASSES = 8,
    TABLE_BITS = 8 * 160, /* typical size of the headers of a stream */
    HEADERS = 2048        /* upper bound in bytes: two quantisers, four Huffman tables of 272 bytes, frame, scan */
};

static const float DEAD_ZONE = 0.42f; /* rounding offset of AC levels before the first choice; 0.5 gives the nearest */

/* Largest squared error, in squared steps, that omitting a residual may add to a block: about that of quantisation in a
 * block of tissue, 64 / 12. So details that would be visible in tissue are not lost on glass. */
static const float LARGEST_LOSS = 5.0f;

/* Memory of one call. */
typedef struct {
    struct blocks blocks;
    uint8_t *back;     /* (count, DC_CHOICES): scratch of choose_dc() */
    int16_t *tried;
    float *losses;     /* (count) */
    uint32_t *coded;
    size_t items;
    uint32_t *words;
    uint8_t *stream;
    symbol_counts counts;
    huffman_tables tables;
} encoder;

static size_t items_of(size_t samples) { return samples + 5 * (samples / 64); }

size_t rrip_encode_scratch(int32_t planes, int32_t height, int32_t width)
{
    if (planes < 1 || planes > 3 || height < 1 || width < 1 || height > RRIP_LARGEST_SIDE || width > RRIP_LARGEST_SIDE)
        return 0;
    const size_t samples = (size_t)planes * (size_t)height * (size_t)width, blocks = samples / 64;
    const size_t words = items_of(samples) + 1; /* an item has at most 27 bits */
    return taken(sizeof(encoder)) + taken(4 * blocks) + taken(4 * (blocks + 3)) + taken(samples + 1) +
           taken(4 * (samples + 1)) + taken(2 * blocks) + taken(2 * (samples + 1)) + taken(DC_CHOICES * blocks) +
           taken(2 * DC_CHOICES * blocks) + taken(4 * blocks) +
           taken(4 * items_of(samples)) + taken(4 * words) + taken(HEADERS + 8 * words);
}

static encoder *take_encoder(arena *memory, int32_t planes, int32_t height, int32_t width)
{
    const size_t samples = (size_t)planes * (size_t)height * (size_t)width, blocks = samples / 64;
    const size_t words = items_of(samples) + 1;
    encoder *e = take(memory, sizeof *e);
    if (!e)
        return NULL;
    e->blocks.planes = planes;
    e->blocks.count = height * width / 64;
    e->blocks.size = 0;
    e->blocks.dc = take(memory, 4 * blocks);
    e->blocks.first = take(memory, 4 * (blocks + 3));
    e->blocks.place = take(memory, samples + 1); /* transform() writes one more than it keeps */
    e->blocks.value = take(memory, 4 * (samples + 1));
    e->blocks.dc_level = take(memory, 2 * blocks);
    e->blocks.ac_level = take(memory, 2 * (samples + 1));
    e->back = take(memory, DC_CHOICES * blocks);
    e->tried = take(memory, 2 * DC_CHOICES * blocks);
    e->losses = take(memory, 4 * blocks);
    e->coded = take(memory, 4 * items_of(samples));
    e->words = take(memory, 4 * words);
    e->stream = take(memory, HEADERS + 8 * words);
    return e->stream ? e : NULL;
}

/* floor(x) of a DC coefficient; the limits are those of samples in -128 ... 127. */
static int32_t floor_of(float x)
{
    x = x > -1026.0f ? x : -1026.0f;
    x = x < 1020.0f ? x : 1020.0f;
    int32_t whole = (int32_t)x;
    return whole - ((float)whole > x);
}

/* Quantise by rounding; an `offset` below one half favours smaller AC levels, for fewer bits. */
static void round_levels(struct blocks *blocks, float offset)
{
    const int32_t count = blocks->planes * blocks->count;
    for (int32_t n = 0; n < count; n++)
        blocks->dc_level[n] = (int16_t)floor_of(blocks->dc[n] + 0.5f);
    for (int32_t k = 0; k < blocks->size; k++) {
        float value = blocks->value[k], size = __builtin_fabsf(value);
        int16_t level = size < LARGEST_AC ? (int16_t)(size + offset) : LARGEST_AC;
        blocks->ac_level[k] = value >= 0 ? level : (int16_t)-level;
    }
}

/* Find the cheapest sequence of DC levels of one plane, whose differences are coded (T.81 F.1.1.5.1). */
static void choose_dc(encoder *e, int32_t plane, const float cost[12])
{
    const int32_t count = e->blocks.count;
    const float *dc = e->blocks.dc + (ptrdiff_t)plane * count;
    int16_t *out = e->blocks.dc_level + (ptrdiff_t)plane * count, none[DC_CHOICES] = {0, 0, 0};
    float so_far[DC_CHOICES] = {0, 0, 0}, totals[DC_CHOICES];
    const int16_t *before = none;
    for (int32_t n = 0; n < count; n++) {
        int16_t *tried = e->tried + DC_CHOICES * (ptrdiff_t)n;
        int32_t below = floor_of(dc[n]);
        tried[0] = (int16_t)below;
        tried[1] = (int16_t)(below + 1);
        tried[2] = (int16_t)(below >= 1 ? below - 1 : below < -1 ? below + 2 : 0);
        for (int a = 0; a < DC_CHOICES; a++) {
            const float error = dc[n] - (float)tried[a];
            float least = 1e30f;
            e->back[DC_CHOICES * (ptrdiff_t)n + a] = 0; /* samples out of their range can make all totals too large */
            for (int b = 0; b < DC_CHOICES; b++) {
                float total = so_far[b] + cost[bits_of(magnitude_of(tried[a] - before[b]))];
                if (total < least) {
                    least = total;
                    e->back[DC_CHOICES * (ptrdiff_t)n + a] = (uint8_t)b;
                }
            }
            totals[a] = least + error * error;
        }
        memcpy(so_far, totals, sizeof so_far);
        before = tried;
    }
    int a = 0;
    for (int b = 1; b < DC_CHOICES; b++)
        if (so_far[b] < so_far[a])
            a = b;
    for (int32_t n = count - 1; n >= 0; n--) {
        out[n] = e->tried[DC_CHOICES * (ptrdiff_t)n + a];
        a = e->back[DC_CHOICES * (ptrdiff_t)n + a];
    }
}

/* Choose the levels of planes by the lengths of codes that occur as often as `counts` says. */
static void choose(const rrip_core *core, encoder *e, int32_t first_plane, int32_t stop,
                   const rrip_quantiser *quantiser, uint32_t counts[2][256])
{
    float dc_bits[256], ac_bits[256], dc_cost[12], ac_cost[11][64], cheapest[11];
    const float rate = quantiser->rate;
    rrip_symbol_costs(counts[0], dc_bits);
    rrip_symbol_costs(counts[1], ac_bits);
    for (int size = 0; size < 12; size++)
        dc_cost[size] = (float)((double)rate * ((double)dc_bits[size] + size));
    for (int size = 0; size < 11; size++) {
        for (int run = 0; run < 63; run++) {
            double bits = (double)ac_bits[(run & 15) << 4 | size] + (run >> 4) * (double)ac_bits[0xF0] + size;
            ac_cost[size][run] = (float)((double)rate * bits);
            if (run == 0 || ac_cost[size][run] < cheapest[size])
                cheapest[size] = ac_cost[size][run];
        }
        ac_cost[size][63] = 0;
    }
    for (int32_t c = first_plane; c < stop; c++) {
        core->choose_ac(&e->blocks, c, (const float(*)[64])ac_cost, cheapest, rate * ac_bits[0]);
        choose_dc(e, c, dc_cost);
    }
}

/* Compute by how much the squared error of each block of the first plane grows if all its levels become zero; stop
 * with 0 at a block that loses LARGEST_LOSS or more, which tissue soon has. */
static int find_losses(encoder *e)
{
    const struct blocks *blocks = &e->blocks;
    for (int32_t n = 0; n < blocks->count; n++) {
        float dc = blocks->dc[n], error = dc - (float)blocks->dc_level[n];
        float total = dc * dc - error * error;
        for (int32_t k = blocks->first[n]; k < blocks->first[n + 1]; k++) {
            const float value = blocks->value[k];
            error = value - (float)blocks->ac_level[k];
            total += value * value - error * error;
        }
        e->losses[n] = total;
        if (total >= LARGEST_LOSS)
            return 0;
    }
    return 1;
}

/* Pairwise sum as in NumPy: the rounding error grows only with the logarithm of `count`. */
static float pairwise_sum(const float *a, int32_t count)
{
    if (count < 8) {
        float sum = -0.0f;
        for (int32_t k = 0; k < count; k++)
            sum += a[k];
        return sum;
    }
    if (count <= 128) {
        float r[8];
        int32_t k = 8;
        memcpy(r, a, sizeof r);
        for (; k < count - count % 8; k += 8)
            for (int j = 0; j < 8; j++)
                r[j] += a[k + j];
        float sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
        for (; k < count; k++)
            sum += a[k];
        return sum;
    }
    int32_t half = count / 2;
    half -= half % 8;
    return pairwise_sum(a, half) + pairwise_sum(a + half, count - half);
}

/* Whether the bits of a stream are worth more than the error of omitting it. */
static int is_dear(encoder *e, const rrip_quantiser *quantiser)
{
    return find_losses(e) && (double)pairwise_sum(e->losses, e->blocks.count) <
                                         (double)quantiser->rate * (double)(e->tables.bits + TABLE_BITS);
}

static uint8_t *begin_segment(uint8_t *to, uint8_t marker, size_t body)
{
    to[0] = 0xFF;
    to[1] = marker;
    to[2] = (uint8_t)((body + 2) >> 8);
    to[3] = (uint8_t)(body + 2);
    return to + 4;
}

/* Write tables, frame and scan (T.81 B.2). Without an application marker, libjpeg takes components 1, 2, 3 for
 * YCbCr. */
static size_t write_stream(encoder *e, int32_t height, int32_t width, const rrip_quantiser *quantisers)
{
    const int32_t planes = e->blocks.planes, tables = planes == 1 ? 1 : 2;
    uint8_t *to = e->stream, *length;
    *to++ = 0xFF;
    *to++ = 0xD8;
    to = begin_segment(to, 0xDB, 65 * (size_t)tables);
    for (int32_t k = 0; k < tables; k++) {
        *to++ = (uint8_t)k;
        memcpy(to, quantisers[k].steps, 64);
        to += 64;
    }
    to = begin_segment(to, 0xC0, 6 + 3 * (size_t)planes);
    const uint8_t frame[6] = {8, (uint8_t)(height >> 8), (uint8_t)height, (uint8_t)(width >> 8), (uint8_t)width,
                              (uint8_t)planes};
    memcpy(to, frame, sizeof frame);
    to += sizeof frame;
    for (int32_t c = 0; c < planes; c++) {
        *to++ = (uint8_t)(c + 1);
        *to++ = 0x11;
        *to++ = c > 0;
    }
    length = to;
    to += 4;
    for (int32_t k = 0; k < tables; k++) {
        for (int kind = 0; kind < 2; kind++) {
            const uint8_t *lengths = e->tables.lengths[k][kind];
            size_t symbols = 0;
            for (int n = 0; n < 16; n++)
                symbols += lengths[n];
            *to++ = (uint8_t)(kind << 4 | k);
            memcpy(to, lengths, 16);
            memcpy(to + 16, e->tables.symbols[k][kind], symbols);
            to += 16 + symbols;
        }
    }
    begin_segment(length, 0xC4, (size_t)(to - length - 4));
    to = begin_segment(to, 0xDA, 4 + 2 * (size_t)planes);
    *to++ = (uint8_t)planes;
    for (int32_t c = 0; c < planes; c++) {
        *to++ = (uint8_t)(c + 1);
        *to++ = c > 0 ? 0x11 : 0;
    }
    *to++ = 0;
    *to++ = 63;
    *to++ = 0;
    to += rrip_write_scan(e->coded, e->items, &e->tables, e->words, to);
    *to++ = 0xFF;
    *to++ = 0xD9;
    return (size_t)(to - e->stream);
}

/* Whether every level is zero: then there are only DC differences of zero and ends of blocks. */
static int is_blank(const encoder *e)
{
    uint32_t zeros = 0;
    for (int k = 0; k < 2; k++)
        zeros += e->counts.of[k][0][0] + e->counts.of[k][1][0];
    return zeros == e->items;
}

static void decode_planes(const rrip_core *core, encoder *e, int32_t height, int32_t width,
                          const rrip_quantiser *quantisers, uint8_t *decoded)
{
    for (int32_t c = 0; c < e->blocks.planes; c++) {
        int16_t steps[64];
        for (int k = 0; k < 64; k++)
            steps[k] = quantisers[c > 0].steps[k];
        core->decode_levels(&e->blocks, c, height, width, steps,
                            decoded + (size_t)c * (size_t)height * (size_t)width);
    }
}

int rrip_encode(const rrip_core *core, const float *samples, int32_t planes, int32_t height, int32_t width,
                const rrip_quantiser *quantisers, int32_t passes, int32_t optional, uint8_t *decoded, void *scratch,
                size_t scratch_size, const uint8_t **stream, size_t *size)
{
    if (!core || !samples || !quantisers || !stream || !size || (planes != 1 && planes != 3) || height < 8 ||
        width < 8 || height > RRIP_LARGEST_SIDE || width > RRIP_LARGEST_SIDE || height % 8 || width % 8 ||
        passes < 0 || passes > LARGEST_PASSES)
        return RRIP_E_ARGUMENT;
    const int32_t tables = planes == 1 ? 1 : 2;
    int has_rate = 0;
    for (int32_t k = 0; k < tables; k++) {
        for (int n = 0; n < 64; n++)
            if (quantisers[k].steps[n] == 0)
                return RRIP_E_ARGUMENT;
        if (!(quantisers[k].rate >= 0) || quantisers[k].rate > 1e6f)
            return RRIP_E_ARGUMENT;
        has_rate |= quantisers[k].rate > 0;
    }
    arena memory = arena_of(scratch, scratch_size);
    encoder *e = take_encoder(&memory, planes, height, width);
    if (!e)
        return RRIP_E_SCRATCH;
    for (int32_t c = 0; c < planes; c++) {
        float scale[64];
        for (int k = 0; k < 64; k++)
            scale[k] = 1.0f / (float)quantisers[c > 0].steps[k];
        core->transform(samples + (size_t)c * (size_t)height * (size_t)width, height, width, scale, &e->blocks, c);
    }
    round_levels(&e->blocks, has_rate ? DEAD_ZONE : 0.5f);
    e->items = rrip_list_symbols(&e->blocks, e->coded, &e->counts);
    for (int32_t pass = 0; pass < (has_rate ? passes : 0); pass++) {
        for (int32_t k = 0; k < tables; k++)
            if (quantisers[k].rate > 0)
                choose(core, e, k, k == 0 ? 1 : planes, &quantisers[k], e->counts.of[k]);
        e->items = rrip_list_symbols(&e->blocks, e->coded, &e->counts);
    }
    *stream = e->stream;
    *size = 0;
    if (planes == 1 && is_blank(e))
        return 0;
    rrip_make_tables(&e->counts, tables, &e->tables);
    if (planes == 1 && optional && quantisers[0].rate > 0 && is_dear(e, &quantisers[0]))
        return 0;
    if (decoded)
        decode_planes(core, e, height, width, quantisers, decoded);
    *size = write_stream(e, height, width, quantisers);
    return 0;
}
