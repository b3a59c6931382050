/* variant_plain.c: the kernels in portable C, for any processor; the other variants give the same results. */
#include "blocks.h"
#include "crc32c.h"
#include "simd_plain.h"

#define VARIANT rrip_plain
#define VARIANT_NAME "plain"
#define CRC32C rrip_crc32c_plain
#include "kernels.h"
