/* kernel_predict.h: prediction, chroma from luma and colour (spec sections 5.2 to 5.5).
 *
 * All arithmetic is in 16 bits, which suffice by the proof of spec section 5.6. An even sample of the finer level and
 * the odd one after it depend on the same five coarse ones, so each vector has either even or odd samples, and no
 * sample changes its lane before it is stored. Predicted samples have 128 subtracted, as C and Q of section 5.2.
 */

/* Samples that repeat the outermost one beyond each end of a row; a line begins with those of the left end. */
enum { BEYOND = 2 };

/* Filter a column, plus 1: as the taps sum to 64, this adds the 64 by which the horizontal filter rounds. */
RRIP_INLINE int16_t filtered(int32_t a, int32_t b, int32_t c, int32_t d, const int16_t k[4])
{
    return (int16_t)(((k[0] * a + k[1] * b + k[2] * c + k[3] * d + 16 - 128 * 64) >> 5) + 1);
}

RRIP_INLINE v16 v_clip(v16 a, int32_t least, int32_t most) { return v_limit(a, v_set(least), v_set(most)); }

RRIP_INLINE v16 v_filtered(v16 a, v16 b, v16 c, v16 d, const v16 k[4])
{
    v16 sum = v_add(v_add(v_mul(a, k[0]), v_mul(b, k[1])), v_add(v_mul(c, k[2]), v_mul(d, k[3])));
    return v_add(v_shift(v_add(sum, v_set(16 - 128 * 64)), 5), v_set(1));
}

/* Filter the columns `first` to `stop` (and BEYOND more at each end) of a plane for the fine rows 2 n and 2 n + 1;
 * write these to `lines` and `lines` + LINE. */
RRIP_INLINE void filter_columns(const uint8_t *plane, int32_t height, int32_t width, int32_t n, const int16_t taps[4],
                                int32_t first, int32_t stop, int16_t *lines)
{
    const uint8_t *r0 = plane + (size_t)most32(n - 2, 0) * (size_t)width;
    const uint8_t *r1 = plane + (size_t)most32(n - 1, 0) * (size_t)width;
    const uint8_t *r2 = plane + (size_t)n * (size_t)width;
    const uint8_t *r3 = plane + (size_t)least32(n + 1, height - 1) * (size_t)width;
    const uint8_t *r4 = plane + (size_t)least32(n + 2, height - 1) * (size_t)width;
    const int16_t mirrored[4] = {taps[3], taps[2], taps[1], taps[0]};
    int16_t *upper = lines + BEYOND, *lower = upper + LINE;
    v16 k[4], m[4];
    for (int i = 0; i < 4; i++) {
        k[i] = v_set(taps[i]);
        m[i] = v_set(mirrored[i]);
    }
    int32_t x = most32(first - BEYOND, 0), end = least32(stop + BEYOND, width);
    for (; x + LANES <= end; x += LANES) {
        v16 v0 = v_load_bytes(r0 + x), v1 = v_load_bytes(r1 + x), v2 = v_load_bytes(r2 + x);
        v16 v3 = v_load_bytes(r3 + x), v4 = v_load_bytes(r4 + x);
        v_store(upper + x, v_filtered(v0, v1, v2, v3, m));
        v_store(lower + x, v_filtered(v1, v2, v3, v4, k));
    }
    for (; x < end; x++) {
        upper[x] = filtered(r0[x], r1[x], r2[x], r3[x], mirrored);
        lower[x] = filtered(r1[x], r2[x], r3[x], r4[x], taps);
    }
    for (int16_t *row = upper; row <= lower; row += LINE) {
        row[-1] = row[-2] = row[0];
        row[width] = row[width + 1] = row[width - 1];
    }
}

/* Predict even and odd samples, minus 128, from the five filtered ones that begin at `row`. */
RRIP_INLINE void predict_lanes(const int16_t *row, const v16 k[4], v16 *even, v16 *odd)
{
    v16 v0 = v_load(row), v1 = v_load(row + 1), v2 = v_load(row + 2), v3 = v_load(row + 3), v4 = v_load(row + 4);
    v16 e = v_add(v_add(v_mul(v0, k[3]), v_mul(v1, k[2])), v_add(v_mul(v2, k[1]), v_mul(v3, k[0])));
    v16 o = v_add(v_add(v_mul(v1, k[0]), v_mul(v2, k[1])), v_add(v_mul(v3, k[2]), v_mul(v4, k[3])));
    *even = v_clip(v_shift(e, 7), -128, 127);
    *odd = v_clip(v_shift(o, 7), -128, 127);
}

