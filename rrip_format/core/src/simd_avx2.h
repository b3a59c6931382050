/* simd_avx2.h: the operations of simd_plain.h with AVX2. Unpack and pack instructions work within 128 bits; used in
 * pairs, they restore the order. */
enum { LANES = 16 };

typedef __m256i v16;

typedef struct {
    __m256i low, high; /* lanes 0-3 and 8-11; 4-7 and 12-15 */
} v32;

RRIP_INLINE v16 v_set(int32_t a) { return _mm256_set1_epi16((int16_t)a); }
RRIP_INLINE v16 v_load(const int16_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
RRIP_INLINE v16 v_load_bytes(const uint8_t *p) { return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)p)); }
RRIP_INLINE v16 v_even_bytes(const uint8_t *p)
{
    return _mm256_and_si256(_mm256_loadu_si256((const __m256i *)p), _mm256_set1_epi16(255));
}
RRIP_INLINE v16 v_odd_bytes(const uint8_t *p)
{
    return _mm256_srli_epi16(_mm256_loadu_si256((const __m256i *)p), 8);
}
RRIP_INLINE v16 v_add(v16 a, v16 b) { return _mm256_add_epi16(a, b); }
RRIP_INLINE v16 v_sub(v16 a, v16 b) { return _mm256_sub_epi16(a, b); }
RRIP_INLINE v16 v_mul(v16 a, v16 b) { return _mm256_mullo_epi16(a, b); }
#define v_shift(a, n) _mm256_srai_epi16(a, n)
RRIP_INLINE v16 v_limit(v16 a, v16 least, v16 most) { return _mm256_min_epi16(_mm256_max_epi16(a, least), most); }
/* The instruction is (a b + 2^14) >> 15. */
RRIP_INLINE v16 v_scale(v16 a, int32_t b) { return _mm256_mulhrs_epi16(a, v_set(b)); }
RRIP_INLINE v16 v_follow(v16 a, int32_t b) { return _mm256_mulhrs_epi16(_mm256_add_epi16(a, a), v_set(256 * b)); }
RRIP_INLINE void v_store(int16_t *p, v16 a) { _mm256_storeu_si256((__m256i *)p, a); }

/* Bytes e0 o0 e1 o1 ... of two vectors. */
RRIP_INLINE __m256i paired(v16 even, v16 odd)
{
    const __m256i order = _mm256_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15, 0, 8, 1, 9, 2, 10, 3,
                                           11, 4, 12, 5, 13, 6, 14, 7, 15);
    return _mm256_shuffle_epi8(_mm256_packus_epi16(even, odd), order);
}

RRIP_INLINE void v_store_pairs(uint8_t *p, v16 even, v16 odd)
{
    _mm256_storeu_si256((__m256i *)p, paired(even, odd));
}

