/* fail_allocation.c - loaded before the C library: memory that certain libraries ask for is counted, and once is not there; for
 * failing_allocations.py. Which libraries: those whose code lies in the ranges of addresses that `watch` is told. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

enum { RANGES = 64, SLOTS = 1 << 20 };
static struct { uintptr_t begin, end; } ranges[RANGES];
static int watched;
static long asked, failing;          /* since `fail_at`: how many there were; which of them fails, or 0 */
static struct { uintptr_t address; size_t size; } known[SLOTS]; /* what is alive of theirs, by open addressing */
static long live, forgotten;         /* bytes of them; how many there was no slot for */
static int busy;

static void lock(void) { while (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE)) continue; }
static void unlock(void) { __atomic_store_n(&busy, 0, __ATOMIC_RELEASE); }

void watch(uintptr_t begin, uintptr_t end)
{
    if (watched < RANGES) ranges[watched].begin = begin, ranges[watched].end = end, watched++;
}
void fail_at(long number) { lock(), asked = 0, failing = number, unlock(); }
long asked_for(void) { return asked; }
long live_bytes(void) { return live; }
long forgotten_ones(void) { return forgotten; }

static int is_watched(void *caller)
{
    for (int i = 0; i < watched; i++)
        if ((uintptr_t)caller >= ranges[i].begin && (uintptr_t)caller < ranges[i].end) return 1;
    return 0;
}

/* Whether this one is to fail. */
static int fails(void *caller)
{
    if (!watched || !is_watched(caller)) return 0;
    lock();
    int now = ++asked == failing;
    unlock();
    if (now) errno = ENOMEM;
    return now;
}

static size_t slot_of(uintptr_t address) { return (address >> 4) * 0x9E3779B97F4A7C15u >> 44; }

static void *noted(void *address, size_t size, void *caller)
{
    if (!address || !watched || !is_watched(caller)) return address;
    lock();
    size_t at = slot_of((uintptr_t)address), tried = 0;
    while (known[at].address > 1 && tried++ < SLOTS) at = (at + 1) % SLOTS;
    if (tried >= SLOTS) forgotten++;
    else known[at].address = (uintptr_t)address, known[at].size = size, live += (long)size;
    unlock();
    return address;
}

static void forget(void *address)
{
    if (!address || !watched) return;
    lock();
    size_t at = slot_of((uintptr_t)address), tried = 0;
    while (known[at].address && known[at].address != (uintptr_t)address && tried++ < SLOTS) at = (at + 1) % SLOTS;
    if (known[at].address == (uintptr_t)address) live -= (long)known[at].size, known[at].address = 1; /* a slot that was used */
    unlock();
}

#define NEXT(name, type, parameters)                    \
    static type(*next) parameters;                      \
    if (!next) next = (type(*) parameters)dlsym(RTLD_NEXT, name)
#define CALLER __builtin_return_address(0)

void *malloc(size_t size)
{
    NEXT("malloc", void *, (size_t));
    return fails(CALLER) ? NULL : noted(next(size), size, CALLER);
}

void *realloc(void *old, size_t size)
{
    NEXT("realloc", void *, (void *, size_t));
    if (fails(CALLER)) return NULL;
    void *made = next(old, size);
    if (made || !size) forget(old);
    return noted(made, size, CALLER);
}

int posix_memalign(void **made, size_t alignment, size_t size)
{
    NEXT("posix_memalign", int, (void **, size_t, size_t));
    if (fails(CALLER)) return ENOMEM;
    int error = next(made, alignment, size);
    if (!error) noted(*made, size, CALLER);
    return error;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    NEXT("aligned_alloc", void *, (size_t, size_t));
    return fails(CALLER) ? NULL : noted(next(alignment, size), size, CALLER);
}

/* dlsym itself allocates with calloc; the first few bytes it wants come from here, and are never freed. */
static char first[4096];

void *calloc(size_t n, size_t size)
{
    static void *(*next)(size_t, size_t);
    static size_t used;
    static int asking;
    if (asking) {
        void *made = first + used;
        used += (n * size + 15) / 16 * 16;
        return used <= sizeof first ? made : NULL;
    }
    if (!next) {
        asking = 1;
        next = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
        asking = 0;
    }
    return fails(CALLER) ? NULL : noted(next(n, size), n * size, CALLER);
}

void free(void *address)
{
    NEXT("free", void, (void *));
    if ((char *)address >= first && (char *)address < first + sizeof first) return;
    forget(address);
    next(address);
}
