/* simd.h - the vector vocabulary of one (ISA, real) pair, in which all kernels are written.
 *
 * Who includes it has said ISA, a name of isa/isas.def, and REAL, f32 or f64. It offers
 *   real, vec (V reals), ivec (V signed integers as wide as a real), mask (V truths)
 *   + - * / on vec, + - & | ^ << >> on ivec: C's own operators, which GCC's and Clang's vector types have
 *   vset1, iset1, vload, vstore (any alignment), vload_n, vstore_n (the first n lanes, 1 <= n <= V: nothing beyond
 *   is touched, other lanes read as zero), vload_half (V reals from V halves, from_half being one's),
 *   vfma(a, b, c) = a * b + c, vmin, vmax (of a NaN: the second argument),
 *   vabs, vsqrt, vround (to nearest, ties to even), vlt, vle, veq, vselect(mask, if_true, if_false),
 *   as_int, as_real (the same bits), to_int (of an integral vec with |x| < 2^31), to_real, iadd (which wraps), ishl, ishr
 *   (zeros come in), vsum (lanes in a fixed order), vlargest (of the lanes), vfirst(n) (the mask of the first n lanes),
 *   vall(mask) (whether all lanes are true),
 *   vscale(x, n) = x * 2^n, n integral, of any size, and vscale_normal, cheaper on most ISAs: n from SCALE_MIN,
 *   where it gives 0, to SCALE_MAX, where it gives infinity, and both may come a binade earlier than they must,
 *   and where LOOKUP is true: vlookup(table, index), table (16) at the lowest four bits of each lane of index; vscale then
 *   takes n of any fraction, and rounds it down.
 *
 * An ISA's header, isa/<isa>.h, is the only file that says its intrinsics. In this order it has
 *   the compiler's flags, a line "flags on <machine>: ..." that setup.py and the tests read
 *   unless REAL is said, its row for dispatch.c; otherwise, where the compiler was given the flags, all that follows
 *   VECTOR_BYTES  of a vector; what does not define it has no kernels in this build
 *   MR, NR        rows and columns of gemm's largest tile, MR a literal of at most 16, NR two vectors: 2 MR accumulators, two
 *                 vectors of B and a broadcast fill the registers, and none is spilled
 *   KC, MC        rows of B, and of A, that a product reads again and again, from the L1 or the L2 cache, before it goes on.
 *                 No bit depends on them: a tile goes on from C
 *   A_BYTES, B_BYTES, LIMBS, KR   how packed A and B lie: see fbp_table
 *   NARROW        the ISA whose gemm makes a product of at most one of its own vectors of columns sooner; or NULL
 *   FREE_MASKS    true where vload_n in a loop takes no longer than vload, and needs no vector register of its own
 *   ENTER, LEAVE  functions for each thread before its first product and after its last one, where the ISA needs them
 *   vec.h, the vocabulary's types, and the rest of the vocabulary. HAS_FOLDS: vsum and vlargest are among it, HAS_SCALE:
 *   vscale, vscale_normal and their limits; what is missing is made here of the rest. */
#ifndef SIMD_H
#define SIMD_H
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline, unused))
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define STRING_(x) #x
#define STRING(x) STRING_(x)

#define IS_DOUBLE_f32 0
#define IS_DOUBLE_f64 1
#define REAL_IS_DOUBLE PASTE(IS_DOUBLE_, REAL)
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

#define ISA_HEADER STRING(isa/ISA.h)
#include ISA_HEADER

#if defined VECTOR_BYTES
/* ---- what the ISA has no instruction for ------------------------------------------------------------------------ */

#if !defined HAS_FOLDS
INLINE real vsum(vec a) { FOLD(a, vadd); return a[0]; }
INLINE real vlargest(vec a) { FOLD(a, vmax); return a[0]; }
#endif

#if !defined FREE_MASKS
#define FREE_MASKS 0
#endif

#if !defined ENTER
#define ENTER NULL
#define LEAVE NULL
#endif

#if !defined HAS_SCALE
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
#endif
#endif
