/* scalar.h - an ISA of one lane: C without vectors, for every machine. */
#if !defined REAL
ISA(scalar, 1)
#else

#define VECTOR_BYTES BY_REAL(4, 8)
#define MR 4
#define NR (2 * V)
#define KR 1
#define KC 512
#define MC 128
#define A_BYTES sizeof(real)
#define B_BYTES sizeof(real)
#define LIMBS 1
#define NARROW NULL
#include "vec.h"

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
#define HAS_FOLDS 1
INLINE real vsum(vec a) { return a; }
INLINE real vlargest(vec a) { return a; }
INLINE mask vfirst(ptrdiff_t n) { return n > 0; }
INLINE int vall(mask m) { return m; }
#endif
