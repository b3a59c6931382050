/* variant_avx512.c: the kernels for x86-64 processors with AVX-512 and VBMI: Intel since 2019, AMD since 2022. */
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>

#include "blocks.h"

RRIP_TARGET("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx2,bmi,bmi2,lzcnt,popcnt,sse4.2,crc32")
#include "crc32c_x86.h"
#include "simd_avx512.h"

#define VARIANT rrip_avx512
#define VARIANT_NAME "avx512"
#define CRC32C crc32c_x86
#define SCAN_COLOUR rrip_avx2_scan_colour /* a base tile has 16 blocks in a row, half of a group of 32 */
#include "kernels.h"
RRIP_TARGET_END
#else
typedef int rrip_no_avx512;
#endif
