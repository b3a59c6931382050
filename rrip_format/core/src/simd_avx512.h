/* simd_avx512.h: the operations of simd_plain.h by AVX-512 with VBMI, which moves any byte anywhere. Processors that
 * have it do not slow down for vectors of 512 bits. Pairs of instructions that work within 128 bits undo each
 * other's order. */
enum { LANES = 32 };

typedef __m512i v16;

typedef struct {
    __m512i low, high;
} v32;

RRIP_INLINE v16 v_set(int32_t a) { return _mm512_set1_epi16((int16_t)a); }
RRIP_INLINE v16 v_load(const int16_t *p) { return _mm512_loadu_si512(p); }
RRIP_INLINE v16 v_load_bytes(const uint8_t *p) { return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)p)); }
RRIP_INLINE v16 v_even_bytes(const uint8_t *p) { return _mm512_and_si512(_mm512_loadu_si512(p), v_set(255)); }
RRIP_INLINE v16 v_odd_bytes(const uint8_t *p) { return _mm512_srli_epi16(_mm512_loadu_si512(p), 8); }
RRIP_INLINE v16 v_add(v16 a, v16 b) { return _mm512_add_epi16(a, b); }
RRIP_INLINE v16 v_sub(v16 a, v16 b) { return _mm512_sub_epi16(a, b); }
RRIP_INLINE v16 v_mul(v16 a, v16 b) { return _mm512_mullo_epi16(a, b); }
#define v_shift(a, n) _mm512_srai_epi16(a, n)
RRIP_INLINE v16 v_limit(v16 a, v16 least, v16 most) { return _mm512_min_epi16(_mm512_max_epi16(a, least), most); }
/* The instruction is (a b + 2^14) >> 15. */
RRIP_INLINE v16 v_scale(v16 a, int32_t b) { return _mm512_mulhrs_epi16(a, v_set(b)); }
RRIP_INLINE v16 v_follow(v16 a, int32_t b) { return _mm512_mulhrs_epi16(_mm512_add_epi16(a, a), v_set(256 * b)); }
RRIP_INLINE void v_store(int16_t *p, v16 a) { _mm512_storeu_si512(p, a); }

#define EIGHT(f, k, i) f(k, i), f(k, i + 1), f(k, i + 2), f(k, i + 3), f(k, i + 4), f(k, i + 5), f(k, i + 6), f(k, i + 7)
#define ALL(f, k)                                                                                                     \
    {EIGHT(f, k, 0),  EIGHT(f, k, 8),  EIGHT(f, k, 16), EIGHT(f, k, 24), EIGHT(f, k, 32), EIGHT(f, k, 40), \
     EIGHT(f, k, 48), EIGHT(f, k, 56)}
/* Where sample p of 64 is in what packing even and odd ones gives: eight even ones, eight odd ones, and so on. */
#define PACKED(p) ((p) / 16 * 16 + (p) / 2 % 8 + (p) % 2 * 8)
#define IN_ORDER(k, i) PACKED(i)
/* Byte i of vector k of interleaved pixels is of channel n % 3 of pixel n / 3, n = 64 k + i; 64 stands for channel
 * 1. */
#define PIXEL(k, i) (PACKED((64 * (k) + (i)) / 3) + ((64 * (k) + (i)) % 3 == 1 ? 64 : 0))
#define FOUR(k, i) (PACKED((64 * (k) + (i)) / 4) + ((64 * (k) + (i)) % 4 == 1 ? 64 : 0))
static const uint8_t in_order[64] = ALL(IN_ORDER, 0);
static const uint8_t pixels_of_3[3][64] = {ALL(PIXEL, 0), ALL(PIXEL, 1), ALL(PIXEL, 2)};
static const uint8_t pixels_of_4[4][64] = {ALL(FOUR, 0), ALL(FOUR, 1), ALL(FOUR, 2), ALL(FOUR, 3)};

RRIP_INLINE void v_store_pairs(uint8_t *p, v16 even, v16 odd)
{
    __m512i packed = _mm512_packus_epi16(even, odd);
    _mm512_storeu_si512(p, _mm512_permutexvar_epi8(_mm512_loadu_si512(in_order), packed));
}

RRIP_INLINE void v_store_pixels(uint8_t *p, const v16 even[3], const v16 odd[3], const int step)
{
    const __m512i r = _mm512_packus_epi16(even[0], odd[0]), g = _mm512_packus_epi16(even[1], odd[1]);
    const __m512i b = _mm512_packus_epi16(even[2], odd[2]);
    /* bytes i with (64 k + i) % 3 == 2, of which 64 is 1 more than a multiple */
    static const uint64_t blue[3] = {0x4924924924924924u, 0x2492492492492492u, 0x9249249249249249u};
    for (int k = 0; k < step; k++) {
        const __m512i from = _mm512_loadu_si512(step == 3 ? pixels_of_3[k] : pixels_of_4[k]);
        __m512i out = _mm512_permutex2var_epi8(r, from, g);
        out = _mm512_mask_permutexvar_epi8(out, step == 3 ? blue[k] : 0x4444444444444444u, from, b);
        if (step == 4)
            out = _mm512_mask_blend_epi8(0x8888888888888888u, out, _mm512_set1_epi8(-1));
        _mm512_storeu_si512(p + 64 * k, out);
    }
}
#undef FOUR
#undef PIXEL
#undef IN_ORDER
#undef PACKED
#undef ALL
#undef EIGHT

