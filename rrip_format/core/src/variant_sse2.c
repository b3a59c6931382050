/* variant_sse2.c: the kernels for every x86-64 processor. */
#if defined(__x86_64__) || defined(_M_X64)
#include <emmintrin.h>

#include "blocks.h"
#include "crc32c.h"
#include "simd_sse2.h"

#define VARIANT rrip_sse2
#define VARIANT_NAME "sse2"
#define CRC32C rrip_crc32c_plain
#include "kernels.h"
#else
typedef int rrip_no_sse2;
#endif
