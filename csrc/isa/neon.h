/* neon.h - NEON of AArch64, which every one of its processors has. */
#if !defined REAL
ISA(neon, 1) /* for another architecture its tables are empty */
#elif defined __aarch64__
#include <arm_neon.h>

#define VECTOR_BYTES 16
/* 32 registers: 24 accumulators, two vectors of B and a broadcast */
#define MR 12
#define NR (2 * V)
#define KR 1
#define KC 512
#define MC 128
#define A_BYTES sizeof(real)
#define B_BYTES sizeof(real)
#define LIMBS 1
#define NARROW NULL
#include "vec.h"

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
#undef OP
#endif
