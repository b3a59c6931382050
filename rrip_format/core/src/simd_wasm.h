/* simd_wasm.h: the operations of simd_plain.h with WebAssembly's vectors of 128 bits. */
enum { LANES = 8 };

typedef v128_t v16;

typedef struct {
    v128_t low, high;
} v32;

RRIP_INLINE v16 v_set(int32_t a) { return wasm_i16x8_splat((int16_t)a); }
RRIP_INLINE v16 v_load(const int16_t *p) { return wasm_v128_load(p); }
RRIP_INLINE v16 v_load_bytes(const uint8_t *p) { return wasm_u16x8_load8x8(p); }
RRIP_INLINE v16 v_even_bytes(const uint8_t *p) { return wasm_v128_and(wasm_v128_load(p), v_set(255)); }
RRIP_INLINE v16 v_odd_bytes(const uint8_t *p) { return wasm_u16x8_shr(wasm_v128_load(p), 8); }
RRIP_INLINE v16 v_add(v16 a, v16 b) { return wasm_i16x8_add(a, b); }
RRIP_INLINE v16 v_sub(v16 a, v16 b) { return wasm_i16x8_sub(a, b); }
RRIP_INLINE v16 v_mul(v16 a, v16 b) { return wasm_i16x8_mul(a, b); }
#define v_shift(a, n) wasm_i16x8_shr(a, n)
RRIP_INLINE v16 v_limit(v16 a, v16 least, v16 most) { return wasm_i16x8_min(wasm_i16x8_max(a, least), most); }
/* The instruction is (a b + 2^14) >> 15. */
RRIP_INLINE v16 v_scale(v16 a, int32_t b) { return wasm_i16x8_q15mulr_sat(a, v_set(b)); }
RRIP_INLINE v16 v_follow(v16 a, int32_t b) { return wasm_i16x8_q15mulr_sat(wasm_i16x8_add(a, a), v_set(256 * b)); }
RRIP_INLINE void v_store(int16_t *p, v16 a) { wasm_v128_store(p, a); }

