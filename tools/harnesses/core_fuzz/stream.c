/* stream.c: one JPEG stream. Input: a byte for side and planes, two for the first row and the number of rows, then the
 * stream. All variants must agree in code, fault and rows. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int32_t sides[8] = {8, 16, 24, 64, 136, 16, 64, 256};
    input in = {data, size};
    const uint8_t how = next_byte(&in);
    const int32_t side = sides[how & 7], planes = how & 8 ? 3 : 1;
    const int32_t top = next_byte(&in) * side / 256, rows = 1 + next_byte(&in) * (side - top) / 256;
    const int32_t bottom = top + rows < side ? top + rows : side;
    const size_t area = (size_t)side * (size_t)side, room = rrip_decode_scratch(side, in.size);
    uint8_t *stream = copy_of(in), *first = NULL;
    rrip_fault expected = {0, 0, 0, 0, {0, 0, 0, 0}};
    const rrip_core *core;
    for (size_t k = 0; (core = one_of_two(k, size)); k++) {
        uint8_t *out = block((size_t)planes * area, 0xA5), *scratch = block(room, k % 2 ? 0xFF : 0x5A);
        rrip_fault fault;
        int code = rrip_decode_stream(core, stream, in.size, side, planes, top, bottom, out, scratch, room, &fault);
        CHECK(code >= 0 && code == fault.code);
        if (first) {
            CHECK(memcmp(&fault, &expected, sizeof fault) == 0);
            for (size_t c = 0; c < (size_t)planes && !code; c++)
                CHECK(!memcmp(first + c * area + (size_t)(top * side), out + c * area + (size_t)(top * side),
                              (size_t)((bottom - top) * side)));
            free(out);
        } else {
            first = out;
            expected = fault;
        }
        free(scratch);
    }
    free(first);
    free(stream);
    return 0;
}
