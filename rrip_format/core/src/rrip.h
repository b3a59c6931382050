/* rrip.h: interface of the compiled core of RRIP.
 *
 * RRIP stores whole-slide images as a JPEG base and JPEG residuals. This library decodes stored tiles to pixels and
 * encodes pixels as JPEG streams; files, metadata and containers are left to its callers. "Spec" below means
 * spec/rrip.md, "T.81" the JPEG standard.
 *
 *     cc -std=c11 -O3 -ffp-contract=off -fno-trapping-math -shared -fPIC -fvisibility=hidden -o librrip.so *.c
 *
 * Rules that hold for every function
 *
 *   - No global state, no allocation, no I/O, no locale; of libc only memcpy, memmove, memset and memcmp. Any number of
 *     threads may call at the same time, as long as they do not share `scratch` or output.
 *   - The caller passes the memory that a call needs as `scratch`, of any alignment and of at least the size that the
 *     function *_scratch() returns. Its content before and after the call is irrelevant. If it is too small, the
 *     function returns RRIP_E_SCRATCH.
 *   - Lengths and sizes are checked before anything is read or written. A null pointer where one is needed, or a number
 *     outside the range that is stated here, gives RRIP_E_ARGUMENT: a mistake of the caller, not of the data.
 *   - Bytes from a file may be anything. If they are invalid, the function returns a positive code of `enum rrip_code`.
 *   - The same input gives the same bytes on every processor and from every compiler. Floating-point arithmetic, which
 *     only the encoder and the measures use, is IEEE 754 single or double precision in the written order: build without
 *     -ffast-math and with -ffp-contract=off.
 *   - Planes and pictures are rows of 8-bit samples without gaps, from the upper left; sides are in px.
 */
#ifndef RRIP_H
#define RRIP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define RRIP_API __declspec(dllexport)
#else
#define RRIP_API __attribute__((visibility("default")))
#endif

/* Changes whenever a signature or a struct of this file does; rrip_abi() returns that of the library. */
#define RRIP_ABI 2

/* Limits (spec sections 4.2 and 12). */
#define RRIP_LEAST_TILE 64    /* T, side of a base tile */
#define RRIP_LARGEST_TILE 512
#define RRIP_LARGEST_SIDE 2048 /* of any stored tile: 4 T */
#define RRIP_TRAILER 36       /* bytes behind the last stream of a stored tile */

enum rrip_code {
    RRIP_OK = 0,
    RRIP_E_ARGUMENT = -1,
    RRIP_E_SCRATCH = -2,

    /* A stream's header breaks a rule of spec section 6.1; numbers[] as stated. */
    RRIP_NOT_A_STREAM = 1,    /* start or end marker is missing */
    RRIP_HEADER = 2,          /* invalid at byte [0] */
    RRIP_SEGMENT_LENGTH = 3,  /* the segment at byte [0] is longer than the stream */
    RRIP_TWO_FRAMES = 4,
    RRIP_NOT_BASELINE = 5,    /* or not 8 bits per sample */
    RRIP_SIZE = 6,            /* height [0], width [1], components [2] are not those of the tile */
    RRIP_SUBSAMPLED = 7,
    RRIP_NO_FRAME = 8,        /* the scan comes before its frame header */
    RRIP_SCAN_HEADER = 9,     /* invalid, or not all components in the order of the frame */
    RRIP_QUANTISER = 10,      /* table at byte [0] is invalid, or does not have 8 bits */
    RRIP_HUFFMAN = 11,        /* table at byte [0] is invalid, or not allowed in a baseline stream */
    RRIP_NO_TABLE = 12,       /* no table [0], which component [1] refers to */
    RRIP_RESTART = 13,        /* restart interval at byte [0] is invalid */
    RRIP_MARKER = 14,         /* marker at byte [0] is not allowed before the scan */

    /* A stream's codes break T.81; numbers[0] is a block where one is named. */
    RRIP_TOO_MANY_CODES = 20, /* a Huffman table has more codes than their lengths allow */
    RRIP_NO_CODE = 21,        /* block [0] contains an invalid Huffman code */
    RRIP_COEFFICIENTS = 22,   /* block [0] has more than 64 coefficients */
    RRIP_EARLY = 23,          /* the scan ends early, in row [0] of blocks */
    RRIP_LATE = 24,           /* the scan continues after its last block */
    RRIP_AFTER_SCAN = 25,     /* a marker in the scan, or bytes after the end marker */
    RRIP_INTERVALS = 26,      /* restart markers missing, out of order, or too many */

