/* simd.h - the vector vocabulary of one (ISA, real) pair: the only file that says an intrinsic.
 *
 * A file that includes it has said ISA_<isa> and REAL_IS_DOUBLE. It offers
 *   real, vec (V reals), ivec (V signed integers as wide as a real), mask (V truths)
 *   + - * / on vec, + - & | ^ << >> on ivec: C's own operators, which GCC's and Clang's vector types have
 *   vset1, iset1, vload, vstore (any alignment), vload_n, vstore_n (the first n lanes, 1 <= n <= V: nothing beyond
 *   is touched, other lanes read as zero), vload_half (V reals from V halves, from_half being one's), vfma(a, b, c) = a * b + c, vmin, vmax (of a NaN: the second argument),
 *   vabs, vsqrt, vround (to nearest, ties to even), vlt, vle, veq, vselect(mask, if_true, if_false),
 *   as_int, as_real (the same bits), to_int (of an integral vec with |x| < 2^31), to_real, iadd (which wraps), ishl, ishr (zeros come in),
 *   vsum (lanes in a fixed order), vlargest (of the lanes), vfirst(n) (the mask of the first n lanes), vall(mask)
 *   (whether all lanes are true),
 *   vscale(x, n) = x * 2^n, n integral, of any size, and vscale_normal, cheaper on most ISAs: n from SCALE_MIN,
 *   where it gives 0, to SCALE_MAX, where it gives infinity, and both may come a binade earlier than they must,
 *   and where LOOKUP is true (float on AVX-512): vlookup(table, index), table (16) at the lowest four bits of each lane of
 *   index; vscale then takes n of any fraction, and rounds it down.
 * Scalar is an ISA of one lane. */
#ifndef SIMD_H
#define SIMD_H
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline, unused))

#if REAL_IS_DOUBLE
typedef double real;
typedef int64_t lane_int;
typedef uint64_t lane_uint;
#define BY_REAL(f32, f64) f64
#else
typedef float real;
typedef int32_t lane_int;
typedef uint32_t lane_uint;
#define BY_REAL(f32, f64) f32
#endif

#if defined ISA_avx512
#define VECTOR_BYTES 64
#elif defined ISA_avx2
#define VECTOR_BYTES 32
#elif defined ISA_neon
#define VECTOR_BYTES 16
#else
#define VECTOR_BYTES ((int)sizeof(real))
#endif
enum { V = VECTOR_BYTES / sizeof(real) };

#if defined ISA_scalar
typedef real vec;
typedef lane_int ivec;
typedef lane_uint uvec;
#else
typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef lane_int ivec __attribute__((vector_size(VECTOR_BYTES)));
typedef lane_uint uvec __attribute__((vector_size(VECTOR_BYTES)));
#endif
typedef struct __attribute__((packed, may_alias)) { vec v; } unaligned_vec;

INLINE vec vload(const real *p) { return ((const unaligned_vec *)p)->v; }
INLINE void vstore(real *p, vec v) { ((unaligned_vec *)p)->v = v; }
INLINE ivec as_int(vec v) { ivec i; memcpy(&i, &v, sizeof i); return i; }
INLINE vec as_real(ivec i) { vec v; memcpy(&v, &i, sizeof v); return v; }
INLINE ivec iadd(ivec a, ivec b) { return (ivec)((uvec)a + (uvec)b); }
INLINE ivec ishl(ivec i, int k) { return (ivec)((uvec)i << k); }
INLINE ivec ishr(ivec i, int k) { return (ivec)((uvec)i >> k); }

/* The float of a half's bits, exact. Exponent and mantissa move to a float's places; the exponent's bias grows by 112, and
 * that of infinity and NaN by as much again. What has no exponent gets one, as a mantissa behind a 1 that is taken off
 * afterwards: normal floats alone, so that no mode of the caller's makes subnormals zeros. */
INLINE float float_of(uint32_t bits) { float x; memcpy(&x, &bits, sizeof x); return x; }
INLINE uint32_t bits_of(float x) { uint32_t bits; memcpy(&bits, &x, sizeof bits); return bits; }
INLINE float from_half(uint16_t half)
{
    enum { REBIAS = 112 << 23, ONE = 1 << 23, INFINITE = 31 << 23 };
    const uint32_t sign = (half & 0x8000u) << 16, size = (half & 0x7FFFu) << 13;
    const uint32_t subnormal = bits_of(float_of(size + REBIAS + ONE) - float_of(REBIAS + ONE));
    const uint32_t normal = size + REBIAS + (size >= INFINITE ? REBIAS : 0);
    return float_of((size < ONE ? subnormal : normal) | sign);
}

