/* simd_sse2.h: the operations of simd_plain.h by SSE2, which every x86-64 processor has. */
enum { LANES = 8 };

typedef __m128i v16;

typedef struct {
    __m128i low, high;
} v32;

RRIP_INLINE v16 v_set(int32_t a) { return _mm_set1_epi16((int16_t)a); }
RRIP_INLINE v16 v_load(const int16_t *p) { return _mm_loadu_si128((const __m128i *)p); }
RRIP_INLINE v16 v_load_bytes(const uint8_t *p)
{
    return _mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)p), _mm_setzero_si128());
}
RRIP_INLINE v16 v_even_bytes(const uint8_t *p)
{
    return _mm_and_si128(_mm_loadu_si128((const __m128i *)p), _mm_set1_epi16(255));
}
RRIP_INLINE v16 v_odd_bytes(const uint8_t *p) { return _mm_srli_epi16(_mm_loadu_si128((const __m128i *)p), 8); }
RRIP_INLINE v16 v_add(v16 a, v16 b) { return _mm_add_epi16(a, b); }
RRIP_INLINE v16 v_sub(v16 a, v16 b) { return _mm_sub_epi16(a, b); }
RRIP_INLINE v16 v_mul(v16 a, v16 b) { return _mm_mullo_epi16(a, b); }
#define v_shift(a, n) _mm_srai_epi16(a, n)
RRIP_INLINE v16 v_limit(v16 a, v16 least, v16 most) { return _mm_min_epi16(_mm_max_epi16(a, least), most); }
/* The upper half of (256 a) (2 b) is 2 a b / 256 rounded down, which divided once more is what is wanted. */
RRIP_INLINE v16 v_scale(v16 a, int32_t b)
{
    __m128i part = _mm_mulhi_epi16(_mm_slli_epi16(a, 8), v_set(2 * b));
    return _mm_srai_epi16(_mm_add_epi16(part, v_set(128)), 8);
}
RRIP_INLINE v16 v_follow(v16 a, int32_t b)
{
    return _mm_srai_epi16(_mm_add_epi16(_mm_mullo_epi16(a, v_set(b)), v_set(32)), 6);
}
RRIP_INLINE void v_store(int16_t *p, v16 a) { _mm_storeu_si128((__m128i *)p, a); }

/* Bytes e0 o0 e1 o1 ... of two vectors. */
RRIP_INLINE __m128i paired(v16 even, v16 odd)
{
    return _mm_unpacklo_epi8(_mm_packus_epi16(even, even), _mm_packus_epi16(odd, odd));
}

RRIP_INLINE void v_store_pairs(uint8_t *p, v16 even, v16 odd) { _mm_storeu_si128((__m128i *)p, paired(even, odd)); }

RRIP_INLINE void v_store_pixels(uint8_t *p, const v16 even[3], const v16 odd[3], const int step)
{
    const __m128i full = _mm_set1_epi8(-1);
    __m128i r = paired(even[0], odd[0]), g = paired(even[1], odd[1]), b = paired(even[2], odd[2]), pixels[4];
    __m128i rg_low = _mm_unpacklo_epi8(r, g), rg_high = _mm_unpackhi_epi8(r, g);
    __m128i ba_low = _mm_unpacklo_epi8(b, full), ba_high = _mm_unpackhi_epi8(b, full);
    pixels[0] = _mm_unpacklo_epi16(rg_low, ba_low);
    pixels[1] = _mm_unpackhi_epi16(rg_low, ba_low);
    pixels[2] = _mm_unpacklo_epi16(rg_high, ba_high);
    pixels[3] = _mm_unpackhi_epi16(rg_high, ba_high);
    if (step == 4) {
        for (int k = 0; k < 4; k++)
            _mm_storeu_si128((__m128i *)(p + 16 * k), pixels[k]);
        return;
    }
    /* Four bytes a pixel to three: within 8 bytes, then within 16, then 12 of each vector beside each other. */
    const __m128i first = _mm_set1_epi64x(0xFFFFFF), second = _mm_set1_epi64x(0xFFFFFF00000000);
    const __m128i low = _mm_set_epi64x(0, -1);
    for (int k = 0; k < 4; k++) {
        __m128i six = _mm_or_si128(_mm_and_si128(pixels[k], first),
                                   _mm_srli_epi64(_mm_and_si128(pixels[k], second), 8));
        pixels[k] = _mm_or_si128(_mm_and_si128(six, low), _mm_srli_si128(_mm_andnot_si128(low, six), 2));
    }
    _mm_storeu_si128((__m128i *)p, _mm_or_si128(pixels[0], _mm_slli_si128(pixels[1], 12)));
    _mm_storeu_si128((__m128i *)(p + 16), _mm_or_si128(_mm_srli_si128(pixels[1], 4), _mm_slli_si128(pixels[2], 8)));
    _mm_storeu_si128((__m128i *)(p + 32), _mm_or_si128(_mm_srli_si128(pixels[2], 8), _mm_slli_si128(pixels[3], 4)));
}

