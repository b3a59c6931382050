/* crc32c_x86.h: CRC-32C with the instruction of SSE4.2.
 *
 * The instruction has a latency of three cycles and a throughput of one a cycle, so three parts of the data are
 * processed in parallel. Their checksums are combined by a product: the CRC of data followed by n zero bytes is its own
 * times x^(8 n), modulo the polynomial.
 */

/* Product of two polynomials modulo that of CRC-32C; the lowest bit is the coefficient of the highest power. */
static uint32_t crc_product(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (int k = 0; k < 32; k++) {
        product ^= (uint32_t)-(int32_t)(a >> 31) & b;
        a <<= 1;
        b = b >> 1 ^ (0x82F63B78u & (uint32_t)-(int32_t)(b & 1));
    }
    return product;
}

/* x^(64 words) modulo the polynomial, by repeated squaring. */
static uint32_t crc_power(size_t words)
{
    uint32_t power = 0x80000000u, base = 0x80000000u >> 8; /* 1 and x^8 */
    for (int k = 0; k < 3; k++)
        base = crc_product(base, base); /* x^64 */
    for (; words; words >>= 1) {
        if (words & 1)
            power = crc_product(power, base);
        base = crc_product(base, base);
    }
    return power;
}

static uint32_t crc32c_x86(uint32_t before, const uint8_t *data, size_t size)
{
    uint64_t crc = ~before;
    if (size >= 3072) {
        const size_t words = size / 24;
        const uint8_t *second = data + 8 * words, *third = second + 8 * words;
        uint64_t middle = 0, last = 0;
        for (size_t k = 0; k < words; k++) {
            uint64_t a, b, c;
            memcpy(&a, data + 8 * k, 8);
            memcpy(&b, second + 8 * k, 8);
            memcpy(&c, third + 8 * k, 8);
            crc = _mm_crc32_u64(crc, a);
            middle = _mm_crc32_u64(middle, b);
            last = _mm_crc32_u64(last, c);
        }
        const uint32_t power = crc_power(words);
        crc = crc_product((uint32_t)crc, power) ^ (uint32_t)middle;
        crc = crc_product((uint32_t)crc, power) ^ (uint32_t)last;
        data = third + 8 * words;
        size -= 24 * words;
    }
    for (; size >= 8; size -= 8, data += 8) {
        uint64_t a;
        memcpy(&a, data, 8);
        crc = _mm_crc32_u64(crc, a);
    }
    for (; size > 0; size--)
        crc = _mm_crc32_u8((uint32_t)crc, *data++);
    return ~(uint32_t)crc;
}