/* ---- scalar -------------------------------------------------------------------------------------------------- */
#if defined ISA_scalar
typedef int mask;
INLINE vec vset1(real x) { return x; }
INLINE vec vload_half(const uint16_t *p) { return from_half(*p); }
INLINE ivec iset1(lane_int x) { return x; }
INLINE vec vload_n(const real *p, ptrdiff_t n) { (void)n; return *p; }
INLINE void vstore_n(real *p, vec v, ptrdiff_t n) { (void)n; *p = v; }
INLINE vec vfma(vec a, vec b, vec c) { return a * b + c; }
INLINE vec vmin(vec a, vec b) { return a < b ? a : b; }
INLINE vec vmax(vec a, vec b) { return a > b ? a : b; }
INLINE vec vabs(vec a) { return BY_REAL(fabsf, fabs)(a); }
INLINE vec vsqrt(vec a) { return BY_REAL(sqrtf, sqrt)(a); }
INLINE vec vround(vec a) { return BY_REAL(rintf, rint)(a); }
INLINE mask vlt(vec a, vec b) { return a < b; }
INLINE mask vle(vec a, vec b) { return a <= b; }
INLINE mask veq(vec a, vec b) { return a == b; }
INLINE vec vselect(mask m, vec a, vec b) { return m ? a : b; }
INLINE ivec to_int(vec a) { return (ivec)a; }
INLINE vec to_real(ivec a) { return (vec)a; }
INLINE real vsum(vec a) { return a; }
INLINE mask vfirst(ptrdiff_t n) { return n > 0; }
INLINE int vall(mask m) { return m; }
#else

INLINE vec vset1(real x) { return x - (vec){0}; }   /* `x - zeros` folds into a broadcast; `x + zeros` does not: -0.0 */
INLINE ivec iset1(lane_int x) { return x - (ivec){0}; }
/* Lane i becomes lane i ^ distance. GCC makes one instruction of its own builtin, Clang of the loop. */
INLINE vec vexchange(vec a, int distance)
{
#if defined __clang__
    vec swapped;
    for (int i = 0; i < V; i++) swapped[i] = a[i ^ distance];
    return swapped;
#else
    static const lane_int lanes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    ivec number;
    memcpy(&number, lanes, sizeof number);
    return __builtin_shuffle(a, number ^ iset1(distance));
#endif
}
/* Halves folded onto each other, so that the order is the same for every compiler: (0 + V/2), (1 + V/2 + 1) ... */
#define FOLD(a, with)                                   \
    do {                                                \
        if (V > 8) a = with(a, vexchange(a, 8 % V));    \
        if (V > 4) a = with(a, vexchange(a, 4 % V));    \
        if (V > 2) a = with(a, vexchange(a, 2 % V));    \
        a = with(a, vexchange(a, 1));                   \
    } while (0)
INLINE vec vadd(vec a, vec b) { return a + b; }
#if !defined ISA_avx512
INLINE real vsum(vec a) { FOLD(a, vadd); return a[0]; }
#endif
#endif

/* ---- AVX-512: F, BW, DQ, VL, and F16C --------------------------------------------------------------------------------- */
#if defined ISA_avx512
#include <immintrin.h>
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
enum { SCALE_MIN = BY_REAL(-151, -1076), SCALE_MAX = BY_REAL(128, 1024) };
INLINE vec vscale(vec x, vec n) { return (vec)OP(scalef)(x, n); }
INLINE vec vscale_normal(vec x, vec n) { return vscale(x, n); }
/* Folded in the same order, but in vectors half as wide each time: a shuffle of 64 bytes is two on Zen 4 */
INLINE real vsum(vec a) { return OP(reduce_add)(a); }
INLINE real vlargest(vec a) { return OP(reduce_max)(a); }
#endif

/* ---- AVX2, FMA and F16C -------------------------------------------------------------------------------------------- */
#if defined ISA_avx2
#include <immintrin.h>
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
#endif

