/* core_probe.c: opens the library that its argument names and prints the kernels that work there; 0 if all do. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#if defined(_WIN32)
#include <windows.h>
#define OPEN(path) LoadLibraryA(path)
#define FIND(library, name) ((void *)(uintptr_t)GetProcAddress((HMODULE)(library), name))
#else
#include <dlfcn.h>
#define OPEN(path) dlopen(path, RTLD_NOW | RTLD_LOCAL)
#define FIND(library, name) dlsym(library, name)
#endif

int main(int count, char **words) {
    union {
        void *found;
        int (*abi)(void);
        const char *(*list)(size_t);
        const void *(*named)(const char *);
        uint32_t (*crc32c)(const void *, uint32_t, const uint8_t *, size_t);
    } abi, list, named, crc32c;
    void *library = count == 2 ? (void *)OPEN(words[1]) : NULL;
    if (!library) return fprintf(stderr, "the library does not open\n"), 1;
    abi.found = FIND(library, "rrip_abi");
    list.found = FIND(library, "rrip_core_list");
    named.found = FIND(library, "rrip_core_named");
    crc32c.found = FIND(library, "rrip_crc32c");
    if (!abi.found || !list.found || !named.found || !crc32c.found) return fprintf(stderr, "a function is missing\n"), 1;
    if (abi.abi() <= 0 || !list.list(0)) return fprintf(stderr, "there are no kernels\n"), 1;
    for (size_t index = 0; list.list(index); index++) {
        const void *core = named.named(list.list(index));
        if (!core || crc32c.crc32c(core, 0, (const uint8_t *)"123456789", 9) != 0xE3069283u)
            return fprintf(stderr, "%s gives a wrong checksum\n", list.list(index)), 1;
        printf("%s%s", index ? " " : "", list.list(index));
    }
    return 0;
}
