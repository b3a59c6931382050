/* variant_avx2.c: the kernels for x86-64 processors with AVX2 and BMI2, as nearly all since 2015. */
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>

#include "blocks.h"

RRIP_TARGET("avx2,bmi,bmi2,lzcnt,popcnt,sse4.2,crc32")
#include "crc32c_x86.h"
#include "simd_avx2.h"

#define VARIANT rrip_avx2
#define VARIANT_NAME "avx2"
#define CRC32C crc32c_x86
#include "kernels.h"

int rrip_avx2_scan_colour(scan *scan, uint8_t *const out[3], size_t stride, int64_t numbers[4])
{
    return scan_colour(scan, out, stride, numbers);
}
RRIP_TARGET_END
#else
typedef int rrip_no_avx2;
#endif
