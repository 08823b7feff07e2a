/* avx2.h - AVX2, FMA and F16C.
 *
 * flags on x86_64: -mavx2 -mfma -mf16c
 */
#if !defined REAL
ISA(avx2, X86_HAS("avx2", 7, 5) && X86_HAS("fma", 1, 12) && x86_has_f16c())
#elif defined __AVX2__ && defined __FMA__ && defined __F16C__
#include <immintrin.h>

#define VECTOR_BYTES 32
/* 16 registers: 12 accumulators, two vectors of B and a broadcast. B is read again for every 6 rows, not 14 as by AVX-512: KC x NR
 * floats are 16 KB, and stay in the L1 cache (wide2048: 445 ms for 491 with a KC of 512, Zen 3). */
#define MR 6
#define NR (2 * V)
#define KR 1
#define KC 256
#define MC 128 /* with this KC 128 KB of A, a quarter of the smallest L2 cache */
#define A_BYTES sizeof(real)
#define B_BYTES sizeof(real)
#define LIMBS 1
#define NARROW NULL
#include "vec.h"

typedef vec mask; /* all bits of a lane set, or none */
#define OP(name) BY_REAL(_mm256_##name##_ps, _mm256_##name##_pd)
INLINE __m256i first(ptrdiff_t n)
{
    static const int32_t ones[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
    return _mm256_loadu_si256((const __m256i *)(ones + (V - n) * (8 / V)));
}
INLINE mask vfirst(ptrdiff_t n) { return (mask)first(n); }
INLINE int vall(mask m) { return OP(movemask)(m) == (1 << V) - 1; }
INLINE vec vload_half(const uint16_t *p)
{
    return (vec)BY_REAL(_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)),
                        _mm256_cvtps_pd(_mm_cvtph_ps(_mm_loadl_epi64((const __m128i *)p))));
}
INLINE vec vload_n(const real *p, ptrdiff_t n) { return n == V ? vload(p) : (vec)OP(maskload)(p, first(n)); }
/* In halves, as a masked store takes tens of cycles on AMD's CPUs: the weight gradient of 784 x 30 took 11.3 us with it. */
INLINE void vstore_n(real *p, vec v, ptrdiff_t n)
{
    char *to = (char *)p;
    size_t bytes = (size_t)n * sizeof(real);
    __m128i rest = _mm256_castsi256_si128((__m256i)v);
    if (n == V) {
        vstore(p, v);
        return;
    }
    if (bytes & 16) {
        _mm_storeu_si128((__m128i *)to, rest);
        rest = _mm256_extracti128_si256((__m256i)v, 1);
        to += 16;
    }
    if (bytes & 8) {
        _mm_storel_epi64((__m128i *)to, rest);
        rest = _mm_unpackhi_epi64(rest, rest);
        to += 8;
    }
    if (bytes & 4) _mm_storeu_si32(to, rest);
}
INLINE vec vfma(vec a, vec b, vec c) { return (vec)OP(fmadd)(a, b, c); }
INLINE vec vmin(vec a, vec b) { return (vec)OP(min)(a, b); }
INLINE vec vmax(vec a, vec b) { return (vec)OP(max)(a, b); }
INLINE vec vabs(vec a) { return (vec)OP(andnot)(vset1((real)-0.0), a); }
INLINE vec vsqrt(vec a) { return (vec)OP(sqrt)(a); }
INLINE vec vround(vec a) { return (vec)OP(round)(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE mask vlt(vec a, vec b) { return (mask)OP(cmp)(a, b, _CMP_LT_OQ); }
INLINE mask vle(vec a, vec b) { return (mask)OP(cmp)(a, b, _CMP_LE_OQ); }
INLINE mask veq(vec a, vec b) { return (mask)OP(cmp)(a, b, _CMP_EQ_OQ); }
INLINE vec vselect(mask m, vec a, vec b) { return (vec)OP(blendv)(b, a, m); }
#if REAL_IS_DOUBLE
/* AVX2 has no conversion between double and int64. 1.5 * 2^52 + x has the integer x in its low bits, |x| < 2^51. */
INLINE ivec to_int(vec a) { return as_int(a + vset1(0x1.8p52)) - as_int(vset1(0x1.8p52)); }
INLINE vec to_real(ivec a) { return as_real(a + as_int(vset1(0x1.8p52))) - vset1(0x1.8p52); }
#else
INLINE ivec to_int(vec a) { return (ivec)_mm256_cvtps_epi32(a); }
INLINE vec to_real(ivec a) { return (vec)_mm256_cvtepi32_ps((__m256i)a); }
#endif
#undef OP
#endif