RRIP_INLINE void v_transpose(const int16_t *p, int32_t apart, v16 out[8])
{
    __m512i row[8], pair[8], four[8];
    for (int k = 0; k < 8; k++) {
        const int16_t *at = p + k * apart;
        row[k] = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)at));
        row[k] = _mm512_inserti32x4(row[k], _mm_loadu_si128((const __m128i *)(at + 8 * apart)), 1);
        row[k] = _mm512_inserti32x4(row[k], _mm_loadu_si128((const __m128i *)(at + 16 * apart)), 2);
        row[k] = _mm512_inserti32x4(row[k], _mm_loadu_si128((const __m128i *)(at + 24 * apart)), 3);
    }
    for (int k = 0; k < 4; k++) {
        pair[k] = _mm512_unpacklo_epi16(row[2 * k], row[2 * k + 1]);     /* numbers 0 to 3 of two blocks */
        pair[4 + k] = _mm512_unpackhi_epi16(row[2 * k], row[2 * k + 1]); /* 4 to 7 */
    }
    for (int k = 0; k < 4; k++) {
        four[2 * k] = _mm512_unpacklo_epi32(pair[2 * k], pair[2 * k + 1]); /* two numbers of four blocks */
        four[2 * k + 1] = _mm512_unpackhi_epi32(pair[2 * k], pair[2 * k + 1]);
    }
    for (int k = 0; k < 2; k++) {
        out[4 * k] = _mm512_unpacklo_epi64(four[4 * k], four[4 * k + 2]);
        out[4 * k + 1] = _mm512_unpackhi_epi64(four[4 * k], four[4 * k + 2]);
        out[4 * k + 2] = _mm512_unpacklo_epi64(four[4 * k + 1], four[4 * k + 3]);
        out[4 * k + 3] = _mm512_unpackhi_epi64(four[4 * k + 1], four[4 * k + 3]);
    }
}

RRIP_INLINE void v_store_blocks(uint8_t *p, const v16 x[8])
{
    __m512i a = _mm512_packus_epi16(x[0], x[4]), b = _mm512_packus_epi16(x[1], x[5]);
    __m512i c = _mm512_packus_epi16(x[2], x[6]), d = _mm512_packus_epi16(x[3], x[7]);
    __m512i ab_low = _mm512_unpacklo_epi8(a, b), ab_high = _mm512_unpackhi_epi8(a, b);
    __m512i cd_low = _mm512_unpacklo_epi8(c, d), cd_high = _mm512_unpackhi_epi8(c, d);
    __m512i q0 = _mm512_unpacklo_epi16(ab_low, cd_low), q1 = _mm512_unpackhi_epi16(ab_low, cd_low);
    __m512i r0 = _mm512_unpacklo_epi16(ab_high, cd_high), r1 = _mm512_unpackhi_epi16(ab_high, cd_high);
    __m512i o0 = _mm512_unpacklo_epi32(q0, r0), o1 = _mm512_unpackhi_epi32(q0, r0);
    __m512i o2 = _mm512_unpacklo_epi32(q1, r1), o3 = _mm512_unpackhi_epi32(q1, r1);
    /* parts of 128 bits: k of o0 ... o3 beside each other */
    __m512i s0 = _mm512_shuffle_i32x4(o0, o1, 0x44), s1 = _mm512_shuffle_i32x4(o0, o1, 0xEE);
    __m512i t0 = _mm512_shuffle_i32x4(o2, o3, 0x44), t1 = _mm512_shuffle_i32x4(o2, o3, 0xEE);
    _mm512_storeu_si512(p, _mm512_shuffle_i32x4(s0, t0, 0x88));
    _mm512_storeu_si512(p + 64, _mm512_shuffle_i32x4(s0, t0, 0xDD));
    _mm512_storeu_si512(p + 128, _mm512_shuffle_i32x4(s1, t1, 0x88));
    _mm512_storeu_si512(p + 192, _mm512_shuffle_i32x4(s1, t1, 0xDD));
}

RRIP_INLINE v32 w_dot(v16 a, v16 b, int32_t ka, int32_t kb)
{
    const __m512i k = _mm512_set1_epi32((int32_t)((uint32_t)(uint16_t)ka | (uint32_t)kb << 16));
    v32 out = {_mm512_madd_epi16(_mm512_unpacklo_epi16(a, b), k), _mm512_madd_epi16(_mm512_unpackhi_epi16(a, b), k)};
    return out;
}
RRIP_INLINE v32 w_add(v32 a, v32 b)
{
    v32 out = {_mm512_add_epi32(a.low, b.low), _mm512_add_epi32(a.high, b.high)};
    return out;
}
RRIP_INLINE v32 w_sub(v32 a, v32 b)
{
    v32 out = {_mm512_sub_epi32(a.low, b.low), _mm512_sub_epi32(a.high, b.high)};
    return out;
}
RRIP_INLINE v32 w_offset(v32 a, int32_t b)
{
    v32 out = {_mm512_add_epi32(a.low, _mm512_set1_epi32(b)), _mm512_add_epi32(a.high, _mm512_set1_epi32(b))};
    return out;
}
#define w_narrow(a, n) _mm512_packs_epi32(_mm512_srai_epi32((a).low, n), _mm512_srai_epi32((a).high, n))
