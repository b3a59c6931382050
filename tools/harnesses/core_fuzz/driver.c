/* driver.c: runs a target on files, and on changes of them that a seed tells: what libFuzzer does without a search for new
 * ways through the code, for any compiler.
 *
 *     TARGET RUNS SEED FINDING FILE ...
 *
 * The input that ends the process is left in the file FINDING. */
#include "fuzz.h"

#include <signal.h>
#include <unistd.h>

#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>

enum { LARGEST = 1 << 16 };

static uint8_t now[LARGEST];
static size_t now_size;
static const char *finding;
static uint64_t state;

static void leave(void)
{
    int to = open(finding, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    if (to >= 0 && write(to, now, now_size) == (ssize_t)now_size)
        close(to);
}

static void on_abort(int number)
{
    leave();
    signal(number, SIG_DFL);
    raise(number);
}

/* A number below `most` (xorshift64*). */
static size_t below(size_t most)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return most ? (size_t)((state * 0x2545F4914F6CDD1Du) >> 33) % most : 0;
}

static void change(const uint8_t *other, size_t other_size)
{
    static const uint8_t edges[] = {0, 1, 2, 3, 7, 8, 15, 16, 17, 63, 64, 127, 128, 254, 255};
    size_t at = below(now_size), length = 1 + below(16);
    length = length < now_size - at ? length : now_size - at;
    switch (below(8)) {
    case 0:
    case 1:
        if (now_size)
            now[at] ^= (uint8_t)(1u << below(8));
        break;
    case 2:
        if (now_size)
            now[at] = edges[below(sizeof edges)];
        break;
    case 3: /* take out */
        memmove(now + at, now + at + length, now_size - at - length);
        now_size -= length;
        break;
    case 4: /* twice */
        if (now_size + length <= LARGEST) {
            memmove(now + at + length, now + at, now_size - at);
            now_size += length;
        }
        break;
    case 5:
        for (size_t k = 0; k < length; k++)
            now[at + k] = (uint8_t)below(256);
        break;
    case 6:
        if (below(8) == 0)
            now_size = at;
        break;
    default: { /* what another input has somewhere */
        size_t from = below(other_size);
        length = length < other_size - from ? length : other_size - from;
        length = length < now_size - at ? length : now_size - at;
        memcpy(now + at, other + from, length);
    }
    }
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    const size_t count = (size_t)argc - 4;
    uint8_t **files = malloc(count * sizeof *files);
    size_t *sizes = malloc(count * sizeof *sizes);
    const unsigned long runs = strtoul(argv[1], NULL, 10);
    finding = argv[3];
    __sanitizer_set_death_callback(leave);
    signal(SIGABRT, on_abort);
    for (size_t k = 0; k < count; k++) {
        FILE *file = fopen(argv[4 + k], "rb");
        if (!file)
            return 2;
        sizes[k] = fread(now, 1, LARGEST, file);
        fclose(file);
        files[k] = copy_of((input){now, sizes[k]});
        now_size = sizes[k];
        LLVMFuzzerTestOneInput(now, now_size);
    }
    for (unsigned long run = 0; run < runs; run++) {
        state = (strtoull(argv[2], NULL, 10) + 1) * 0x9E3779B97F4A7C15u + (run + 1) * 0xD1B54A32D192ED03u;
        const size_t n = below(count), other = below(count);
        memcpy(now, files[n], sizes[n]);
        now_size = sizes[n];
        for (size_t changes = 1 + below(4); changes > 0; changes--)
            change(files[other], sizes[other]);
        LLVMFuzzerTestOneInput(now, now_size);
    }
    for (size_t k = 0; k < count; k++)
        free(files[k]);
    free(files);
    free(sizes);
    printf("%lu inputs, nothing found\n", (unsigned long)count + runs);
    return 0;
}
