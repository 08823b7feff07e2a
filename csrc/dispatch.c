/* dispatch.c - the tables of this machine, and the few functions that are not vector code. */
#if defined __linux__
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <sched.h>
#endif
#if defined __x86_64__ || defined __i386__
#include <cpuid.h>
#endif
#include <string.h>
#include "fastbp.h"

extern const fbp_table fbp_scalar_f32, fbp_scalar_f64, fbp_avx2_f32, fbp_avx2_f64, fbp_avx512_f32, fbp_avx512_f64,
    fbp_neon_f32, fbp_neon_f64;

/* ---- tables ------------------------------------------------------------------------------------------------ */

static int always(void) { return 1; }
#if defined __x86_64__ || defined __i386__
/* The builtin asks the operating system too: a register it does not save counts as one the CPU does not have. */
static int has_f16c(void) /* which not all compilers' builtins know */
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && c & bit_F16C;
}
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c(); }
static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && has_f16c();
}
#else
static int has_avx2(void) { return 0; }
static int has_avx512(void) { return 0; }
#endif

/* Best first. A table of another architecture has a count of 0, so `always` is enough for neon and scalar. */
static const struct {
    const fbp_table *f32, *f64;
    int (*on_this_machine)(void);
} known[] = {
    {&fbp_avx512_f32, &fbp_avx512_f64, has_avx512},
    {&fbp_avx2_f32, &fbp_avx2_f64, has_avx2},
    {&fbp_neon_f32, &fbp_neon_f64, always},
    {&fbp_scalar_f32, &fbp_scalar_f64, always},
};
enum { KNOWN = sizeof known / sizeof *known };

const char *fbp_known_isa(int i) { return i >= 0 && i < KNOWN ? known[i].f32->isa : NULL; }

const fbp_table *fbp_find_table(const char *isa, int itemsize)
{
    if (isa == NULL || (itemsize != 4 && itemsize != 8)) return NULL;
    for (int i = 0; i < KNOWN; i++) {
        const fbp_table *table = itemsize == 4 ? known[i].f32 : known[i].f64;
        if (strcmp(table->isa, isa) == 0) return table->count > 0 && known[i].on_this_machine() ? table : NULL;
    }
    return NULL;
}

const char *fbp_best_isa(void)
{
    for (int i = 0; i < KNOWN; i++) {
        const char *isa = fbp_known_isa(i);
        if (fbp_find_table(isa, 4) && fbp_find_table(isa, 8)) return isa;
    }
    return NULL;
}

const fbp_table *fbp_half_table(const fbp_table *table)
{
    return strcmp(table->isa, "avx512") == 0 ? fbp_find_table("avx2", table->itemsize) : NULL;
}

fbp_any *fbp_find_kernel(const fbp_table *table, const char *name)
{
    for (int i = 0; i < table->count; i++)
        if (strcmp(table->kernels[i].name, name) == 0) return table->kernels[i].function;
    return NULL;
}

/* ---- random numbers ------------------------------------------------------------------------------------------ */

/* Four counters at a time: vectors that every compiler makes of whatever its target has. */
typedef uint32_t quad __attribute__((vector_size(16)));

/* The halves of `quads` (a constant) times four counters become the words. */
static inline __attribute__((always_inline)) void threefry(quad *a, quad *b, uint64_t key, int quads)
{
    static const int rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
    uint32_t keys[3] = {(uint32_t)key, (uint32_t)(key >> 32), 0};
    keys[2] = 0x1BD11BDA ^ keys[0] ^ keys[1];
    for (int q = 0; q < quads; q++) a[q] += keys[0], b[q] += keys[1];
    _Pragma("GCC unroll 20") for (int round = 0; round < 20; round++) {
        const int left = rotations[round % 8];
        for (int q = 0; q < quads; q++) {
            a[q] += b[q];
            b[q] = (b[q] << left | b[q] >> (32 - left)) ^ a[q];
        }
        if (round % 4 == 3) {
            uint32_t i = (uint32_t)round / 4 + 1;
            for (int q = 0; q < quads; q++) a[q] += keys[i % 3], b[q] += keys[(i + 1) % 3] + i;
        }
    }
}

uint64_t fbp_threefry(uint64_t key, uint64_t counter)
{
    quad a = {(uint32_t)counter}, b = {(uint32_t)(counter >> 32)};
    threefry(&a, &b, key, 1);
    return (uint64_t)b[0] << 32 | a[0];
}

void fbp_threefry_words(uint64_t *words, uint64_t key, uint64_t first, ptrdiff_t count)
{
    enum { QUADS = 4, LANES = 4 * QUADS };
    quad a[QUADS], b[QUADS];
    for (; count > 0; count -= LANES, first += LANES, words += LANES) {
        for (uint64_t l = 0; l < LANES; l++) {
            a[l / 4][l % 4] = (uint32_t)(first + l);
            b[l / 4][l % 4] = (uint32_t)((first + l) >> 32);
        }
        threefry(a, b, key, QUADS);
        for (ptrdiff_t l = 0; l < LANES && l < count; l++)
            words[l] = (uint64_t)b[l / 4][l % 4] << 32 | a[l / 4][l % 4];
    }
}