    /* A stored tile is not the one that was asked for (spec section 6.2). */
    RRIP_TILE_SHORT = 40,     /* fewer bytes than a trailer */
    RRIP_TILE_CHECKSUM = 41,
    RRIP_TILE_PLACE = 42,     /* another tile, or one of another slide */
    RRIP_TILE_TRAILER = 43,   /* its fields contradict each other or the coding */
    RRIP_TILE_EMPTY = 44      /* a tile of level 2 or coarser without a picture */
};

/* A problem of the data, and where it is. */
typedef struct {
    int32_t code;       /* enum rrip_code */
    int32_t tile;       /* which of the tiles that were passed, 0 for the first */
    int32_t plane;      /* which of its streams, 0 for the first */
    int32_t zero;       /* always 0 */
    int64_t numbers[4]; /* see enum rrip_code */
} rrip_fault;

/* ---- The kernels of one kind of processor ----------------------------------------------------------------------- */

/* A set of kernels. All give the same results; they differ only in speed. */
typedef struct rrip_core rrip_core;

RRIP_API int rrip_abi(void);

/* SHA-256 of the sources in hexadecimal, if the build passed it, or "unknown". */
RRIP_API const char *rrip_sources(void);

/* The fastest kernels that this processor can run; or, by name, those of "plain" (portable C), "sse2", "avx2",
 * "avx512", "neon", "simd128". NULL if the name is unknown, or this processor cannot run them. */
RRIP_API const rrip_core *rrip_core_best(void);
RRIP_API const rrip_core *rrip_core_named(const char *name);
RRIP_API const char *rrip_core_name(const rrip_core *core);
/* Name number `index` of the kernels that this processor can run, slowest first; NULL behind the last one. */
RRIP_API const char *rrip_core_list(size_t index);

/* ---- Decoding (spec sections 5 and 6) --------------------------------------------------------------------------- */

/* CRC-32C (Castagnoli) of `size` bytes, continued from `before`, that of the bytes before them; 0 at the beginning. */
RRIP_API uint32_t rrip_crc32c(const rrip_core *core, uint32_t before, const uint8_t *data, size_t size);

/* Parameters of the prediction of a residual level (spec sections 5.2 to 5.4), in 64ths. Taps sum to 64, their
 * magnitudes to at most 90; coefficients are in -127 ... 127. */
typedef struct {
    int16_t taps[4];
    int16_t chroma_taps[4];
    int16_t cfl[2];
    int16_t planes; /* 1: tiles have a luma stream; 3: luma, Cb, Cr */
} rrip_residual;

/* What decoding needs besides tiles (spec section 8.2). */
typedef struct {
    uint8_t slide[8];           /* the first half of the slide's UUID, in the order of its text */
    int32_t tile;               /* T, px: a multiple of 16, RRIP_LEAST_TILE ... RRIP_LARGEST_TILE */
    rrip_residual residuals[2]; /* of level 0 and of level 1 */
    int16_t filter[4];          /* weights of the filter of luma of level 0 (spec section 5.8); all 0: there is none */
} rrip_coding;

/* A rectangle of a tile: rows `top` to `bottom`, columns `left` to `right`, the ends excluded. */
typedef struct {
    int32_t top, bottom, left, right;
} rrip_window;

/* The memory that samples are written to: sample (c, y, x) of a window goes to
 * data[start + c * plane_stride + y * row_stride + x * pixel_stride], an index below `size`.
 * (plane_stride, pixel_stride) of (>= 1, 1) are planes, (1, 3) is RGB, (1, 4) is RGBA whose alpha becomes 255. */
typedef struct {
    uint8_t *data;
    uint64_t size;
    uint64_t start;
    uint64_t plane_stride, row_stride, pixel_stride;
} rrip_target;

/* Size of the scratch for rrip_decode_tile() and rrip_decode_stream(), given T (or the side of the stream) and the
 * size of the longest tile or stream, bytes. */
RRIP_API size_t rrip_decode_scratch(int32_t tile, size_t longest);