RRIP_INLINE void v_transpose(const int16_t *p, int32_t apart, v16 out[8])
{
    __m128i row[8], pair[8], four[8];
    for (int k = 0; k < 8; k++)
        row[k] = v_load(p + k * apart);
    for (int k = 0; k < 4; k++) {
        pair[k] = _mm_unpacklo_epi16(row[2 * k], row[2 * k + 1]);     /* numbers 0 to 3 of two blocks */
        pair[4 + k] = _mm_unpackhi_epi16(row[2 * k], row[2 * k + 1]); /* 4 to 7 */
    }
    for (int k = 0; k < 4; k++) {
        four[2 * k] = _mm_unpacklo_epi32(pair[2 * k], pair[2 * k + 1]); /* two numbers of four blocks */
        four[2 * k + 1] = _mm_unpackhi_epi32(pair[2 * k], pair[2 * k + 1]);
    }
    for (int k = 0; k < 2; k++) {
        out[4 * k] = _mm_unpacklo_epi64(four[4 * k], four[4 * k + 2]);
        out[4 * k + 1] = _mm_unpackhi_epi64(four[4 * k], four[4 * k + 2]);
        out[4 * k + 2] = _mm_unpacklo_epi64(four[4 * k + 1], four[4 * k + 3]);
        out[4 * k + 3] = _mm_unpackhi_epi64(four[4 * k + 1], four[4 * k + 3]);
    }
}

RRIP_INLINE void v_store_blocks(uint8_t *p, const v16 x[8])
{
    __m128i a = _mm_packus_epi16(x[0], x[4]), b = _mm_packus_epi16(x[1], x[5]);
    __m128i c = _mm_packus_epi16(x[2], x[6]), d = _mm_packus_epi16(x[3], x[7]);
    __m128i ab_low = _mm_unpacklo_epi8(a, b), ab_high = _mm_unpackhi_epi8(a, b);
    __m128i cd_low = _mm_unpacklo_epi8(c, d), cd_high = _mm_unpackhi_epi8(c, d);
    __m128i q0 = _mm_unpacklo_epi16(ab_low, cd_low), q1 = _mm_unpackhi_epi16(ab_low, cd_low);
    __m128i r0 = _mm_unpacklo_epi16(ab_high, cd_high), r1 = _mm_unpackhi_epi16(ab_high, cd_high);
    _mm_storeu_si128((__m128i *)p, _mm_unpacklo_epi32(q0, r0));
    _mm_storeu_si128((__m128i *)(p + 16), _mm_unpackhi_epi32(q0, r0));
    _mm_storeu_si128((__m128i *)(p + 32), _mm_unpacklo_epi32(q1, r1));
    _mm_storeu_si128((__m128i *)(p + 48), _mm_unpackhi_epi32(q1, r1));
}

RRIP_INLINE v32 w_dot(v16 a, v16 b, int32_t ka, int32_t kb)
{
    const __m128i k = _mm_set1_epi32((int32_t)((uint32_t)(uint16_t)ka | (uint32_t)kb << 16));
    v32 out = {_mm_madd_epi16(_mm_unpacklo_epi16(a, b), k), _mm_madd_epi16(_mm_unpackhi_epi16(a, b), k)};
    return out;
}
RRIP_INLINE v32 w_add(v32 a, v32 b)
{
    v32 out = {_mm_add_epi32(a.low, b.low), _mm_add_epi32(a.high, b.high)};
    return out;
}
RRIP_INLINE v32 w_sub(v32 a, v32 b)
{
    v32 out = {_mm_sub_epi32(a.low, b.low), _mm_sub_epi32(a.high, b.high)};
    return out;
}
RRIP_INLINE v32 w_offset(v32 a, int32_t b)
{
    v32 out = {_mm_add_epi32(a.low, _mm_set1_epi32(b)), _mm_add_epi32(a.high, _mm_set1_epi32(b))};
    return out;
}
#define w_narrow(a, n) _mm_packs_epi32(_mm_srai_epi32((a).low, n), _mm_srai_epi32((a).high, n))