/* Compute red, green and blue, not yet clipped, from y (0 ... 255) and from chroma minus 128 (spec section 5.5).
 *
 * A factor f of that section and its shift, (f c + 32768) >> 16, equal c times the integral part of f / 65536 plus
 * v_scale(c, f / 2) for the rest, for every c in -128 ... 127 (also if f is odd). In green two products share one
 * shift, so their factors are split: f = 256 a + b, and only the part of b is shifted twice. */
RRIP_INLINE void rgb_lanes(v16 y, v16 b, v16 r, v16 out[3])
{
    out[0] = v_add(v_add(y, r), v_scale(r, 13173));
    v16 fine = v_shift(v_add(v_mul(b, v_set(-26)), v_mul(r, v_set(46))), 8);
    v16 green = v_add(v_add(v_mul(b, v_set(-88)), v_mul(r, v_set(73))), v_add(fine, v_set(128)));
    out[1] = v_add(v_sub(y, r), v_shift(green, 8));
    out[2] = v_add(v_add(y, v_add(b, b)), v_scale(b, -7471));
}

/* Store 2 * LANES samples to `out` from its sample `x` on, but only those in 0 ... `count` - 1. */
RRIP_INLINE void store_lanes(const line *out, int32_t x, int32_t count, const v16 even[3], const v16 odd[3])
{
    const int32_t width = 2 * LANES;
    int is_whole = x >= 0 && x + width <= count;
    uint8_t part[4 * 2 * LANES];
    if (out->step == 1) {
        for (int c = 0; c < 3; c++) {
            if (is_whole) {
                v_store_pairs(out->plane[c] + x, even[c], odd[c]);
                continue;
            }
            int32_t from = most32(-x, 0), to = least32(count - x, width);
            v_store_pairs(part, even[c], odd[c]);
            if (from < to)
                memcpy(out->plane[c] + x + from, part + from, (size_t)(to - from));
        }
        return;
    }
    const int32_t step = (int32_t)out->step;
    uint8_t *to = is_whole ? out->plane[0] + (ptrdiff_t)x * step : part;
    if (step == 3)
        v_store_pixels(to, even, odd, 3);
    else
        v_store_pixels(to, even, odd, 4);
    if (!is_whole) {
        int32_t from = most32(-x, 0), end = least32(count - x, width);
        if (from < end)
            memcpy(out->plane[0] + (ptrdiff_t)(x + from) * step, part + from * step, (size_t)((end - from) * step));
    }
}

/* Taps of a level as vectors. */
typedef struct {
    v16 luma[4], chroma[4];
} filters;

/* Reconstruct one fine row from the filtered lines of Y, Cb and Cr, which are 2 * LINE apart. */
RRIP_INLINE void predict_row(const prediction *job, const filters *k, const int16_t *lines,
                             const uint8_t *const residual[3], const int has_luma, const int has_chroma,
                             const int colour, const line *out)
{
    const int32_t begin = job->left / 2, stop = (job->right + 1) / 2, count = job->right - job->left;
    const uint8_t *r[3] = {residual[0], residual[1], residual[2]};
    uint8_t tail[3][2 * LANES];
    for (int32_t x = begin; x < stop; x += LANES) {
        ptrdiff_t at = 2 * (ptrdiff_t)x;
        if (x + LANES > job->width) { /* do not read behind the end of the row */
            size_t left = 2 * (size_t)(job->width - x);
            for (int c = 0; c < 3; c++)
                if (residual[c])
                    r[c] = memcpy(tail[c], residual[c] + 2 * x, left);
            at = 0;
        }
        v16 even[3], odd[3], e, o, even_change, odd_change; /* D of section 5.3 */
        predict_lanes(lines + x, k->luma, &e, &o);
        if (has_luma) {
            even[0] = v_clip(v_add(e, v_even_bytes(r[0] + at)), 0, 255);
            odd[0] = v_clip(v_add(o, v_odd_bytes(r[0] + at)), 0, 255);
            even_change = v_sub(v_sub(even[0], v_set(128)), e);
            odd_change = v_sub(v_sub(odd[0], v_set(128)), o);
        } else {
            even[0] = v_add(e, v_set(128));
            odd[0] = v_add(o, v_set(128));
        }
        for (int c = 1; c < 3; c++) {
            predict_lanes(lines + 2 * LINE * c + x, k->chroma, &e, &o);
            if (has_luma) {
                e = v_add(e, v_follow(even_change, job->how->cfl[c - 1]));
                o = v_add(o, v_follow(odd_change, job->how->cfl[c - 1]));
            }
            if (has_chroma) { /* one of the two may be NULL */
                e = v_add(e, r[c] ? v_sub(v_even_bytes(r[c] + at), v_set(128)) : v_set(0));
                o = v_add(o, r[c] ? v_sub(v_odd_bytes(r[c] + at), v_set(128)) : v_set(0));
            }
            even[c] = v_clip(e, -128, 127);
            odd[c] = v_clip(o, -128, 127);
        }
        if (colour) {
            v16 even_rgb[3], odd_rgb[3];
            rgb_lanes(even[0], even[1], even[2], even_rgb);
            rgb_lanes(odd[0], odd[1], odd[2], odd_rgb);
            store_lanes(out, 2 * x - job->left, count, even_rgb, odd_rgb);
        } else {
            for (int c = 1; c < 3; c++) {
                even[c] = v_add(even[c], v_set(128));
                odd[c] = v_add(odd[c], v_set(128));
            }
            store_lanes(out, 2 * x - job->left, count, even, odd);
        }
    }
}

