/* crc32c.h: CRC-32C in portable C (spec section 7.1). Internal; variants with an instruction for it have their own. */
#ifndef RRIP_CRC32C_H
#define RRIP_CRC32C_H

#include "internal.h"

uint32_t rrip_crc32c_plain(uint32_t before, const uint8_t *data, size_t size);

#endif