/* Bytes e0 o0 e1 o1 ... of two vectors. */
RRIP_INLINE v128_t paired(v16 even, v16 odd)
{
    v128_t both = wasm_u8x16_narrow_i16x8(even, odd);
    return wasm_i8x16_shuffle(both, both, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
}

RRIP_INLINE void v_store_pairs(uint8_t *p, v16 even, v16 odd) { wasm_v128_store(p, paired(even, odd)); }

RRIP_INLINE void v_store_pixels(uint8_t *p, const v16 even[3], const v16 odd[3], const int step)
{
    v128_t r = paired(even[0], odd[0]), g = paired(even[1], odd[1]), b = paired(even[2], odd[2]);
    v128_t a = wasm_i8x16_splat(-1);
    v128_t rg_low = wasm_i8x16_shuffle(r, g, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    v128_t rg_high = wasm_i8x16_shuffle(r, g, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    if (step == 4) {
        v128_t ba_low = wasm_i8x16_shuffle(b, a, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        v128_t ba_high = wasm_i8x16_shuffle(b, a, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        wasm_v128_store(p, wasm_i16x8_shuffle(rg_low, ba_low, 0, 8, 1, 9, 2, 10, 3, 11));
        wasm_v128_store(p + 16, wasm_i16x8_shuffle(rg_low, ba_low, 4, 12, 5, 13, 6, 14, 7, 15));
        wasm_v128_store(p + 32, wasm_i16x8_shuffle(rg_high, ba_high, 0, 8, 1, 9, 2, 10, 3, 11));
        wasm_v128_store(p + 48, wasm_i16x8_shuffle(rg_high, ba_high, 4, 12, 5, 13, 6, 14, 7, 15));
        return;
    }
    wasm_v128_store(p, wasm_i8x16_shuffle(rg_low, b, 0, 1, 16, 2, 3, 17, 4, 5, 18, 6, 7, 19, 8, 9, 20, 10));
    v128_t rg_middle = wasm_i8x16_shuffle(rg_low, rg_high, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23);
    wasm_v128_store(p + 16, wasm_i8x16_shuffle(rg_middle, b, 3, 21, 4, 5, 22, 6, 7, 23, 8, 9, 24, 10, 11, 25, 12, 13));
    wasm_v128_store(p + 32, wasm_i8x16_shuffle(rg_high, b, 26, 6, 7, 27, 8, 9, 28, 10, 11, 29, 12, 13, 30, 14, 15, 31));
}

RRIP_INLINE void v_transpose(const int16_t *p, int32_t apart, v16 out[8])
{
    v128_t pair[8], four[8];
    for (int k = 0; k < 4; k++) {
        v128_t a = v_load(p + 2 * k * apart), b = v_load(p + (2 * k + 1) * apart);
        pair[k] = wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11);      /* numbers 0 to 3 of two blocks */
        pair[4 + k] = wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15); /* 4 to 7 */
    }
    for (int k = 0; k < 4; k++) { /* two numbers of four blocks */
        four[2 * k] = wasm_i32x4_shuffle(pair[2 * k], pair[2 * k + 1], 0, 4, 1, 5);
        four[2 * k + 1] = wasm_i32x4_shuffle(pair[2 * k], pair[2 * k + 1], 2, 6, 3, 7);
    }
    for (int k = 0; k < 2; k++) {
        for (int n = 0; n < 2; n++) {
            out[4 * k + 2 * n] = wasm_i64x2_shuffle(four[4 * k + n], four[4 * k + n + 2], 0, 2);
            out[4 * k + 2 * n + 1] = wasm_i64x2_shuffle(four[4 * k + n], four[4 * k + n + 2], 1, 3);
        }
    }
}

RRIP_INLINE void v_store_blocks(uint8_t *p, const v16 x[8])
{
    /* Two neighbours a pair of bytes, two pairs four bytes, then eight. */
    v128_t pair[4];
    for (int k = 0; k < 4; k++)
        pair[k] = paired(x[2 * k], x[2 * k + 1]);
    v128_t f0 = wasm_i16x8_shuffle(pair[0], pair[1], 0, 8, 1, 9, 2, 10, 3, 11);
    v128_t f1 = wasm_i16x8_shuffle(pair[0], pair[1], 4, 12, 5, 13, 6, 14, 7, 15);
    v128_t l0 = wasm_i16x8_shuffle(pair[2], pair[3], 0, 8, 1, 9, 2, 10, 3, 11);
    v128_t l1 = wasm_i16x8_shuffle(pair[2], pair[3], 4, 12, 5, 13, 6, 14, 7, 15);
    wasm_v128_store(p, wasm_i32x4_shuffle(f0, l0, 0, 4, 1, 5));
    wasm_v128_store(p + 16, wasm_i32x4_shuffle(f0, l0, 2, 6, 3, 7));
    wasm_v128_store(p + 32, wasm_i32x4_shuffle(f1, l1, 0, 4, 1, 5));
    wasm_v128_store(p + 48, wasm_i32x4_shuffle(f1, l1, 2, 6, 3, 7));
}

RRIP_INLINE v32 w_dot(v16 a, v16 b, int32_t ka, int32_t kb)
{
    const v128_t k = wasm_i32x4_splat((int32_t)((uint32_t)(uint16_t)ka | (uint32_t)kb << 16));
    v32 out = {wasm_i32x4_dot_i16x8(wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11), k),
               wasm_i32x4_dot_i16x8(wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15), k)};
    return out;
}
RRIP_INLINE v32 w_add(v32 a, v32 b)
{
    v32 out = {wasm_i32x4_add(a.low, b.low), wasm_i32x4_add(a.high, b.high)};
    return out;
}
RRIP_INLINE v32 w_sub(v32 a, v32 b)
{
    v32 out = {wasm_i32x4_sub(a.low, b.low), wasm_i32x4_sub(a.high, b.high)};
    return out;
}
RRIP_INLINE v32 w_offset(v32 a, int32_t b)
{
    v32 out = {wasm_i32x4_add(a.low, wasm_i32x4_splat(b)), wasm_i32x4_add(a.high, wasm_i32x4_splat(b))};
    return out;
}
#define w_narrow(a, n) wasm_i16x8_narrow_i32x4(wasm_i32x4_shr((a).low, n), wasm_i32x4_shr((a).high, n))