/* ---- NEON (AArch64) ------------------------------------------------------------------------------------------ */
#if defined ISA_neon
#include <arm_neon.h>
typedef ivec mask; /* all bits of a lane set, or none */
typedef BY_REAL(uint32x4_t, uint64x2_t) neon_mask;
#define OP(name) BY_REAL(name##q_f32, name##q_f64)
INLINE vec vload_half(const uint16_t *p)
{
    uint16_t halves[4] = {0};
    memcpy(halves, p, V * sizeof *p);
    float32x4_t v = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(halves)));
    return (vec)BY_REAL(v, vcvt_f64_f32(vget_low_f32(v)));
}
INLINE vec vload_n(const real *p, ptrdiff_t n)
{
    if (n == V) return vload(p);
    vec v = {0};
    for (int i = 0; i < V - 1; i++)
        if (i < n) v[i] = p[i];
    return v;
}
INLINE void vstore_n(real *p, vec v, ptrdiff_t n)
{
    if (n == V) { vstore(p, v); return; }
    for (int i = 0; i < V - 1; i++)
        if (i < n) p[i] = v[i];
}
INLINE vec vfma(vec a, vec b, vec c) { return (vec)OP(vfma)(c, a, b); }
INLINE mask vfirst(ptrdiff_t n)
{
    static const lane_int ones[2 * V] = {-1, -1, BY_REAL(-1, 0), BY_REAL(-1, 0)};
    mask m;
    memcpy(&m, ones + V - n, sizeof m);
    return m;
}
INLINE int vall(mask m) { return vminvq_u32((uint32x4_t)m) != 0; }
/* not vminq and vmaxq, which return NaN if either is one: the vocabulary's order is that of x86 */
INLINE vec vabs(vec a) { return (vec)OP(vabs)(a); }
INLINE vec vsqrt(vec a) { return (vec)OP(vsqrt)(a); }
INLINE vec vround(vec a) { return (vec)OP(vrndn)(a); }
INLINE mask vlt(vec a, vec b) { return (mask)OP(vclt)(a, b); }
INLINE mask vle(vec a, vec b) { return (mask)OP(vcle)(a, b); }
INLINE mask veq(vec a, vec b) { return (mask)OP(vceq)(a, b); }
INLINE vec vselect(mask m, vec a, vec b) { return (vec)OP(vbsl)((neon_mask)m, a, b); }
INLINE vec vmin(vec a, vec b) { return vselect(vlt(a, b), a, b); }
INLINE vec vmax(vec a, vec b) { return vselect(vlt(b, a), a, b); }
INLINE ivec to_int(vec a) { return (ivec)BY_REAL(vcvtnq_s32_f32, vcvtnq_s64_f64)(a); }
INLINE vec to_real(ivec a) { return (vec)BY_REAL(vcvtq_f32_s32, vcvtq_f64_s64)(a); }
#endif
#undef OP

#if defined ISA_scalar
INLINE real vlargest(vec a) { return a; }
#elif !defined ISA_avx512
INLINE real vlargest(vec a) { FOLD(a, vmax); return a[0]; }
#endif
#undef FOLD

/* ---- powers of two, where the ISA has no instruction for them ------------------------------------------------ */
#if !defined ISA_avx512
enum { MANTISSA_BITS = BY_REAL(23, 52), BIAS = BY_REAL(127, 1023), SCALE_MIN = -BIAS, SCALE_MAX = BIAS + 1 };
/* 1.5 * 2^MANTISSA_BITS + i has the integer i in its low bits; shifted up, they are the exponent of 2^(i - BIAS). */
INLINE vec integral_shift(void) { return vset1(BY_REAL(0x1.8p23f, 0x1.8p52) + BIAS); }
INLINE vec vscale_normal(vec x, vec n) { return x * as_real(ishl(as_int(n + integral_shift()), MANTISSA_BITS)); }
/* In two halves, since 2^n itself may be too large or too small: what overflows or is denormal is rounded once. */
INLINE vec vscale(vec x, vec n)
{
    vec half = vfma(n, vset1((real)0.5), integral_shift());
    vec rest = n - (half - integral_shift());
    return vscale_normal(x * as_real(ishl(as_int(half), MANTISSA_BITS)), rest);
}
#endif

/* The largest tile of gemm: mr rows by two vectors of columns, so that the accumulators, two vectors of B and a
 * broadcast fill the registers (32 of AVX-512 and NEON, 16 of AVX2) and none is spilled.
 *
 * KC: 512 x 32 floats of B (AVX-512) are 64 KB and stay in L2 while every tile of rows passes over them. AVX2 reads them
 * again for every 6 rows, not 14: 256 x 16 floats are 16 KB, and stay in L1 (wide2048 on Zen 3: 491 -> 445 ms). The
 * bits do not depend on it: a tile goes on from C. */
#if defined ISA_avx512
enum { MR = 14, NR = 2 * V, KC = 512 };
#elif defined ISA_neon
enum { MR = 12, NR = 2 * V, KC = 512 };
#elif defined ISA_avx2
enum { MR = 6, NR = 2 * V, KC = 256 };
#else
enum { MR = 4, NR = 2 * V, KC = 512 };
#endif
#endif
