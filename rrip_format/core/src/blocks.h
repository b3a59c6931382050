/* blocks.h: DCT blocks during quantisation. Internal.
 *
 * Most coefficients of a residual round to zero, so a plane is stored as its DC values and a list of the AC
 * coefficients that do not. Coefficients are in units of their quantiser step. Rate-distortion optimisation may still
 * set listed ones to zero, where the bits saved are worth more than the squared error.
 */
#ifndef RRIP_BLOCKS_H
#define RRIP_BLOCKS_H

#include "internal.h"

enum {
    LARGEST_AC = 1023, /* of baseline JPEG (T.81 table F.2: ten bits) */
    DC_CHOICES = 3     /* DC levels tried in each block: the two nearest and the next one towards zero */
};

struct blocks {
    int32_t planes, count; /* blocks in a plane */
    float *dc;             /* (planes, count) */
    int32_t *first;        /* (planes, count + 1): index of the first AC coefficient of each block in these arrays: */
    uint8_t *place;        /* position in zigzag order, 1 ... 63, ascending in each block */
    float *value;          /* coefficient; its magnitude is at least one half */
    int16_t *dc_level, *ac_level; /* quantised values of `dc` and `value` */
    int32_t size;          /* number of listed AC coefficients */
};

/* Number of bits of a magnitude below 2^31: its category (T.81 tables F.1 and F.2). */
static inline int32_t bits_of(uint32_t magnitude) { return 31 - __builtin_clz(2 * magnitude + 1); }

static inline uint32_t magnitude_of(int32_t value) { return (uint32_t)(value < 0 ? -value : value); }

#endif
