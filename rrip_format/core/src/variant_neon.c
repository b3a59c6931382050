/* variant_neon.c: the kernels for 64-bit ARM processors. */
#if defined(__aarch64__)
#include <arm_neon.h>

#include "blocks.h"
#include "crc32c.h"
#include "simd_neon.h"

#define VARIANT rrip_neon
#define VARIANT_NAME "neon"
#define CRC32C rrip_crc32c_plain
#include "kernels.h"
#else
typedef int rrip_no_neon;
#endif
