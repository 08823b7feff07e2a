/* dispatch.c - the tables of this machine, and the few functions that are not vector code. */
#if defined __x86_64__ || defined __i386__
#include <cpuid.h>
#endif
#include <string.h>
#include "fastbp.h"

/* ---- tables ------------------------------------------------------------------------------------------------ */

/* What the rows of x86's ISAs ask: a feature by the compiler's name, and where CPUID says it, a bit of ECX of leaf 1 or of EBX
 * of leaf 7. The builtin asks the operating system too: a register it does not save counts as one the CPU does not have. On
 * Windows what it asks stands in a library that is not linked, so the same is asked here (Intel's manual, volume 1, 14.3 and
 * 15.2). */
#if defined __x86_64__ || defined __i386__
static int x86_has_f16c(void) /* which not all compilers' builtins know */
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && c & bit_F16C;
}
#if defined _WIN32 || defined FBP_ASK_CPUID
static int x86_has(unsigned leaf, unsigned bit)
{
    const unsigned saved = leaf == 7 && bit >= 16 ? 0xE6 : 0x06; /* of XCR0: vectors of 64 bytes and masks, or of 32 bytes */
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & saved) != saved) return 0;
    if (leaf == 1) return c >> bit & 1;
    return __get_cpuid_count(leaf, 0, &a, &b, &c, &d) && b >> bit & 1;
}
#define X86_HAS(feature, leaf, bit) x86_has(leaf, bit)
#else
#define X86_HAS(feature, leaf, bit) __builtin_cpu_supports(feature)
#endif
#else
#define X86_HAS(feature, leaf, bit) 0
#define x86_has_f16c() 0
#endif

#define ISA(name, is_here)                                         \
    extern const fbp_table fbp_##name##_f32, fbp_##name##_f64;     \
    static int name##_is_here(void) { return is_here; }
#include "isa/isas.def"

static const struct {
    const fbp_table *f32, *f64;
    int (*is_here)(void); /* which a build that has no kernels for it may say as well: its table is empty */
} known[] = {
#define ISA(name, is_here) {&fbp_##name##_f32, &fbp_##name##_f64, name##_is_here},
#include "isa/isas.def"
};
enum { KNOWN = sizeof known / sizeof *known };

const char *fbp_known_isa(int i) { return i >= 0 && i < KNOWN ? known[i].f32->isa : NULL; }

const fbp_table *fbp_find_table(const char *isa, int itemsize)
{
    if (isa == NULL || (itemsize != 4 && itemsize != 8)) return NULL;
    for (int i = 0; i < KNOWN; i++) {
        const fbp_table *table = itemsize == 4 ? known[i].f32 : known[i].f64;
        if (strcmp(table->isa, isa) == 0) return table->count > 0 && known[i].is_here() ? table : NULL;
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

const fbp_table *fbp_narrow_table(const fbp_table *table) { return fbp_find_table(table->narrow, table->itemsize); }

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

void fbp_gather_rows(void *out, ptrdiff_t out_stride, const void *source, ptrdiff_t source_stride, const int64_t *index,
                ptrdiff_t m, ptrdiff_t row_bytes)
{
    /* Takes a quarter off rows that come from memory (64 bytes: 24 -> 19 ns). Copying small rows without memcpy takes
     * nothing off. */
    for (ptrdiff_t i = 0; i < m; i++) {
        if (i + FBP_PREFETCH_DISTANCE < m)
            __builtin_prefetch((const char *)source + index[i + FBP_PREFETCH_DISTANCE] * source_stride);
        memcpy((char *)out + i * out_stride, (const char *)source + index[i] * source_stride, (size_t)row_bytes);
    }
}
