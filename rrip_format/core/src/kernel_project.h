/* kernel_project.h: back projection for the encoder, in loops that compilers vectorise.
 *
 * The filter of spec section 5.2 without rounding, U, is separable. Coarse rows are filtered first, even and odd samples
 * apart; each fine row is predicted from four of them, and its error goes through the transposed filter of rows, then
 * through that of columns. What a filter took from beyond an edge came from the outermost sample, so that sample gets
 * what the transposed filter gives to its neighbours there. Floating-point operations are in the written order on every
 * processor.
 */

/* Filter a row; `even` and `odd` receive the samples 2 x and 2 x + 1 of the finer level. `line` has room for ASIDE more
 * samples at each end. */
RRIP_INLINE void filter_row(const float *from, int32_t width, const float k[4], float *line, float *restrict even,
                            float *restrict odd)
{
    float *at = line + ASIDE;
    memcpy(at, from, (size_t)width * sizeof *at);
    at[-2] = at[-1] = at[0];
    at[width] = at[width + 1] = at[width - 1];
    for (int32_t x = 0; x < width; x++) {
        even[x] = k[0] * at[x + 1] + k[1] * at[x] + k[2] * at[x - 1] + k[3] * at[x - 2];
        odd[x] = k[0] * at[x - 1] + k[1] * at[x] + k[2] * at[x + 1] + k[3] * at[x + 2];
    }
}

/* Subtract the prediction of a fine row, by four filtered rows, from its even and its odd samples. */
RRIP_INLINE void subtract(const float *restrict fine, const float *a, const float *b, const float *c, const float *d,
                          int32_t width, const float k[4], float *restrict even, float *restrict odd)
{
    const float k0 = k[0], k1 = k[1], k2 = k[2], k3 = k[3];
    for (int32_t x = 0; x < width; x++) {
        even[x] = fine[2 * x] - (k0 * a[x] + k1 * b[x] + k2 * c[x] + k3 * d[x]);
        odd[x] = fine[2 * x + 1] - (k0 * a[width + x] + k1 * b[width + x] + k2 * c[width + x] + k3 * d[width + x]);
    }
}

/* Apply the transposed filter to even and odd samples that are `apart` numbers apart, and have zeros at both ends. */
RRIP_INLINE void transposed(const float *restrict even, const float *restrict odd, ptrdiff_t apart, int32_t first, int32_t stop,
                            const float k[4], float *restrict to)
{
    const ptrdiff_t a = apart;
    for (int32_t x = first; x < stop; x++)
        to[x] = (k[0] * even[x - a] + k[1] * even[x] + k[2] * even[x + a] + k[3] * even[x + 2 * a]) +
                (k[0] * odd[x + a] + k[1] * odd[x] + k[2] * odd[x - a] + k[3] * odd[x - 2 * a]);
}

static void back_project(const float *fine, const float *coarse, int32_t height, int32_t width, const float taps[4],
                         float *scratch, float *out)
{
    const ptrdiff_t row = width, aside = row + 2 * ASIDE, plane = row * ((ptrdiff_t)height + 2 * ASIDE);
    float *even = scratch + ASIDE, *odd = even + aside, *line = odd + aside, *filtered_rows = scratch + 3 * aside;
    float *errors[2] = {filtered_rows + 2 * row * height, filtered_rows + 2 * row * height + plane};
    for (int32_t n = 0; n < height; n++) {
        float *to = filtered_rows + 2 * row * n;
        filter_row(coarse + row * n, width, taps, scratch, to, to + row);
    }
    memset(scratch, 0, 3 * (size_t)aside * sizeof *scratch);
    for (int half = 0; half < 2; half++) {
        memset(errors[half], 0, ASIDE * (size_t)row * sizeof *errors[half]);
        memset(errors[half] + plane - ASIDE * row, 0, ASIDE * (size_t)row * sizeof *errors[half]);
        errors[half] += ASIDE * row;
    }
    for (int32_t y = 0; y < 2 * height; y++) {
        const int32_t n = y / 2, way = y % 2 ? 1 : -1; /* taps go downwards for odd rows, upwards for even ones */
        const float *from[4], *wanted = fine + 2 * row * y;
        for (int t = 0; t < 4; t++)
            from[t] = filtered_rows + 2 * row * least32(most32(n + way * (t - 1), 0), height - 1);
        subtract(wanted, from[0], from[1], from[2], from[3], width, taps, even, odd);
        transposed(even, odd, 1, -2, width + 2, taps, line);
        line[0] += line[-1] + line[-2];
        line[width - 1] += line[width] + line[width + 1];
        memcpy(errors[y % 2] + row * n, line, (size_t)row * sizeof *line);
    }
    for (int32_t n = 0; n < height; n++)
        transposed(errors[0] + row * n, errors[1] + row * n, row, 0, width, taps, out + row * n);
    for (int32_t n = -2; n < height + 2; n = n == -1 ? height : n + 1) {
        float *restrict to = out + row * (n < 0 ? 0 : height - 1);
        transposed(errors[0] + row * n, errors[1] + row * n, row, 0, width, taps, line);
        for (int32_t x = 0; x < width; x++)
            to[x] += line[x];
    }
}
