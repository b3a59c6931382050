/* stored_tile.c: take stored tiles apart (spec section 6.2). */
#include "internal.h"

static uint32_t number_at(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

int rrip_split_tile(const rrip_core *core, const rrip_coding *coding, uint32_t level, uint32_t row, uint32_t col,
                    const uint8_t *data, size_t size, stream streams[3])
{
    const uint8_t count = level < 2 ? (uint8_t)coding->residuals[level].planes : 1;
    if (size < RRIP_TRAILER)
        return RRIP_TILE_SHORT;
    const uint8_t *trailer = data + size - RRIP_TRAILER;
    if (core->crc32c(0, data, size - 4) != number_at(trailer + 32))
        return RRIP_TILE_CHECKSUM;
    if (number_at(trailer + 12) != row || number_at(trailer + 16) != col || trailer[20] != level ||
        memcmp(trailer + 24, coding->slide, 8) != 0)
        return RRIP_TILE_PLACE;
    uint64_t at = 0;
    for (int k = 0; k < 3; k++) {
        const uint32_t length = number_at(trailer + 4 * k);
        if (length && k >= count)
            return RRIP_TILE_TRAILER;
        streams[k].data = data + at; /* used only if the sum of lengths is right */
        streams[k].size = length;
        at += length;
        if (at > size - RRIP_TRAILER)
            return RRIP_TILE_TRAILER;
    }
    if (trailer[21] != count || trailer[22] || trailer[23] || at != size - RRIP_TRAILER)
        return RRIP_TILE_TRAILER;
    return level >= 2 && streams[0].size == 0 ? RRIP_TILE_EMPTY : 0;
}
