/* simd_plain.h: the vector operations in portable C, which defines them for all variants.
 *
 * v16 is LANES signed 16-bit numbers, v32 as many of 32 bits. Arithmetic wraps around unless stated otherwise.
 */
enum { LANES = 8 };

typedef struct {
    int16_t lane[LANES];
} v16;

typedef struct {
    int32_t lane[LANES];
} v32;

#define EACH(expression)             \
    v16 out;                         \
    for (int k = 0; k < LANES; k++)  \
        out.lane[k] = (int16_t)(expression); \
    return out
#define EACH_WIDE(expression)        \
    v32 out;                         \
    for (int k = 0; k < LANES; k++)  \
        out.lane[k] = (int32_t)(expression); \
    return out

RRIP_INLINE v16 v_set(int32_t a) { EACH(a); }
RRIP_INLINE v16 v_load(const int16_t *p) { EACH(p[k]); }
RRIP_INLINE v16 v_load_bytes(const uint8_t *p) { EACH(p[k]); }     /* LANES bytes */
RRIP_INLINE v16 v_even_bytes(const uint8_t *p) { EACH(p[2 * k]); } /* the even ones of 2 * LANES bytes */
RRIP_INLINE v16 v_odd_bytes(const uint8_t *p) { EACH(p[2 * k + 1]); }
RRIP_INLINE v16 v_add(v16 a, v16 b) { EACH((uint32_t)a.lane[k] + (uint32_t)b.lane[k]); }
RRIP_INLINE v16 v_sub(v16 a, v16 b) { EACH((uint32_t)a.lane[k] - (uint32_t)b.lane[k]); }
RRIP_INLINE v16 v_mul(v16 a, v16 b) { EACH(a.lane[k] * b.lane[k]); } /* the lower half of each product */
RRIP_INLINE v16 v_shift(v16 a, const int n) { EACH(a.lane[k] >> n); }
RRIP_INLINE v16 v_limit(v16 a, v16 least, v16 most)
{
    EACH(least32(most32(a.lane[k], least.lane[k]), most.lane[k]));
}
/* (2 a b + 2^15) >> 16, for a in -128 ... 127 and b in -16383 ... 16383 */
RRIP_INLINE v16 v_scale(v16 a, int32_t b) { EACH((2 * a.lane[k] * b + (1 << 15)) >> 16); }
/* (a b + 32) >> 6, for a in -128 ... 127 and b in -127 ... 127 */
RRIP_INLINE v16 v_follow(v16 a, int32_t b) { EACH((a.lane[k] * b + 32) >> 6); }

RRIP_INLINE void v_store(int16_t *p, v16 a) { memcpy(p, a.lane, sizeof a.lane); }

RRIP_INLINE uint8_t clipped(int32_t a) { return (uint8_t)least32(most32(a, 0), 255); }

/* Store 2 * LANES bytes, alternately from `even` and `odd`, clipped to 0 ... 255. */
RRIP_INLINE void v_store_pairs(uint8_t *p, v16 even, v16 odd)
{
    for (int k = 0; k < LANES; k++) {
        p[2 * k] = clipped(even.lane[k]);
        p[2 * k + 1] = clipped(odd.lane[k]);
    }
}

/* Store 2 * LANES pixels of 3 bytes, or of 4 whose last is 255, from three planes. */
RRIP_INLINE void v_store_pixels(uint8_t *p, const v16 even[3], const v16 odd[3], const int step)
{
    for (int k = 0; k < 2 * LANES; k++, p += step) {
        for (int c = 0; c < 3; c++)
            p[c] = clipped(k % 2 ? odd[c].lane[k / 2] : even[c].lane[k / 2]);
        if (step == 4)
            p[3] = 255;
    }
}

/* Load 8 numbers of each of LANES blocks, `apart` numbers apart: out[k] has number k of every block. */
RRIP_INLINE void v_transpose(const int16_t *p, int32_t apart, v16 out[8])
{
    for (int k = 0; k < 8; k++)
        for (int n = 0; n < LANES; n++)
            out[k].lane[n] = p[n * apart + k];
}

/* Store LANES blocks of 8 bytes: block k has lane k of x[0] ... x[7], clipped to 0 ... 255. */
RRIP_INLINE void v_store_blocks(uint8_t *p, const v16 x[8])
{
    for (int k = 0; k < LANES; k++)
        for (int n = 0; n < 8; n++)
            p[8 * k + n] = clipped(x[n].lane[k]);
}

RRIP_INLINE v32 w_dot(v16 a, v16 b, int32_t ka, int32_t kb) { EACH_WIDE(a.lane[k] * ka + b.lane[k] * kb); }
RRIP_INLINE v32 w_add(v32 a, v32 b) { EACH_WIDE((uint32_t)a.lane[k] + (uint32_t)b.lane[k]); }
RRIP_INLINE v32 w_sub(v32 a, v32 b) { EACH_WIDE((uint32_t)a.lane[k] - (uint32_t)b.lane[k]); }
RRIP_INLINE v32 w_offset(v32 a, int32_t b) { EACH_WIDE((uint32_t)a.lane[k] + (uint32_t)b); }
/* a >> n, clipped to 16 bits */
RRIP_INLINE v16 w_narrow(v32 a, const int n) { EACH(least32(most32(a.lane[k] >> n, -32768), 32767)); }

#undef EACH
#undef EACH_WIDE