RRIP_INLINE void v_store_pixels(uint8_t *p, const v16 even[3], const v16 odd[3], const int step)
{
    if (step == 4) {
        v16 full = v_set(255);
        __m256i r = paired(even[0], odd[0]), g = paired(even[1], odd[1]), b = paired(even[2], odd[2]);
        __m256i a = _mm256_packus_epi16(full, full);
        __m256i rg_low = _mm256_unpacklo_epi8(r, g), rg_high = _mm256_unpackhi_epi8(r, g);
        __m256i ba_low = _mm256_unpacklo_epi8(b, a), ba_high = _mm256_unpackhi_epi8(b, a);
        __m256i q0 = _mm256_unpacklo_epi16(rg_low, ba_low), q1 = _mm256_unpackhi_epi16(rg_low, ba_low);
        __m256i q2 = _mm256_unpacklo_epi16(rg_high, ba_high), q3 = _mm256_unpackhi_epi16(rg_high, ba_high);
        _mm256_storeu_si256((__m256i *)p, _mm256_permute2x128_si256(q0, q1, 0x20));
        _mm256_storeu_si256((__m256i *)(p + 32), _mm256_permute2x128_si256(q2, q3, 0x20));
        _mm256_storeu_si256((__m256i *)(p + 64), _mm256_permute2x128_si256(q0, q1, 0x31));
        _mm256_storeu_si256((__m256i *)(p + 96), _mm256_permute2x128_si256(q2, q3, 0x31));
        return;
    }
    /* Byte i of channel c goes to 3 i + c of 48: each channel is turned so that its bytes stand at their place modulo
     * 16, and each 16 bytes of the result take a third of each channel. The order of pairs is part of the turn. */
#define TURNED(c, i) (char)((((i) - (c) + 48) * 11 % 16) / 2 + (((i) - (c) + 48) * 11 % 16) % 2 * 8)
#define TURN(c)                                                                                             \
    TURNED(c, 0), TURNED(c, 1), TURNED(c, 2), TURNED(c, 3), TURNED(c, 4), TURNED(c, 5), TURNED(c, 6),       \
        TURNED(c, 7), TURNED(c, 8), TURNED(c, 9), TURNED(c, 10), TURNED(c, 11), TURNED(c, 12), TURNED(c, 13), \
        TURNED(c, 14), TURNED(c, 15)
    const __m256i r = _mm256_shuffle_epi8(_mm256_packus_epi16(even[0], odd[0]), _mm256_setr_epi8(TURN(0), TURN(0)));
    const __m256i g = _mm256_shuffle_epi8(_mm256_packus_epi16(even[1], odd[1]), _mm256_setr_epi8(TURN(1), TURN(1)));
    const __m256i b = _mm256_shuffle_epi8(_mm256_packus_epi16(even[2], odd[2]), _mm256_setr_epi8(TURN(2), TURN(2)));
#undef TURN
#undef TURNED
#define THIRD(k, i) (char)(((i) + (k)) % 3 == 0 ? -1 : 0)
#define THIRDS(k)                                                                                             \
    THIRD(k, 0), THIRD(k, 1), THIRD(k, 2), THIRD(k, 3), THIRD(k, 4), THIRD(k, 5), THIRD(k, 6), THIRD(k, 7),   \
        THIRD(k, 8), THIRD(k, 9), THIRD(k, 10), THIRD(k, 11), THIRD(k, 12), THIRD(k, 13), THIRD(k, 14), THIRD(k, 15)
    const __m256i m1 = _mm256_setr_epi8(THIRDS(2), THIRDS(2)),
                  m2 = _mm256_setr_epi8(THIRDS(1), THIRDS(1)); /* places 1 and 2 modulo 3 */
#undef THIRDS
#undef THIRD
    /* 16 k + i is channel (k + i) modulo 3, as 16 is 1 modulo 3 */
    __m256i x = _mm256_blendv_epi8(_mm256_blendv_epi8(r, g, m1), b, m2);
    __m256i y = _mm256_blendv_epi8(_mm256_blendv_epi8(g, b, m1), r, m2);
    __m256i z = _mm256_blendv_epi8(_mm256_blendv_epi8(b, r, m1), g, m2);
    _mm256_storeu_si256((__m256i *)p, _mm256_permute2x128_si256(x, y, 0x20));
    _mm256_storeu_si256((__m256i *)(p + 32), _mm256_permute2x128_si256(z, x, 0x30));
    _mm256_storeu_si256((__m256i *)(p + 64), _mm256_permute2x128_si256(y, z, 0x31));
}

