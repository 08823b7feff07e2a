/* count_allocations.c - loaded before the C library: counts what is allocated, for test_allocations.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

static volatile long count;
long allocations(void) { return count; }

#define COUNTED(name, type, parameters, arguments)                      \
    type name parameters                                                \
    {                                                                   \
        static type(*next) parameters;                                  \
        if (!next) next = (type(*) parameters)dlsym(RTLD_NEXT, #name);  \
        __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);                \
        return next arguments;                                          \
    }

COUNTED(malloc, void *, (size_t size), (size))
COUNTED(realloc, void *, (void *p, size_t size), (p, size))
COUNTED(posix_memalign, int, (void **p, size_t alignment, size_t size), (p, alignment, size))
COUNTED(aligned_alloc, void *, (size_t alignment, size_t size), (alignment, size))

/* dlsym itself allocates with calloc; the first few bytes it wants come from here. */
void *calloc(size_t n, size_t size)
{
    static void *(*next)(size_t, size_t);
    static char first[4096];
    static size_t used;
    static int asking;
    if (asking) {
        void *p = first + used;
        used += (n * size + 15) / 16 * 16;
        return used <= sizeof first ? p : NULL;
    }
    if (!next) {
        asking = 1;
        next = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
        asking = 0;
    }
    __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
    return next(n, size);
}
