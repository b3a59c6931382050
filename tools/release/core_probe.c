/* core_probe.c: runs all kernels of a library on a picture, and prints their names and a checksum of what they give.
 *
 *     core_probe librrip.so
 *
 * Fails if they do not all give the same bytes. With -DPROBE_LINKED it has the functions in itself and takes no argument.
 */
#include <stdio.h>
#include <string.h>

#include "rrip.h"

#define FUNCTIONS(X)                                                                                                   \
    X(abi) X(core_list) X(core_named) X(crc32c) X(decode_scratch) X(decode_stream) X(predict_scratch) X(up2)           \
    X(reconstruct) X(convert_planes) X(rgb_to_ycc) X(rgb_to_exact_ycc) X(difference) X(box2) X(encode_scratch)         \
    X(encode) X(luma) X(dissimilarity_scratch) X(dissimilarity) X(is_sound_jpeg) X(back_project) X(filter_luma)

#define MEMBER(name) __typeof__(rrip_##name) *name;
static struct {
    FUNCTIONS(MEMBER)
} f;

#if defined(PROBE_LINKED)
static int open_library(const char *path)
{
    (void)path;
#define LINK(name) f.name = rrip_##name;
    FUNCTIONS(LINK)
    return 1;
}
#else
#if defined(_WIN32)
#include <windows.h>
#define OPEN(path) LoadLibraryA(path)
#define FIND(library, name) GetProcAddress(library, name)
typedef HMODULE handle;
#else
#include <dlfcn.h>
#define OPEN(path) dlopen(path, RTLD_NOW | RTLD_LOCAL)
#define FIND(library, name) dlsym(library, name)
typedef void *handle;
#endif

