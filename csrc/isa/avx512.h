/* avx512.h - AVX-512: F, BW, DQ, VL, and F16C.
 *
 * flags on x86_64: -mavx512f -mavx512bw -mavx512dq -mavx512vl -mf16c
 */
#if !defined REAL
ISA(avx512, X86_HAS("avx512f", 7, 16) && X86_HAS("avx512bw", 7, 30) && X86_HAS("avx512dq", 7, 17) &&
                X86_HAS("avx512vl", 7, 31) && x86_has_f16c())
#elif defined __AVX512F__ && defined __AVX512BW__ && defined __AVX512DQ__ && defined __AVX512VL__ && defined __F16C__
#include <immintrin.h>

#define VECTOR_BYTES 64
/* 32 registers: 28 accumulators, two vectors of B and a broadcast. KC x NR floats of B are 64 KB, and stay in the L2 cache while
 * every tile of rows passes over them. */
#define MR 14
#define NR (2 * V)
#define KR 1
#define KC 512
#define MC 128
#define A_BYTES sizeof(real)
#define B_BYTES sizeof(real)
#define LIMBS 1
#define FREE_MASKS 1
#define NARROW "avx2" /* 24 x 8 x 200 takes 0.73 us for 1.33, 64 x 6 x 32 0.40 for 0.62 (Zen 4) */
#include "vec.h"

typedef BY_REAL(__mmask16, __mmask8) mask;
#define OP(name) BY_REAL(_mm512_##name##_ps, _mm512_##name##_pd)
INLINE mask first(ptrdiff_t n) { return (mask)((1u << n) - 1u); }
INLINE mask vfirst(ptrdiff_t n) { return first(n); }
INLINE int vall(mask m) { return m == first(V); }
INLINE vec vload_half(const uint16_t *p)
{
    return (vec)BY_REAL(_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)),
                        _mm512_cvtps_pd(_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p))));
}
INLINE vec vload_n(const real *p, ptrdiff_t n) { return (vec)OP(maskz_loadu)(first(n), p); }
INLINE void vstore_n(real *p, vec v, ptrdiff_t n) { OP(mask_storeu)(p, first(n), v); }
INLINE vec vfma(vec a, vec b, vec c) { return (vec)OP(fmadd)(a, b, c); }
INLINE vec vmin(vec a, vec b) { return (vec)OP(min)(a, b); }
INLINE vec vmax(vec a, vec b) { return (vec)OP(max)(a, b); }
INLINE vec vabs(vec a) { return (vec)OP(abs)(a); }
INLINE vec vsqrt(vec a) { return (vec)OP(sqrt)(a); }
INLINE vec vround(vec a) { return (vec)OP(roundscale)(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
#define COMPARE(a, b, how) BY_REAL(_mm512_cmp_ps_mask, _mm512_cmp_pd_mask)(a, b, how)
INLINE mask vlt(vec a, vec b) { return COMPARE(a, b, _CMP_LT_OQ); }
INLINE mask vle(vec a, vec b) { return COMPARE(a, b, _CMP_LE_OQ); }
INLINE mask veq(vec a, vec b) { return COMPARE(a, b, _CMP_EQ_OQ); }
INLINE vec vselect(mask m, vec a, vec b) { return (vec)OP(mask_blend)(m, b, a); }
INLINE ivec to_int(vec a) { return (ivec)BY_REAL(_mm512_cvtps_epi32, _mm512_cvtpd_epi64)(a); }
INLINE vec to_real(ivec a) { return (vec)BY_REAL(_mm512_cvtepi32_ps, _mm512_cvtepi64_pd)((__m512i)a); }
#if !REAL_IS_DOUBLE
#define LOOKUP 1
INLINE vec vlookup(const real *table, ivec index)
{
    return (vec)_mm512_permutexvar_ps((__m512i)index, _mm512_loadu_ps(table));
}
#endif
#define HAS_SCALE 1
enum { SCALE_MIN = BY_REAL(-151, -1076), SCALE_MAX = BY_REAL(128, 1024) };
INLINE vec vscale(vec x, vec n) { return (vec)OP(scalef)(x, n); }
INLINE vec vscale_normal(vec x, vec n) { return vscale(x, n); }
/* In the order of FOLD, but each time with vectors half as wide: Zen 4 needs two operations for a shuffle of 64 bytes. */
#define HAS_FOLDS 1
INLINE real vsum(vec a) { return OP(reduce_add)(a); }
INLINE real vlargest(vec a) { return OP(reduce_max)(a); }
#undef OP
#undef COMPARE
#endif
