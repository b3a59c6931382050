/* source.c: a JPEG of a source, which is looked through. Input: height and width in two bytes, the length of the tables in
 * two more, tables, stream. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input in = {data, size};
    const int32_t height = next_byte(&in), width = next_byte(&in);
    const size_t most = next_two(&in);
    const input tables = next_part(&in, most);
    uint8_t *first = copy_of(tables), *second = copy_of(in);
    const int found = rrip_is_sound_jpeg(rrip_core_best(), second, in.size, tables.size ? first : NULL, tables.size,
                                         height, width);
    CHECK(found == 0 || found == 1);
    free(first);
    free(second);
    return 0;
}
