/* variants.c: find the kernels that this processor can run. */
#include "internal.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <cpuid.h>

/* Registers that the operating system saves: bits of XCR0. */
static uint32_t saved_registers(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

/* __builtin_cpu_supports needs a runtime library that not every compiler has. */
static int has_avx2(int wants_avx512)
{
    uint32_t a, b, c, d, ext_c;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return 0;
    const uint32_t needed = 1u << 20 | 1u << 23 | 1u << 27 | 1u << 28; /* SSE4.2, POPCNT, OSXSAVE, AVX */
    if ((c & needed) != needed)
        return 0;
    if (!__get_cpuid(0x80000001, &a, &b, &ext_c, &d) || !(ext_c >> 5 & 1)) /* LZCNT */
        return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return 0;
    uint32_t features = 1u << 3 | 1u << 5 | 1u << 8, registers = 0x6; /* BMI, AVX2, BMI2; SSE and AVX state */
    if (wants_avx512) {
        features |= 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* AVX512F, DQ, BW, VL */
        registers |= 0xE0;
        if (!(c >> 1 & 1)) /* VBMI */
            return 0;
    }
    return (b & features) == features && (saved_registers() & registers) == registers;
}
#endif

/* Kernels number `index` of those that this processor can run, slowest first; NULL behind the last. */
static const rrip_core *variant(size_t index)
{
    size_t at = 0;
    if (index == at++)
        return &rrip_plain;
#if defined(__x86_64__) || defined(_M_X64)
    if (index == at++)
        return &rrip_sse2;
    if (has_avx2(0) && index == at++)
        return &rrip_avx2;
    if (has_avx2(1) && index == at++)
        return &rrip_avx512;
#elif defined(__aarch64__)
    if (index == at++)
        return &rrip_neon;
#elif defined(__wasm_simd128__)
    if (index == at++)
        return &rrip_simd128;
#endif
    return NULL;
}

int rrip_abi(void) { return RRIP_ABI; }

#ifndef RRIP_SOURCES
#define RRIP_SOURCES "unknown"
#endif

const char *rrip_sources(void) { return RRIP_SOURCES; }

const char *rrip_core_name(const rrip_core *core) { return core ? core->name : NULL; }

const char *rrip_core_list(size_t index) { return rrip_core_name(variant(index)); }

const rrip_core *rrip_core_best(void)
{
    const rrip_core *best = NULL;
    for (size_t k = 0; variant(k); k++)
        best = variant(k);
    return best;
}

const rrip_core *rrip_core_named(const char *name)
{
    for (size_t k = 0; name && variant(k); k++) {
        const char *a = variant(k)->name, *b = name;
        while (*a && *a == *b) {
            a++;
            b++;
        }
        if (*a == *b)
            return variant(k);
    }
    return NULL;
}