RRIP_INLINE void v_transpose(const int16_t *p, int32_t apart, v16 out[8])
{
    __m256i row[8], pair[8], four[8];
    for (int k = 0; k < 8; k++) {
        __m128i low = _mm_loadu_si128((const __m128i *)(p + k * apart));
        row[k] = _mm256_inserti128_si256(_mm256_castsi128_si256(low),
                                         _mm_loadu_si128((const __m128i *)(p + (8 + k) * apart)), 1);
    }
    for (int k = 0; k < 4; k++) {
        pair[k] = _mm256_unpacklo_epi16(row[2 * k], row[2 * k + 1]);     /* numbers 0 to 3 of two blocks */
        pair[4 + k] = _mm256_unpackhi_epi16(row[2 * k], row[2 * k + 1]); /* 4 to 7 */
    }
    for (int k = 0; k < 4; k++) {
        four[2 * k] = _mm256_unpacklo_epi32(pair[2 * k], pair[2 * k + 1]); /* two numbers of four blocks */
        four[2 * k + 1] = _mm256_unpackhi_epi32(pair[2 * k], pair[2 * k + 1]);
    }
    for (int k = 0; k < 2; k++) {
        out[4 * k] = _mm256_unpacklo_epi64(four[4 * k], four[4 * k + 2]);
        out[4 * k + 1] = _mm256_unpackhi_epi64(four[4 * k], four[4 * k + 2]);
        out[4 * k + 2] = _mm256_unpacklo_epi64(four[4 * k + 1], four[4 * k + 3]);
        out[4 * k + 3] = _mm256_unpackhi_epi64(four[4 * k + 1], four[4 * k + 3]);
    }
}

RRIP_INLINE void v_store_blocks(uint8_t *p, const v16 x[8])
{
    __m256i a = _mm256_packus_epi16(x[0], x[4]), b = _mm256_packus_epi16(x[1], x[5]);
    __m256i c = _mm256_packus_epi16(x[2], x[6]), d = _mm256_packus_epi16(x[3], x[7]);
    __m256i ab_low = _mm256_unpacklo_epi8(a, b), ab_high = _mm256_unpackhi_epi8(a, b);
    __m256i cd_low = _mm256_unpacklo_epi8(c, d), cd_high = _mm256_unpackhi_epi8(c, d);
    __m256i q0 = _mm256_unpacklo_epi16(ab_low, cd_low), q1 = _mm256_unpackhi_epi16(ab_low, cd_low);
    __m256i r0 = _mm256_unpacklo_epi16(ab_high, cd_high), r1 = _mm256_unpackhi_epi16(ab_high, cd_high);
    __m256i o0 = _mm256_unpacklo_epi32(q0, r0), o1 = _mm256_unpackhi_epi32(q0, r0);
    __m256i o2 = _mm256_unpacklo_epi32(q1, r1), o3 = _mm256_unpackhi_epi32(q1, r1);
    _mm256_storeu_si256((__m256i *)p, _mm256_permute2x128_si256(o0, o1, 0x20));
    _mm256_storeu_si256((__m256i *)(p + 32), _mm256_permute2x128_si256(o2, o3, 0x20));
    _mm256_storeu_si256((__m256i *)(p + 64), _mm256_permute2x128_si256(o0, o1, 0x31));
    _mm256_storeu_si256((__m256i *)(p + 96), _mm256_permute2x128_si256(o2, o3, 0x31));
}

RRIP_INLINE v32 w_dot(v16 a, v16 b, int32_t ka, int32_t kb)
{
    const __m256i k = _mm256_set1_epi32((int32_t)((uint32_t)(uint16_t)ka | (uint32_t)kb << 16));
    v32 out = {_mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), k), _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), k)};
    return out;
}
RRIP_INLINE v32 w_add(v32 a, v32 b)
{
    v32 out = {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
    return out;
}
RRIP_INLINE v32 w_sub(v32 a, v32 b)
{
    v32 out = {_mm256_sub_epi32(a.low, b.low), _mm256_sub_epi32(a.high, b.high)};
    return out;
}
RRIP_INLINE v32 w_offset(v32 a, int32_t b)
{
    v32 out = {_mm256_add_epi32(a.low, _mm256_set1_epi32(b)), _mm256_add_epi32(a.high, _mm256_set1_epi32(b))};
    return out;
}
#define w_narrow(a, n) _mm256_packs_epi32(_mm256_srai_epi32((a).low, n), _mm256_srai_epi32((a).high, n))