/* Decode a window of a tile of any level to RGB.
 *
 * `tiles` are the stored tiles at `row` and `col` of level 2, of levels 2 and 1, or of levels 2, 1 and 0, coarsest
 * first, for levels 2, 1 and 0; and of the level itself for coarser ones. Each is checked first: length, CRC-32C,
 * level, row, column, slide, trailer (spec section 6.2). Rows of a stream below the window are not decoded, so invalid
 * codes there are not found; but the checksum covers all bytes.
 *
 * Returns 0, a negative code, or a positive one, which `fault` describes; the content of the target is then undefined.
 */
RRIP_API int rrip_decode_tile(const rrip_core *core, const rrip_coding *coding, uint32_t level, uint32_t row,
                              uint32_t col, const uint8_t *const tiles[3], const size_t sizes[3],
                              const rrip_window *window, const rrip_target *target, void *scratch,
                              size_t scratch_size, rrip_fault *fault);

/* Decode one JPEG stream to its planes, (planes, side, side), without colour conversion (spec sections 5.1, 6.1).
 *
 * `side` is a multiple of 8, 8 ... RRIP_LARGEST_SIDE; `planes` is 1 or 3. Rows outside [top, bottom) are undefined, and
 * the part of the stream after them is not checked. `out` has planes * side * side bytes.
 */
RRIP_API int rrip_decode_stream(const rrip_core *core, const uint8_t *data, size_t size, int32_t side, int32_t planes,
                                int32_t top, int32_t bottom, uint8_t *out, void *scratch, size_t scratch_size,
                                rrip_fault *fault);

/* ---- Prediction, colour and filter (spec sections 5.2 to 5.5, 5.8), one step at a time --------------------------- */

/* Size of the scratch for rrip_up2() and rrip_reconstruct(). */
RRIP_API size_t rrip_predict_scratch(void);

/* Upsample a plane of height x width px by 2, both at least 1, width at most 1024; `out` has 2 height * 2 width
 * bytes. */
RRIP_API int rrip_up2(const rrip_core *core, const uint8_t *plane, int32_t height, int32_t width,
                      const int16_t taps[4], uint8_t *out, void *scratch, size_t scratch_size);

/* Reconstruct a window of a residual level from the planes of the next coarser one, (3, height, width), width at most
 * 1024.
 *
 * `residuals` are three planes of 2 height x 2 width, 128 = zero; NULL stands for a plane of 128. `window` is of the
 * finer level. With `colour`, RGB is written, otherwise Y, Cb, Cr. */
RRIP_API int rrip_reconstruct(const rrip_core *core, const uint8_t *coarse, int32_t height, int32_t width,
                              const uint8_t *const residuals[3], const rrip_residual *how, const rrip_window *window,
                              int32_t colour, const rrip_target *target, void *scratch, size_t scratch_size);

/* Size of the scratch for rrip_filter_luma(). */
RRIP_API size_t rrip_filter_scratch(int32_t width);

/* Filter a whole plane of luma (spec section 5.8), both sides 1 ... RRIP_LARGEST_SIDE; `out` is another plane of that
 * size. The magnitudes of the first two weights are at most 63, those of the others together at most 28. */
RRIP_API int rrip_filter_luma(const rrip_core *core, const uint8_t *plane, int32_t height, int32_t width,
                              const int16_t weights[4], uint8_t *out, void *scratch, size_t scratch_size);

/* Convert a window of Y, Cb, Cr, (3, height, width), to RGB (spec section 5.5); or, without `colour`, copy it. */
RRIP_API int rrip_convert_planes(const rrip_core *core, const uint8_t *planes, int32_t height, int32_t width,
                                 const rrip_window *window, int32_t colour, const rrip_target *target);

/* ---- Encoding (not normative: any baseline stream will do) ------------------------------------------------------ */

/* Convert (height, width, 3) RGB to YCbCr, (3, height, width), with the rounding of libjpeg. */
RRIP_API int rrip_rgb_to_ycc(const rrip_core *core, const uint8_t *rgb, int32_t height, int32_t width, uint8_t *out);

/* Convert (height, width, 3) RGB to YCbCr without rounding, (3, height, width) floats. */
RRIP_API int rrip_rgb_to_exact_ycc(const rrip_core *core, const uint8_t *rgb, int32_t height, int32_t width,
                                   float *out);

/* Convert (height, width, 3) RGB to unrounded YCbCr, take planes `first` ... `first` + `count` - 1, and subtract their
 * prediction, (count, height, width), or 128 if it is NULL; the result is clipped to -128 ... 127. */
