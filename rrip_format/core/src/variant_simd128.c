/* variant_simd128.c: the kernels for WebAssembly. */
#if defined(__wasm_simd128__)
#include <wasm_simd128.h>

#include "blocks.h"
#include "crc32c.h"
#include "simd_wasm.h"

#define VARIANT rrip_simd128
#define VARIANT_NAME "simd128"
#define CRC32C rrip_crc32c_plain
#include "kernels.h"
#else
typedef int rrip_no_simd128;
#endif
