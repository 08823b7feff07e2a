/* vec.h - the types of one (ISA, real) pair, of the VECTOR_BYTES that the ISA's header says before it includes this, and what
 * C's own operators make of them on every ISA. */
#define LANES (VECTOR_BYTES / BY_REAL(4, 8))
enum { V = LANES };

#if LANES == 1
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

#if LANES > 1
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
#endif