RRIP_API int rrip_difference(const rrip_core *core, const uint8_t *rgb, int32_t height, int32_t width, int32_t first,
                             int32_t count, const uint8_t *predicted, float *out);

/* Average 2 x 2 pixels of (height, width, 3) RGB (spec section 4.3) to (ceil(height / 2), ceil(width / 2), 3). */
RRIP_API int rrip_box2(const rrip_core *core, const uint8_t *rgb, int32_t height, int32_t width, uint8_t *out);

/* Size of the scratch for rrip_back_project(). */
RRIP_API size_t rrip_back_project_scratch(int32_t height, int32_t width);

/* Project what upsampling leaves of a finer plane back to the coarser one: out = U^T (fine - U coarse), where U is the
 * filter of spec section 5.2 without rounding, and U^T its transpose. A part of it, added to `coarse`, gives a plane
 * from which the finer one is predicted better (iterative back projection, Irani and Peleg 1991).
 *
 * `coarse` and `out` have height * width floats, `fine` 4 * height * width; both sides are 1 ... 1024. */
RRIP_API int rrip_back_project(const rrip_core *core, const float *fine, const float *coarse, int32_t height,
                               int32_t width, const int16_t taps[4], float *out, void *scratch, size_t scratch_size);

/* Quantiser steps and the weight of the bit rate. */
typedef struct {
    uint8_t steps[64]; /* quantiser steps in zigzag order, 1 ... 255 (T.81 B.2.4.1) */
    float rate;        /* squared error, in squared steps, that saving a bit is worth; 0 rounds to the nearest */
} rrip_quantiser;

/* Size of the scratch for rrip_encode(). */
RRIP_API size_t rrip_encode_scratch(int32_t planes, int32_t height, int32_t width);

/* Encode one plane as a grayscale JPEG, or three as a 4:4:4 colour JPEG, with optimal Huffman tables.
 *
 * `samples` are planes * height * width floats, sample minus 128, in -128 ... 127; height and width are multiples of 8,
 * at most RRIP_LARGEST_SIDE. `quantisers` are one for one plane; for three planes, one for the first and one for the
 * others. `passes`, 0 ... 8, is the number of rate-distortion passes for planes whose rate is not 0. One plane of zeros
 * gives a stream of no bytes; with `optional`, so does a plane whose bits are worth more than the error of omitting it,
 * if no block loses much. `decoded` is NULL or receives the decoded samples, planes * height * width bytes, unless the
 * stream has no bytes. `stream` receives the address of the stream in the scratch, `size` its size.
 */
RRIP_API int rrip_encode(const rrip_core *core, const float *samples, int32_t planes, int32_t height, int32_t width,
                         const rrip_quantiser *quantisers, int32_t passes, int32_t optional, uint8_t *decoded,
                         void *scratch, size_t scratch_size, const uint8_t **stream, size_t *size);

/* ---- Measures, for an encoder that searches its steps ----------------------------------------------------------- */

/* Convert (3, height, width) RGB to luma without rounding, (height, width) floats. */
RRIP_API int rrip_luma(const rrip_core *core, const uint8_t *rgb, int32_t height, int32_t width, float *out);

/* Size of the scratch for rrip_dissimilarity(). */
RRIP_API size_t rrip_dissimilarity_scratch(int32_t width);

/* Mean of 1 - SSIM of two planes of floats 0 ... 255 over all positions whose window lies inside (Wang et al. 2004).
 * The window has `reach` weights along each axis, which sum to 1; c1 and c2 are SSIM's constants. */
RRIP_API int rrip_dissimilarity(const rrip_core *core, const float *first, const float *second, int32_t height,
                                int32_t width, const float *weights, int32_t reach, float c1, float c2, double *mean,
                                void *scratch, size_t scratch_size);

/* ---- Sources ---------------------------------------------------------------------------------------------------- */

/* 1 if a JPEG of a source is certainly complete and decodes without a warning; 0 if it is damaged or merely unusual
 * (not baseline, fill bytes, several scans), so that another decoder has to judge it. `tables` are the segments of
 * an abbreviated stream (TIFF's JPEGTables), or NULL. Zeros may follow the end marker. */
RRIP_API int rrip_is_sound_jpeg(const rrip_core *core, const uint8_t *data, size_t size, const uint8_t *tables,
                                size_t tables_size, int32_t height, int32_t width);

#ifdef __cplusplus
}
#endif
#endif