static void predict_pair(const prediction *job, int32_t n, const uint8_t *const residuals[2][3],
                         const line *const out[2])
{
    const rrip_residual *how = job->how;
    const size_t size = (size_t)job->height * (size_t)job->width;
    const int32_t begin = job->left / 2, stop = (job->right + 1) / 2;
    filters k;
    for (int i = 0; i < 4; i++) {
        k.luma[i] = v_set(how->taps[i]);
        k.chroma[i] = v_set(how->chroma_taps[i]);
    }
    for (int c = 0; c < 3; c++)
        filter_columns(job->coarse + (size_t)c * size, job->height, job->width, n, c ? how->chroma_taps : how->taps,
                       begin, stop, job->lines + 2 * LINE * c);
    for (int half = 0; half < 2; half++) {
        const uint8_t *const *r = residuals[half];
        const int16_t *lines = job->lines + LINE * half;
        const int has_chroma = r[1] || r[2];
        if (!out[half])
            continue;
        if (job->colour && r[0] && !has_chroma) /* level 0 of most slides */
            predict_row(job, &k, lines, r, 1, 0, 1, out[half]);
        else if (!job->colour && r[0] && !has_chroma) /* the same, to be filtered */
            predict_row(job, &k, lines, r, 1, 0, 0, out[half]);
        else if (!job->colour && r[0] && has_chroma) /* level 1 of most slides, on the way to level 0 */
            predict_row(job, &k, lines, r, 1, 1, 0, out[half]);
        else
            predict_row(job, &k, lines, r, r[0] != NULL, has_chroma, job->colour, out[half]);
    }
}

static void up2(const uint8_t *plane, int32_t height, int32_t width, const int16_t taps[4], int16_t *lines,
                uint8_t *out)
{
    v16 k[4];
    for (int i = 0; i < 4; i++)
        k[i] = v_set(taps[i]);
    for (int32_t n = 0; n < height; n++) {
        filter_columns(plane, height, width, n, taps, 0, width, lines);
        for (int half = 0; half < 2; half++) {
            uint8_t *row = out + (size_t)(2 * n + half) * 2 * (size_t)width, part[2 * LANES];
            for (int32_t x = 0; x < width; x += LANES) {
                int is_whole = x + LANES <= width;
                v16 even, odd;
                predict_lanes(lines + LINE * half + x, k, &even, &odd);
                v_store_pairs(is_whole ? row + 2 * x : part, v_add(even, v_set(128)), v_add(odd, v_set(128)));
                if (!is_whole)
                    memcpy(row + 2 * x, part, 2 * (size_t)(width - x));
            }
        }
    }
}

static void convert_line(const uint8_t *const planes[3], int32_t count, int32_t colour, const line *out)
{
    uint8_t tail[3][2 * LANES];
    for (int32_t x = 0; x < count; x += 2 * LANES) {
        v16 even[3], odd[3];
        for (int c = 0; c < 3; c++) {
            const uint8_t *from = planes[c] + x;
            if (x + 2 * LANES > count) {
                memcpy(tail[c], from, (size_t)(count - x));
                from = tail[c];
            }
            even[c] = v_even_bytes(from);
            odd[c] = v_odd_bytes(from);
        }
        if (colour) {
            for (int c = 1; c < 3; c++) {
                even[c] = v_sub(even[c], v_set(128));
                odd[c] = v_sub(odd[c], v_set(128));
            }
            v16 even_rgb[3], odd_rgb[3];
            rgb_lanes(even[0], even[1], even[2], even_rgb);
            rgb_lanes(odd[0], odd[1], odd[2], odd_rgb);
            store_lanes(out, x, count, even_rgb, odd_rgb);
        } else {
            store_lanes(out, x, count, even, odd);
        }
    }
}