static int open_library(const char *path)
{
    const handle library = path ? OPEN(path) : NULL;
    if (!library)
        return 0;
#define LOAD(name)                                                                                                     \
    {                                                                                                                  \
        void *found = (void *)FIND(library, "rrip_" #name);                                                            \
        memcpy(&f.name, &found, sizeof found);                                                                         \
        if (!found)                                                                                                    \
            return 0;                                                                                                  \
    }
    FUNCTIONS(LOAD)
    return 1;
}
#endif

enum { SIDE = 64, AREA = SIDE * SIDE, SCRATCH = 4 << 20 };

static uint8_t rgb[3 * AREA], planes[3 * AREA], decoded[3 * AREA], again[3 * AREA], large[16 * AREA], doubled[4 * AREA];
static float exact[3 * AREA], samples[3 * AREA], before[AREA], after[AREA];
static uint8_t scratch[SCRATCH];

static void paint(void)
{
    uint32_t noise = 1;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            for (int c = 0; c < 3; c++) {
                noise = noise * 1664525u + 1013904223u;
                const int dark = (x - 20) * (x - 20) + (y - 30 - 8 * c) * (y - 30 - 8 * c) < 150;
                rgb[(y * SIDE + x) * 3 + c] = (uint8_t)((dark ? 60 : 150) + x - y / 2 + 10 * c + (int)(noise >> 28));
            }
}

static int failed(const rrip_core *core, const char *what)
{
    fprintf(stderr, "%s fails with kernels %p\n", what, (const void *)core);
    return 1;
}

#define TRY(call)                                                                                                      \
    if ((call) != 0)                                                                                                   \
        return failed(core, #call);
#define SUM(data, size) *sum = f.crc32c(core, *sum, (const uint8_t *)(data), size)

/* Everything that kernels do, once. */
static int run(const rrip_core *core, uint32_t *sum)
{
    static const float weights[7] = {.03125f, .109375f, .21875f, .28125f, .21875f, .109375f, .03125f};
    const rrip_residual how = {{-4, 36, 36, -4}, {-3, 18, 52, -3}, {30, -20}, 1};
    const rrip_window whole = {0, 2 * SIDE, 0, 2 * SIDE}, part = {3, 61, 5, 62};
    const rrip_target flat = {large, sizeof large, 0, 1, 2 * SIDE * 3, 3}, rgba = {large, sizeof large, 8, 1, 256, 4};
    const uint8_t *const residuals[3] = {doubled, NULL, NULL};
    const uint8_t *stream;
    rrip_quantiser quantisers[2];
    rrip_fault fault;
    size_t size;
    double mean;

    if (f.crc32c(core, 0, (const uint8_t *)"123456789", 9) != 0xE3069283u)
        return failed(core, "rrip_crc32c");
    for (int k = 0; k < 2; k++) {
        quantisers[k].rate = k ? .1f : .2f;
        for (int step = 0; step < 64; step++)
            quantisers[k].steps[step] = (uint8_t)(6 + step / 4 + 5 * k);
    }
    memset(large, 0, sizeof large);
    *sum = 0;

    TRY(f.rgb_to_ycc(core, rgb, SIDE, SIDE, planes));
    SUM(planes, sizeof planes);
    TRY(f.rgb_to_exact_ycc(core, rgb, SIDE, SIDE, exact));
    SUM(exact, sizeof exact);
    TRY(f.box2(core, rgb, SIDE - 1, SIDE - 3, large));
    SUM(large, 3 * (SIDE / 2) * (SIDE / 2 - 1));

    for (int passes = 0; passes < 3; passes += 2) {
        TRY(f.difference(core, rgb, SIDE, SIDE, 0, 3, NULL, samples));
        SUM(samples, sizeof samples);
        TRY(f.encode(core, samples, 3, SIDE, SIDE, quantisers, passes, 0, decoded, scratch, SCRATCH, &stream, &size));
        SUM(stream, size);
        if (f.is_sound_jpeg(core, stream, size, NULL, 0, SIDE, SIDE) != 1)
            return failed(core, "rrip_is_sound_jpeg");
        memcpy(large, stream, size);
        TRY(f.decode_stream(core, large, size, SIDE, 3, 0, SIDE, again, scratch, SCRATCH, &fault));
        if (memcmp(again, decoded, sizeof again) != 0)
            return failed(core, "rrip_decode_stream");
        SUM(again, sizeof again);
        TRY(f.difference(core, rgb, SIDE, SIDE, 0, 1, decoded, samples));
        SUM(samples, AREA * sizeof *samples);
        TRY(f.encode(core, samples, 1, SIDE, SIDE, quantisers, passes, 1, NULL, scratch, SCRATCH, &stream, &size));
        SUM(stream, size);
    }

    TRY(f.up2(core, planes, SIDE, SIDE, how.taps, doubled, scratch, SCRATCH));
    SUM(doubled, sizeof doubled);
    TRY(f.reconstruct(core, decoded, SIDE, SIDE, residuals, &how, &whole, 1, &flat, scratch, SCRATCH));
    SUM(large, 12 * AREA);
    TRY(f.reconstruct(core, decoded, SIDE, SIDE, residuals, &how, &part, 1, &rgba, scratch, SCRATCH));
    SUM(large, sizeof large);
    TRY(f.convert_planes(core, planes, SIDE, SIDE, &part, 1, &rgba));
    SUM(large, sizeof large);

    TRY(f.filter_luma(core, doubled, 2 * SIDE, 2 * SIDE, (const int16_t[]){10, 14, 7, -9}, large, scratch, SCRATCH));
    SUM(large, 4 * AREA);

    TRY(f.luma(core, planes, SIDE, SIDE, before));
    TRY(f.luma(core, decoded, SIDE, SIDE, after));
    SUM(before, sizeof before);
    TRY(f.dissimilarity(core, before, after, SIDE, SIDE, weights, 7, 6.5025f, 58.5225f, &mean, scratch, SCRATCH));
    SUM(&mean, sizeof mean);
    TRY(f.back_project(core, before, exact, SIDE / 2, SIDE / 2, how.taps, after, scratch, SCRATCH));
    SUM(after, sizeof after / 4);
    return 0;
}

int main(int count, char **words)
{
    uint32_t first = 0, sum;
    if (!open_library(count > 1 ? words[1] : NULL))
        return fprintf(stderr, "the library does not open, or has not all functions\n"), 1;
    if (f.abi() != RRIP_ABI || !f.core_list(0))
        return fprintf(stderr, "the library has another ABI, or no kernels\n"), 1;
    paint();
    for (size_t index = 0; f.core_list(index); index++) {
        const rrip_core *core = f.core_named(f.core_list(index));
        if (!core || run(core, &sum) != 0)
            return fprintf(stderr, "%s does not work\n", f.core_list(index)), 1;
        if (index == 0)
            first = sum;
        if (sum != first)
            return fprintf(stderr, "%s gives other bytes than %s\n", f.core_list(index), f.core_list(0)), 1;
        printf("%s ", f.core_list(index));
    }
    printf("%08lx\n", (unsigned long)first);
    return 0;
}
