/* peak.c - what the machine can do at best: fused multiply-adds from registers, bytes read from memory, and a word that one
 * thread writes and another one answers.
 * bench/peak.py compiles it where it runs. One body for every width of vector; which one is asked of the processor. */
#include <stddef.h>

#define STREAMS 12 /* independent chains: latency 4 times 2 units is covered, and 16 registers hold them */

#define BODIES(isa, bytes, attribute)                                                                               \
    typedef float vec_##isa __attribute__((vector_size(bytes), aligned(4)));                                        \
    attribute static double fma_##isa(long count, float *out) {                                                     \
        vec_##isa s[STREAMS], x, y;                                                                                 \
        for (size_t j = 0; j < bytes / 4; j++) x[j] = out[0], y[j] = out[1];                                        \
        for (int i = 0; i < STREAMS; i++) s[i] = y + (float)i;                                                      \
        for (long c = 0; c < count; c++)                                                                            \
            _Pragma("GCC unroll 12") for (int i = 0; i < STREAMS; i++) s[i] = s[i] * x + y;                         \
        for (int i = 1; i < STREAMS; i++) s[0] += s[i];                                                             \
        out[2] = s[0][0];                                                                                           \
        return 2.0 * STREAMS * (bytes / 4) * (double)count;                                                         \
    }                                                                                                               \
    attribute static float read_##isa(const float *x, size_t n) {                                                   \
        vec_##isa s[8] = {{0}};                                                                                     \
        for (size_t i = 0; i + 2 * bytes <= n; i += 2 * bytes)                                                      \
            _Pragma("GCC unroll 8") for (int j = 0; j < 8; j++) s[j] += *(const vec_##isa *)(x + i + j * bytes / 4);  \
        for (int j = 1; j < 8; j++) s[0] += s[j];                                                                   \
        return s[0][0];                                                                                             \
    }

#if defined __x86_64__
BODIES(avx512, 64, __attribute__((target("avx512f"))))
BODIES(avx2, 32, __attribute__((target("avx2,fma"))))
#define CHOOSE(call_avx512, call_avx2, call_base)                                                                   \
    return __builtin_cpu_supports("avx512f") ? call_avx512 : __builtin_cpu_supports("fma") ? call_avx2 : call_base
#else
#define CHOOSE(call_avx512, call_avx2, call_base) return call_base
#endif
BODIES(base, 16, )

/* Runs `count` rounds of multiply-adds; out (3): factor, summand, and a result. Returns how many operations that was. */
double peak_fma(long count, float *out) { CHOOSE(fma_avx512(count, out), fma_avx2(count, out), fma_base(count, out)); }

/* Reads x (n floats) once. Returns a sum, so that reading is not left out. */
float peak_read(const float *x, size_t n) { CHOOSE(read_avx512(x, n), read_avx2(x, n), read_base(x, n)); }

/* Writes `count` words into place[16 * side] by turns with another thread, which calls it for the other side: 0 begins. Returns how
 * many were answered; one that is not for a second ends it, as there is no other thread, or no core for it. */
long peak_bounce(long *place, int side, long count)
{
    long *mine = place + 16 * side, *other = place + 16 * (1 - side);
    for (long i = 1; i <= count; i++) {
        if (side == 0) __atomic_store_n(mine, i, __ATOMIC_RELEASE);
        for (long spins = 0; __atomic_load_n(other, __ATOMIC_ACQUIRE) < i; spins++)
            if (spins > 300 * 1000 * 1000) return i - 1;
        if (side == 1) __atomic_store_n(mine, i, __ATOMIC_RELEASE);
    }
    return count;
}
