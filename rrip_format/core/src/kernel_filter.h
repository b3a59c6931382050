/* kernel_filter.h: the filter of luma of level 0 (spec section 5.8), in 16 bits. */

/* Filter samples `c` with the neighbours beside, above and below them, and the diagonal ones. The sums of differences
 * are those of samples minus 4 c each, so that only samples are added up; the products may wrap, the whole sum does
 * not. */
RRIP_INLINE v16 filter_lanes(const v16 edge[4], const v16 diagonal[4], v16 c, const v16 weights[5])
{
    const v16 least = v_sub(c, v_set(FILTER_LIMIT)), most = v_add(c, v_set(FILTER_LIMIT));
    v16 sums[4];
    for (int k = 0; k < 2; k++) {
        const v16 *a = k ? diagonal : edge;
        sums[k] = v_add(v_add(v_limit(a[0], least, most), v_limit(a[1], least, most)),
                        v_add(v_limit(a[2], least, most), v_limit(a[3], least, most)));
        sums[2 + k] = v_add(v_add(a[0], a[1]), v_add(a[2], a[3]));
    }
    v16 sum = v_add(v_mul(c, weights[4]), v_set(64));
    for (int k = 0; k < 4; k++)
        sum = v_add(sum, v_mul(sums[k], weights[k]));
    return v_add(c, v_shift(sum, 7));
}

static void filter_line(const uint8_t *const rows[3], int32_t count, const int16_t weights[4], uint8_t *out)
{
    v16 k[5];
    for (int i = 0; i < 4; i++)
        k[i] = v_set(weights[i]);
    k[4] = v_set(-4 * (weights[0] + weights[1] + weights[2] + weights[3]));
    for (int32_t x = 0; x < count; x += 2 * LANES) {
        v16 left[3], even[3], odd[3], right[3]; /* samples x - 1, x, x + 1, x + 2 and every second one after them */
        for (int r = 0; r < 3; r++) {
            left[r] = v_even_bytes(rows[r] + x - 1);
            even[r] = v_even_bytes(rows[r] + x);
            odd[r] = v_odd_bytes(rows[r] + x);
            right[r] = v_odd_bytes(rows[r] + x + 1);
        }
        const v16 even_edge[4] = {even[0], left[1], odd[1], even[2]}, odd_edge[4] = {odd[0], even[1], right[1], odd[2]};
        const v16 even_diagonal[4] = {left[0], odd[0], left[2], odd[2]};
        const v16 odd_diagonal[4] = {even[0], right[0], even[2], right[2]};
        v_store_pairs(out + x, filter_lanes(even_edge, even_diagonal, even[1], k),
                      filter_lanes(odd_edge, odd_diagonal, odd[1], k));
    }
}