/* ---- memory -------------------------------------------------------------------------------------------------- */

void fbp_gather(void *out, ptrdiff_t out_stride, const void *source, ptrdiff_t source_stride, const int64_t *index,
                ptrdiff_t m, ptrdiff_t row_bytes)
{
    /* Takes a quarter off rows that come from memory (64 bytes: 24 -> 19 ns). Copying small rows without memcpy takes
     * nothing off. */
    for (ptrdiff_t i = 0; i < m; i++) {
        if (i + FBP_AHEAD < m) __builtin_prefetch((const char *)source + index[i + FBP_AHEAD] * source_stride);
        memcpy((char *)out + i * out_stride, (const char *)source + index[i] * source_stride, (size_t)row_bytes);
    }
}

/* ---- queue --------------------------------------------------------------------------------------------------- */

static void relax(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

enum { FIELD = 32 };
static const uint64_t LOW = ((uint64_t)1 << FIELD) - 1, CLOSED = (uint64_t)1 << 63;

/* A thread that yields instead of sleeping gives its whole share of the processor away to other programs. A sleeper is
 * woken at once, and in its turn. */
static void sleep_until_opened(fbp_queue *queue, uint64_t open)
{
#if defined __linux__
    __atomic_add_fetch(&queue->asleep, 1, __ATOMIC_SEQ_CST);
    int32_t opened = __atomic_load_n(&queue->opened, __ATOMIC_SEQ_CST);
    /* fbp_open writes `open`, then `opened`, then looks for sleepers: either `open` is seen to have changed here, or the
     * kernel sees that `opened` has moved, or fbp_open sees this sleeper */
    if (__atomic_load_n(&queue->open, __ATOMIC_SEQ_CST) == open)
        syscall(SYS_futex, &queue->opened, FUTEX_WAIT_PRIVATE, opened, NULL, NULL, 0);
    __atomic_sub_fetch(&queue->asleep, 1, __ATOMIC_SEQ_CST);
#else
    (void)queue, (void)open;
    sched_yield();
#endif
}

void fbp_start(fbp_queue *queue, int team, int crowded)
{
    /* About 2 ms, or 20 us. A sleeper wakes some 30 us late, which is as long as a step of a small network. */
    enum { PATIENT = 100000, CROWDED = 1000 };
    memset(queue, 0, sizeof *queue);
    queue->spins = crowded ? CROWDED : PATIENT;
    queue->lanes = team < FBP_LANES ? team : FBP_LANES;
}

void fbp_open(fbp_queue *queue, int tasks)
{
    /* Between two phases nobody but the caller writes: the last one is finished and the next one is not open. */
    uint64_t phase = (queue->open >> FIELD) + 1;
    __atomic_store_n(&queue->left, tasks, __ATOMIC_RELAXED);
    __atomic_store_n(&queue->open, tasks > 0 ? phase << FIELD | (uint64_t)tasks : CLOSED, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&queue->opened, 1, __ATOMIC_SEQ_CST);
#if defined __linux__
    if (__atomic_load_n(&queue->asleep, __ATOMIC_SEQ_CST) > 0)
        syscall(SYS_futex, &queue->opened, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
#endif
}

/* The next of a lane's `count` tasks of a phase, or -1. Nobody sets a lane back for a new phase: its count of an older
 * phase means none. A thread that comes late with an old phase finds that phase's tasks taken, or a newer one. */
static int64_t take_from(fbp_lane *lane, uint64_t phase, uint64_t count)
{
    uint64_t taken = __atomic_load_n(&lane->taken, __ATOMIC_ACQUIRE);
    for (;;) {
        uint64_t next = taken >> FIELD == phase ? taken & LOW : 0;
        if (taken >> FIELD > phase || next >= count) return -1;
        if (__atomic_compare_exchange_n(&lane->taken, &taken, phase << FIELD | (next + 1), 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return (int64_t)next;
    }
}

int fbp_take(fbp_queue *queue, int member)
{
    int spins = 0;
    for (;;) {
        uint64_t open = __atomic_load_n(&queue->open, __ATOMIC_ACQUIRE);
        int tasks = (int)(open & LOW), lanes = queue->lanes;
        if (open & CLOSED) return -1;
        for (int i = 0; i < lanes; i++) {
            int lane = (member + i) % lanes;
            int count = tasks > lane ? (tasks - lane + lanes - 1) / lanes : 0;
            int64_t next = take_from(&queue->lane[lane], open >> FIELD, (uint64_t)count);
            if (next >= 0) return lane + (int)next * lanes;
        }
        while (__atomic_load_n(&queue->open, __ATOMIC_ACQUIRE) == open)
            if (spins < queue->spins) {
                spins++;
                relax();
            } else {
                sleep_until_opened(queue, open);
            }
    }
}

int fbp_finish(fbp_queue *queue) { return __atomic_sub_fetch(&queue->left, 1, __ATOMIC_ACQ_REL) == 0; }
