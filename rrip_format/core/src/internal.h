/* internal.h: declarations shared by the files of the core; not part of its interface.
 *
 * Time-critical code is in the files kernel_*.h and uses a few vector operations. Each file variant_*.c includes these
 * operations for one kind of processor and the kernels, and exports a table of the kernels: a struct rrip_core. All
 * other files are compiled once and call kernels through such a table.
 */
#ifndef RRIP_INTERNAL_H
#define RRIP_INTERNAL_H

#include "rrip.h"

/* The only functions of the C library that are used. <string.h> is not available everywhere, e.g. for WebAssembly. */
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);

/* Between these, functions are compiled for a processor with `features`, and must not be inlined into others. */
#if defined(__clang__)
#define RRIP_PRAGMA(text) _Pragma(#text)
#define RRIP_TARGET(features) RRIP_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define RRIP_TARGET_END _Pragma("clang attribute pop")
#else
#define RRIP_PRAGMA(text) _Pragma(#text)
#define RRIP_TARGET(features) _Pragma("GCC push_options") RRIP_PRAGMA(GCC target(features))
#define RRIP_TARGET_END _Pragma("GCC pop_options")
#endif

#define RRIP_INLINE static inline __attribute__((always_inline))

static inline int32_t least32(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t most32(int32_t a, int32_t b) { return a > b ? a : b; }

/* Implementation-defined in C; all known compilers agree. */
_Static_assert(-3 >> 1 == -2, "shifts of negative numbers go downwards");
_Static_assert((int16_t)(uint16_t)0xFFFF == -1, "conversions to signed types wrap");

/* ---- Memory: parts of the caller's scratch, one after another --------------------------------------------------- */

typedef struct {
    uint8_t *at, *end; /* the free part; `at` is NULL after a request that did not fit */
} arena;

enum { ALIGNMENT = 64 };

/* AddressSanitizer knows only the caller's whole block. With RRIP_SANITIZED, memory not yet taken is poisoned, and
 * parts have a gap between them, so that overrunning one is noticed. */
#if defined(RRIP_SANITIZED)
#include <sanitizer/asan_interface.h>
enum { GAP_BEHIND = ALIGNMENT };
static inline void keep_to(void *part, size_t size, uint8_t *end)
{
    ASAN_UNPOISON_MEMORY_REGION(part, size);
    ASAN_POISON_MEMORY_REGION((uint8_t *)part + size, (size_t)(end - ((uint8_t *)part + size)));
}
#else
enum { GAP_BEHIND = 0 };
static inline void keep_to(void *part, size_t size, uint8_t *end) { (void)part, (void)size, (void)end; }
#endif

static inline arena arena_of(void *scratch, size_t size)
{
    arena memory = {scratch, scratch ? (uint8_t *)scratch + size : NULL};
    return memory;
}

/* Take `size` bytes aligned to ALIGNMENT; NULL if there are not enough. */
static inline void *take(arena *memory, size_t size)
{
    if (!memory->at)
        return NULL;
    size_t skipped = (size_t)(-(uintptr_t)memory->at & (ALIGNMENT - 1)), left = (size_t)(memory->end - memory->at);
    if (left < skipped + GAP_BEHIND || left - skipped - GAP_BEHIND < size) {
        memory->at = NULL;
        return NULL;
    }
    void *found = memory->at + skipped;
    memory->at += skipped + size + GAP_BEHIND;
    keep_to(found, size, memory->end);
    return found;
}

/* Number of bytes that take() needs at most for `size` bytes. */
static inline size_t taken(size_t size) { return size + ALIGNMENT - 1 + GAP_BEHIND; }

/* ---- Stored tiles ----------------------------------------------------------------------------------------------- */

typedef struct {
    const uint8_t *data;
    size_t size;
} stream;

/* Check a stored tile, in the order of spec section 6.2, and find its streams: 0, or a code of enum rrip_code. */
int rrip_split_tile(const rrip_core *core, const rrip_coding *coding, uint32_t level, uint32_t row, uint32_t col,
                    const uint8_t *data, size_t size, stream streams[3]);

/* ---- JPEG streams ----------------------------------------------------------------------------------------------- */

extern const uint8_t rrip_zigzag[64]; /* raster index of each coefficient in the order of coding (T.81 figure A.6) */

/* Contents of the header of a stream. */
typedef struct {
    uint8_t steps[4][64];      /* quantiser steps in zigzag order, 0 where there is no table */
    uint8_t codes[4][16 + 256]; /* counts and symbols of DC tables 0 and 1 and of AC tables 0 and 1 */
    uint8_t chosen[3][4];      /* identifier, quantiser, DC and AC table of each component */
    size_t scan;               /* offset of the scan's data */
    int32_t interval;          /* blocks of each plane in a restart interval, 0 if there are no restart markers */
} jpeg_header;

/* Read the header up to the scan and check it against spec section 6.1: 0, or a code of enum rrip_code. */
int rrip_read_header(const uint8_t *data, size_t size, int32_t side, int32_t planes, jpeg_header *header,
                     int64_t numbers[4]);

enum {
    LOOKED = 10,    /* bits of an index into the code table: enough for two usual codes with their amplitudes, and few
                       enough that the table fits the first cache */
    FEW_LOOKED = 8, /* the same for short streams, where making a table would take as long as reading the stream */
    FEW_BYTES = 6000, /* size of a short stream */
    END = 128,      /* distance from a position to the same one of the next block, which an end of block adds: twice 64,
                       so that a run past the last coefficient stays in the block */
    MOST_GROUP = 32 /* largest number of blocks transformed at once: a variant's GROUP */
};

/* Lookup tables of the Huffman codes of one component: first AC, then DC (see jpeg_codes.c). */
typedef struct {
    uint64_t pairs[2 << LOOKED];
    int32_t single[2 << LOOKED];
    int32_t above[2][17], offset[2][17]; /* by length: the last code plus 1; index of a symbol minus its code */
    uint8_t symbols[2][256];
    uint64_t seconds[1 << LOOKED]; /* used only while the tables are made */
} code_table;

enum {
    NO_SIZE = 12,                      /* size of a symbol that baseline JPEG does not have */
    LONG_CODE = 15,                    /* in place of a size: the code is longer than the index, or invalid */
    NO_SYMBOL = LONG_CODE << 5 | 31    /* entry of a code whose symbol has NO_SIZE */
};

/* Size of the amplitude of a symbol, NO_SIZE for a symbol not in baseline JPEG, and the run of zeros (T.81 F.1,
 * F.2). */
typedef struct {
    int32_t size, run;
} symbol_meaning;

static inline symbol_meaning rrip_meaning_of(uint8_t code, int is_dc)
{
    const symbol_meaning none = {NO_SIZE, 0}, end = {0, END - 1}, zeros = {0, 15};
    const symbol_meaning of_dc = {code, 0}, of_ac = {code & 15, code >> 4};
    if (is_dc)
        return code <= 11 ? of_dc : none;
    if (of_ac.size == 0)
        return of_ac.run == 0 ? end : of_ac.run == 15 ? zeros : none;
    return of_ac.size <= 10 ? of_ac : none;
}

/* Make the lookup tables for an index of `looked` bits; RRIP_TOO_MANY_CODES or 0. */
int rrip_make_codes(const uint8_t dc[16 + 256], const uint8_t ac[16 + 256], int looked, code_table *table);

/* State of the decoding of a scan, one row of blocks at a time. */
typedef struct {
    const uint8_t *bytes, *limit;  /* the data without stuffed zeros, and their end, followed by zeros */
    const uint32_t *first, *count; /* offset and number of bytes of each restart interval */
    int32_t part, interval, until; /* current interval; blocks of each plane in an interval, and left in this one */
    int32_t planes, across, row;   /* number of planes, blocks in a row, next row of blocks */
    int32_t looked;                /* bits of an index into `tables` */
    const code_table *tables[3];
    int16_t steps[3][64];     /* quantiser steps in zigzag order */
    int16_t *coefficients;    /* (MOST_GROUP * planes + 1, END): a group of blocks of each plane, in scan order and in zigzag
                                 order; positions from 64 on, and the last block, take surplus values */
    int16_t predicted[3];     /* DC of the previous block */
    const uint8_t *at;        /* bit reader: the next byte */
    uint64_t bits;            /* the next bits, the first uppermost */
    uint32_t have;            /* number of these that are from bytes before `at` */
} scan;

/* Largest number of bytes of scratch that rrip_open_scan() takes for a stream. */
size_t rrip_scan_scratch(int32_t side, int32_t planes, size_t size);

/* Check a stream's header, split its scan into restart intervals, and begin at the first row. */
int rrip_open_scan(arena *memory, const uint8_t *data, size_t size, int32_t side, int32_t planes, scan *scan,
                   int64_t numbers[4]);

/* After the last decoded row: if it is the last one of the picture, check that no bits are left; 0 or a code. */
int rrip_close_scan(const scan *scan, int32_t side);

/* Begin the interval `scan->part`. */
void rrip_begin_interval(scan *scan);

/* Check that the bits of the interval are used up but for the padding of its last byte; 0, RRIP_EARLY or RRIP_LATE. */
int rrip_interval_problem(const scan *scan);

/* ---- Prediction ------------------------------------------------------------------------------------------------- */

enum { WIDEST = 1024, LINE = WIDEST + 64 }; /* largest width of a coarse plane; distance of two lines of scratch */

/* Whether taps sum to 64 and their magnitudes to at most 90 (spec section 5.2), so that sums fit 16 bits. */
static inline int are_taps(const int16_t taps[4])
{
    int32_t sum = 0, magnitudes = 0;
    for (int k = 0; k < 4; k++) {
        sum += taps[k];
        magnitudes += taps[k] < 0 ? -taps[k] : taps[k];
    }
    return sum == 64 && magnitudes <= 90;
}

/* Parameters of the prediction of a residual level, for the kernel predict_pair. */
typedef struct {
    const uint8_t *coarse; /* (3, height, width) */
    int32_t height, width;
    const rrip_residual *how;
    int32_t left, right; /* columns of the finer level to compute */
    int32_t colour;      /* write RGB rather than Y, Cb, Cr */
    int16_t *lines;      /* scratch: 6 * LINE */
} prediction;

/* Destination of a line of samples: three pointers to planes, or one to pixels of `step` bytes. */
typedef struct {
    uint8_t *plane[3];
    uint32_t step; /* 1, 3 or 4 */
} line;

/* ---- The filter of luma ------------------------------------------------------------------------------------------ */

enum {
    FILTER_LIMIT = 6, /* of differences that are clipped (spec section 5.8) */
    BESIDE = 64       /* bytes before and after a row of samples that the kernel filter_line may read */
};

/* Whether weights are within the limits of spec section 5.8, so that sums fit 16 bits. */
static inline int are_weights(const int16_t weights[4])
{
    int32_t magnitudes[4];
    for (int k = 0; k < 4; k++)
        magnitudes[k] = weights[k] < 0 ? -weights[k] : weights[k];
    return magnitudes[0] <= 63 && magnitudes[1] <= 63 && magnitudes[2] + magnitudes[3] <= 28;
}

/* The filter of a window of a plane, and the last four rows of Y, Cb and Cr that it reads. */
typedef struct {
    const int16_t *weights;
    rrip_window window, needed; /* what is filtered, and what that depends on */
    int32_t height;             /* of the plane */
    size_t stride;              /* bytes of a row, those beside it included */
    uint8_t *rows;              /* (4, 3, stride): row y of the plane is number y % 4 */
    uint8_t *luma;              /* (stride): the row that was filtered last */
} filtering;

/* Number of bytes of scratch that rrip_begin_filter() takes for a plane of that width. */
size_t rrip_filtering_scratch(int32_t width);

/* The window of a plane that a filtered window depends on. */
rrip_window rrip_window_beside(rrip_window window, int32_t height, int32_t width);

/* Begin to filter a window of a plane: 0 or RRIP_E_SCRATCH. */
int rrip_begin_filter(arena *memory, const int16_t weights[4], const rrip_window *window, int32_t height,
                      int32_t width, filtering *out);

/* Destination of columns `needed.left` to `needed.right` of row y; what is written there is filtered later. */
line rrip_line_to_filter(const filtering *filter, int32_t y);

/* Filter columns `window.left` to `window.right` of row y, after the rows beside it are written; the addresses of its
 * Y, Cb and Cr. */
void rrip_filter_row(const rrip_core *core, const filtering *filter, int32_t y, const uint8_t *planes[3]);

/* ---- Kernels, exported by each variant -------------------------------------------------------------------------- */

/* Floats beyond each end of a row, and rows beyond each end of a plane, in the scratch of the kernel back_project; and
 * the size of that scratch in floats. */
enum { ASIDE = 4 };

static inline size_t project_floats(int32_t height, int32_t width)
{
    return (2 * (size_t)height + 2 * ((size_t)height + 2 * ASIDE)) * (size_t)width + 3 * ((size_t)width + 2 * ASIDE);
}

struct blocks; /* jpeg_encode.c */

struct rrip_core {
    const char *name;
    uint32_t (*crc32c)(uint32_t crc, const uint8_t *data, size_t size);
    /* Decode one row of blocks of a scan of one plane, or of three; unless `out` is NULL, write the samples of each
     * plane to rows `stride` apart. */
    int (*scan_gray)(scan *scan, uint8_t *const out[3], size_t stride, int64_t numbers[4]);
    int (*scan_colour)(scan *scan, uint8_t *const out[3], size_t stride, int64_t numbers[4]);
    /* Reconstruct fine rows 2 n and 2 n + 1; residuals[half][plane] is NULL for a row of 128, out[half] NULL for a row
     * that is not needed. */
    void (*predict_pair)(const prediction *job, int32_t n, const uint8_t *const residuals[2][3],
                         const line *const out[2]);
    void (*up2)(const uint8_t *plane, int32_t height, int32_t width, const int16_t taps[4], int16_t *lines,
                uint8_t *out);
    /* Convert one row of `count` samples of three planes to RGB, or copy it. */
    void (*convert_line)(const uint8_t *const planes[3], int32_t count, int32_t colour, const line *out);
    /* Filter `count` samples of the second of three rows. Up to BESIDE bytes before and after each may be read, and
     * `count` rounded up to whole vectors, of at most BESIDE samples, are written. */
    void (*filter_line)(const uint8_t *const rows[3], int32_t count, const int16_t weights[4], uint8_t *out);
    void (*box2)(const uint8_t *rgb, int32_t height, int32_t width, uint8_t *out);
    void (*rgb_to_ycc)(const uint8_t *rgb, size_t count, uint8_t *out);
    void (*exact_ycc)(const uint8_t *rgb, size_t count, float *out);
    void (*difference)(const uint8_t *rgb, size_t count, int32_t plane, const uint8_t *predicted, float *out);
    void (*luma)(const uint8_t *rgb, size_t count, float *out);
    void (*back_project)(const float *fine, const float *coarse, int32_t height, int32_t width, const float taps[4],
                         float *scratch, float *out);
    double (*dissimilarity)(const float *first, const float *second, int32_t height, int32_t width,
                            const float *weights, int32_t reach, float c1, float c2, float *scratch);
    void (*transform)(const float *samples, int32_t height, int32_t width, const float scale[64], struct blocks *out,
                      int32_t plane);
    void (*choose_ac)(const struct blocks *blocks, int32_t plane, const float cost[11][64], const float cheapest[11],
                      float end);
    void (*decode_levels)(const struct blocks *blocks, int32_t plane, int32_t height, int32_t width,
                          const int16_t steps[64], uint8_t *out);
};

extern const rrip_core rrip_plain;
#if defined(__x86_64__) || defined(_M_X64)
extern const rrip_core rrip_sse2, rrip_avx2, rrip_avx512;
int rrip_avx2_scan_colour(scan *scan, uint8_t *const out[3], size_t stride, int64_t numbers[4]);
#elif defined(__aarch64__)
extern const rrip_core rrip_neon;
#elif defined(__wasm_simd128__)
extern const rrip_core rrip_simd128;
#endif

#endif
