/* simd_neon.h: the operations of simd_plain.h by NEON, which every 64-bit ARM processor has. */
enum { LANES = 8 };

typedef int16x8_t v16;

typedef struct {
    int32x4_t low, high;
} v32;

RRIP_INLINE v16 v_set(int32_t a) { return vdupq_n_s16((int16_t)a); }
RRIP_INLINE v16 v_load(const int16_t *p) { return vld1q_s16(p); }
RRIP_INLINE v16 v_load_bytes(const uint8_t *p) { return vreinterpretq_s16_u16(vmovl_u8(vld1_u8(p))); }
RRIP_INLINE v16 v_even_bytes(const uint8_t *p)
{
    return vreinterpretq_s16_u16(vandq_u16(vreinterpretq_u16_u8(vld1q_u8(p)), vdupq_n_u16(255)));
}
RRIP_INLINE v16 v_odd_bytes(const uint8_t *p)
{
    return vreinterpretq_s16_u16(vshrq_n_u16(vreinterpretq_u16_u8(vld1q_u8(p)), 8));
}
RRIP_INLINE v16 v_add(v16 a, v16 b) { return vaddq_s16(a, b); }
RRIP_INLINE v16 v_sub(v16 a, v16 b) { return vsubq_s16(a, b); }
RRIP_INLINE v16 v_mul(v16 a, v16 b) { return vmulq_s16(a, b); }
#define v_shift(a, n) vshrq_n_s16(a, n)
RRIP_INLINE v16 v_limit(v16 a, v16 least, v16 most) { return vminq_s16(vmaxq_s16(a, least), most); }
/* The instruction is (2 a b + 2^15) >> 16. */
RRIP_INLINE v16 v_scale(v16 a, int32_t b) { return vqrdmulhq_s16(a, v_set(b)); }
RRIP_INLINE v16 v_follow(v16 a, int32_t b) { return vqrdmulhq_s16(vaddq_s16(a, a), v_set(256 * b)); }
RRIP_INLINE void v_store(int16_t *p, v16 a) { vst1q_s16(p, a); }

/* Bytes e0 o0 e1 o1 ... of two vectors. */
RRIP_INLINE uint8x16_t paired(v16 even, v16 odd)
{
    uint8x8x2_t both = vzip_u8(vqmovun_s16(even), vqmovun_s16(odd));
    return vcombine_u8(both.val[0], both.val[1]);
}

RRIP_INLINE void v_store_pairs(uint8_t *p, v16 even, v16 odd) { vst1q_u8(p, paired(even, odd)); }

RRIP_INLINE void v_store_pixels(uint8_t *p, const v16 even[3], const v16 odd[3], const int step)
{
    if (step == 4) {
        uint8x16x4_t pixels = {{paired(even[0], odd[0]), paired(even[1], odd[1]), paired(even[2], odd[2]),
                                vdupq_n_u8(255)}};
        vst4q_u8(p, pixels);
    } else {
        uint8x16x3_t pixels = {{paired(even[0], odd[0]), paired(even[1], odd[1]), paired(even[2], odd[2])}};
        vst3q_u8(p, pixels);
    }
}

RRIP_INLINE void v_transpose(const int16_t *p, int32_t apart, v16 out[8])
{
    int16x8x2_t pair[4]; /* numbers 0 and 1, 2 and 3 ... of two blocks beside each other: even and odd ones */
    int32x4x2_t four[4];
    for (int k = 0; k < 4; k++)
        pair[k] = vtrnq_s16(v_load(p + 2 * k * apart), v_load(p + (2 * k + 1) * apart));
    for (int k = 0; k < 2; k++) {
        for (int n = 0; n < 2; n++) /* numbers n and 2 + n, of four blocks */
            four[2 * k + n] = vtrnq_s32(vreinterpretq_s32_s16(pair[2 * k].val[n]),
                                        vreinterpretq_s32_s16(pair[2 * k + 1].val[n]));
    }
    for (int n = 0; n < 2; n++) {
        for (int m = 0; m < 2; m++) {
            int16x8_t low = vreinterpretq_s16_s32(four[n].val[m]), high = vreinterpretq_s16_s32(four[2 + n].val[m]);
            out[2 * m + n] = vcombine_s16(vget_low_s16(low), vget_low_s16(high));
            out[4 + 2 * m + n] = vcombine_s16(vget_high_s16(low), vget_high_s16(high));
        }
    }
}

RRIP_INLINE void v_store_blocks(uint8_t *p, const v16 x[8])
{
    /* Two neighbours a pair of bytes, two pairs four bytes, then eight. */
    uint16x8_t pair[4];
    for (int k = 0; k < 4; k++)
        pair[k] = vreinterpretq_u16_u8(paired(x[2 * k], x[2 * k + 1]));
    uint16x8x2_t first = vzipq_u16(pair[0], pair[1]), last = vzipq_u16(pair[2], pair[3]);
    for (int k = 0; k < 2; k++) {
        uint32x4x2_t both = vzipq_u32(vreinterpretq_u32_u16(first.val[k]), vreinterpretq_u32_u16(last.val[k]));
        vst1q_u8(p + 32 * k, vreinterpretq_u8_u32(both.val[0]));
        vst1q_u8(p + 32 * k + 16, vreinterpretq_u8_u32(both.val[1]));
    }
}

RRIP_INLINE v32 w_dot(v16 a, v16 b, int32_t ka, int32_t kb)
{
    v32 out = {vmlal_n_s16(vmull_n_s16(vget_low_s16(a), (int16_t)ka), vget_low_s16(b), (int16_t)kb),
               vmlal_n_s16(vmull_n_s16(vget_high_s16(a), (int16_t)ka), vget_high_s16(b), (int16_t)kb)};
    return out;
}
RRIP_INLINE v32 w_add(v32 a, v32 b)
{
    v32 out = {vaddq_s32(a.low, b.low), vaddq_s32(a.high, b.high)};
    return out;
}
RRIP_INLINE v32 w_sub(v32 a, v32 b)
{
    v32 out = {vsubq_s32(a.low, b.low), vsubq_s32(a.high, b.high)};
    return out;
}
RRIP_INLINE v32 w_offset(v32 a, int32_t b)
{
    v32 out = {vaddq_s32(a.low, vdupq_n_s32(b)), vaddq_s32(a.high, vdupq_n_s32(b))};
    return out;
}
#define w_narrow(a, n) vcombine_s16(vqmovn_s32(vshrq_n_s32((a).low, n)), vqmovn_s32(vshrq_n_s32((a).high, n)))
