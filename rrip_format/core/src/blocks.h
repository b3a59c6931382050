/* blocks.h: quantised DCT blocks on their way to a stream. Internal.
 *
 * Most coefficients of a residual round to zero, so a plane is kept as its DC values and a list of the AC coefficients
 * that do not: all later work is on that list. Coefficients are in units of their quantiser step. Those in the list may
 * still become zero: the choice weighs the squared error that it makes against the bits that it saves.
 */
#ifndef RRIP_BLOCKS_H
#define RRIP_BLOCKS_H

#include "internal.h"

enum {
    LARGEST_AC = 1023, /* of baseline JPEG (T.81 table F.2: ten bits) */
    DC_CHOICES = 3     /* DC levels that are tried in each block: the two nearest and the next one towards zero */
};

struct blocks {
    int32_t planes, count; /* blocks in a plane */
    float *dc;             /* (planes, count) */
    int32_t *first;        /* (planes, count + 1): where the AC coefficients of each block begin in what follows */
    uint8_t *place;        /* position in zigzag order, 1 ... 63, ascending in each block */
    float *value;          /* of those whose magnitude is at least one half */
    int16_t *dc_level, *ac_level; /* what they are quantised to */
    int32_t size;          /* of the list */
};

/* Number of bits of a magnitude below 2^31: its category (T.81 tables F.1 and F.2). */
static inline int32_t bits_of(uint32_t magnitude) { return 31 - __builtin_clz(2 * magnitude + 1); }

static inline uint32_t magnitude_of(int32_t value) { return (uint32_t)(value < 0 ? -value : value); }

#endif
