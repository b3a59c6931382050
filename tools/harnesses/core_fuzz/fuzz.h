/* fuzz.h: what the fuzz targets share. Each target is one file with LLVMFuzzerTestOneInput(), for libFuzzer or for
 * driver.c. A finding ends the process: by a sanitizer, or by CHECK().
 *
 * All memory that a call gets is a block of exactly its size, so that AddressSanitizer sees what reaches beyond, and it is
 * filled differently for each variant of the kernels, so that what depends on it differs. */
#ifndef RRIP_FUZZ_H
#define RRIP_FUZZ_H

#include "rrip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                             \
    do {                                                                             \
        if (!(condition)) {                                                          \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);  \
            abort();                                                                 \
        }                                                                            \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of an input; numbers behind its end are 0. */
typedef struct {
    const uint8_t *data;
    size_t size;
} input;

static inline uint8_t next_byte(input *in)
{
    if (!in->size)
        return 0;
    in->size--;
    return *in->data++;
}

static inline uint32_t next_two(input *in)
{
    uint32_t low = next_byte(in);
    return low | (uint32_t)next_byte(in) << 8;
}

/* The next bytes, at most `most` of them. */
static inline input next_part(input *in, size_t most)
{
    input part = {in->data, most < in->size ? most : in->size};
    in->data += part.size;
    in->size -= part.size;
    return part;
}

static inline void *block(size_t size, int fill)
{
    void *made = malloc(size);
    CHECK(made || !size);
    if (size)
        memset(made, fill, size);
    return made;
}

static inline uint8_t *copy_of(input in)
{
    uint8_t *made = block(in.size, 0);
    if (in.size)
        memcpy(made, in.data, in.size);
    return made;
}

/* Variant number `index`, or NULL behind the last one. */
static inline const rrip_core *variant(size_t index)
{
    const char *name = rrip_core_list(index);
    return name ? rrip_core_named(name) : NULL;
}

/* The fastest variant, then one of the others, which `choice` tells: all of them would take too long; then NULL. */
static inline const rrip_core *one_of_two(size_t index, size_t choice)
{
    size_t count = 0;
    while (rrip_core_list(count))
        count++;
    return index == 0 ? variant(count - 1) : index == 1 && count > 1 ? variant(choice % (count - 1)) : NULL;
}

#endif
