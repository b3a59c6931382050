/* variant_plain.c: the kernels in portable C, for processors of which nothing else is known; the others equal it. */
#include "blocks.h"
#include "crc32c.h"
#include "simd_plain.h"

#define VARIANT rrip_plain
#define VARIANT_NAME "plain"
#define CRC32C rrip_crc32c_plain
#include "kernels.h"
