/* encode.c: the encoder, also of samples that are out of their range or no numbers at all.
 *
 * Input: a byte for planes, options and kind of samples; height and width in blocks; passes; rate in two bytes; a number of
 * steps, these; samples, which are repeated. What is encoded must decode to what the encoder says; all variants must agree.
 */
#include "fuzz.h"

/* Mostly few, now and then more than are coded at once. */
static int32_t blocks_of(uint8_t choice) { return 8 * (1 + (choice < 240 ? choice % 4 : choice - 235)); }

static float sample_of(input all, size_t n, int is_raw)
{
    if (!all.size)
        return 0;
    if (!is_raw)
        return (float)all.data[n % all.size] - 128.0f;
    uint8_t bytes[4];
    for (size_t k = 0; k < 4; k++)
        bytes[k] = all.data[(4 * n + k) % all.size];
    float value;
    memcpy(&value, bytes, 4);
    return value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input in = {data, size};
    const uint8_t how = next_byte(&in);
    const int32_t planes = how & 1 ? 3 : 1, height = blocks_of(next_byte(&in));
    const int32_t width = how & 2 ? blocks_of(next_byte(&in)) : height, passes = next_byte(&in) % 9;
    rrip_quantiser quantisers[2];
    quantisers[0].rate = (float)next_two(&in) / 256.0f;
    quantisers[1].rate = how & 4 ? 0 : quantisers[0].rate;
    const input steps = next_part(&in, next_byte(&in));
    for (size_t k = 0; k < 128; k++) {
        uint8_t step = steps.size ? steps.data[k % steps.size] : 1;
        quantisers[k / 64].steps[k % 64] = step ? step : 1;
    }
    const size_t area = (size_t)height * (size_t)width, count = (size_t)planes * area;
    const size_t room = rrip_encode_scratch(planes, height, width);
    float *samples = block(count * sizeof *samples, 0);
    for (size_t n = 0; n < count; n++)
        samples[n] = sample_of(in, n, how & 8);
    uint8_t *kept = NULL, *expected = NULL;
    size_t kept_size = 0;
    const rrip_core *core;
    for (size_t n = 0; (core = one_of_two(n, size)); n++) {
        uint8_t *scratch = block(room, n % 2 ? 0xFF : 0x5A), *decoded = block(count, 0xA5);
        const uint8_t *stream;
        size_t length;
        CHECK(rrip_encode(core, samples, planes, height, width, quantisers, passes, how & 16, decoded, scratch, room,
                          &stream, &length) == 0);
        if (n == 0) {
            kept = copy_of((input){stream, length});
            kept_size = length;
            expected = decoded;
        } else {
            CHECK(length == kept_size && memcmp(stream, kept, length) == 0);
            CHECK(!length || memcmp(decoded, expected, count) == 0);
            free(decoded);
        }
        free(scratch);
        if (length && height == width) {
            const size_t decode_room = rrip_decode_scratch(height, length);
            uint8_t *back = block(count, 0x5A), *memory = block(decode_room, 0);
            rrip_fault fault;
            CHECK(rrip_decode_stream(core, kept, length, height, planes, 0, height, back, memory, decode_room,
                                     &fault) == 0);
            CHECK(memcmp(back, expected, count) == 0);
            free(back);
            free(memory);
        }
    }
    free(kept);
    free(expected);
    free(samples);
    return 0;
}
