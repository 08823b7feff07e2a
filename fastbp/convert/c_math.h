/* The mathematics of an exported network: what its layers need, in C99 without the C library's <math.h>. c_header.py
 * copies the pieces that a network needs; a piece begins with a line that says its name and which others it needs, and
 * "model_" becomes the name that the user chose.
 *
 * The coefficients are those of csrc/vecmath.inc. ULP: the largest error found over the floats of a grid, in units in the
 * last place of the exact result; tests/convert/test_c_math.py measures them again. NaN gives NaN. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* piece float_of_bits: */
static inline float model_float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* piece bits_of_float: */
static inline uint32_t model_bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* piece scale: float_of_bits */
/* x 2^n for n from -252 to 254, in two steps, as 2^n alone may be no float */
static inline float model_scale(float x, int n)
{
    const int half = n / 2;
    return x * model_float_of_bits((uint32_t)(half + 127) << 23) * model_float_of_bits((uint32_t)(n - half + 127) << 23);
}

/* piece clamp: */
static inline float model_clamp(float x, float low, float high) { return x < low ? low : x > high ? high : x; }

/* piece round_to_int: */
/* the nearest whole number, for |x| below 2^15; 0 for NaN */
static inline int model_round_to_int(float x) { return x >= 0 ? (int)(x + 0.5f) : x < 0 ? -(int)(0.5f - x) : 0; }

/* piece expm1_near_zero: */
/* e^r - 1 for |r| <= ln(2) / 2 */
static inline float model_expm1_near_zero(float r)
{
    const float p = (((0.0013882520f * r + 0.0083665472f) * r + 0.041667201f) * r + 0.16666543f) * r + 0.49999998f;
    return r * r * p + r;
}

/* piece minus_ln2_times: */
/* x - n ln 2, with ln 2 in two parts, the first so short that its product with n is exact */
static inline float model_minus_ln2_times(int n, float x)
{
    return (x - (float)n * 0.693145752f) - (float)n * 1.42860677e-6f;
}

/* piece exp: scale clamp round_to_int expm1_near_zero minus_ln2_times */
/* e^x = 2^n e^r, with n = x / ln 2 rounded */
static inline float model_exp(float x)
{
    int n;
    x = model_clamp(x, -104.0f, 89.0f); /* where it is 0, or infinite */
    n = model_round_to_int(x * 1.44269504f);
    return model_scale(1.0f + model_expm1_near_zero(model_minus_ln2_times(n, x)), n);
}

/* piece expm1: scale clamp round_to_int expm1_near_zero minus_ln2_times */
/* e^x - 1 = 2^n (e^r - 1) + (2^n - 1), by halves, as 2^n overflows before the result does */
static inline float model_expm1(float x)
{
    int n;
    float half;
    x = model_clamp(x, -20.0f, 89.0f);
    n = model_round_to_int(x * 1.44269504f);
    half = model_scale(1.0f, n - 1);
    half = half * model_expm1_near_zero(model_minus_ln2_times(n, x)) + (half - 0.5f);
    return half + half;
}

/* piece log1p: */
/* log(1 + x) for 0 <= x <= 1: 2 atanh(s), s = x / (2 + x) */
static inline float model_log1p(float x)
{
    const float s = x / (2.0f + x), z = s * s;
    const float p = ((0.14006090f * z + 0.14000889f) * z + 0.20010764f) * z + 0.33333208f;
    return 2.0f * s + 2.0f * s * z * p;
}

/* piece tanh: expm1 */
/* -m / (m + 2), m = e^(-2 |x|) - 1 */
static inline float model_tanh(float x)
{
    const float m = model_expm1(x < 0 ? 2.0f * x : -2.0f * x), t = -m / (m + 2.0f);
    return x < 0 ? -t : t;
}

/* piece sigmoid: exp */
static inline float model_sigmoid(float x) { return 1.0f / (1.0f + model_exp(-x)); }

/* piece normal_cdf: exp scale clamp round_to_int expm1_near_zero minus_ln2_times bits_of_float float_of_bits */
/* (1 + erf(x / sqrt(2))) / 2, the cumulative distribution function of the normal distribution, to full relative precision
 * in its lower tail as well: e^(-t^2 / 2) P(t) / Q(t), t = |x|. t^2 = h^2 + (t + h) (t - h) with h so short that h^2 is
 * exact. P and Q are summed in double: their roundings are what would be seen. */
static inline float model_normal_cdf(float x)
{
    const double p[] = {0.5, 0.43759196996688843, 0.18268783390522003, 0.040441002696752548, 0.0040854760445654392};
    const double q[] = {1.0, 1.6730688810348511, 1.2002874612808228, 0.46801880002021790, 0.10137714445590973,
                        0.010240647941827774};
    const float t = model_clamp(x < 0 ? -x : x, 0.0f, 14.5f);
    const float high = model_float_of_bits(model_bits_of_float(t) & 0xfffff000u);
    const float a = -0.5f * high * high, b = -0.5f * (t + high) * (t - high);
    const int n = model_round_to_int((a + b) * 1.44269504f);
    const float e = 1.0f + model_expm1_near_zero(model_minus_ln2_times(n, a) + b);
    const double above = (((p[4] * t + p[3]) * t + p[2]) * t + p[1]) * t + p[0];
    const double below = ((((q[5] * t + q[4]) * t + q[3]) * t + q[2]) * t + q[1]) * t + q[0];
    const float tail = model_scale(e * (float)(above / below), n);
    return x < 0 ? tail : 1.0f - tail;
}

/* piece sqrt: bits_of_float float_of_bits */
/* the root of a positive normal number: a first guess by half its exponent, then Newton's steps */
static inline float model_sqrt(float x)
{
    float y = model_float_of_bits((model_bits_of_float(x) >> 1) + 0x1fbd1df5u);
    int i;
    for (i = 0; i < 3; i++) y = 0.5f * (y + x / y);
    return y;
}

/* ---- activations ------------------------------------------------------------------------------------------------- */

/* piece relu: */
static inline float model_relu(float z) { return z < 0 ? 0.0f : z; }

/* piece leaky_relu: */
static inline float model_leaky_relu(float z) { return z < 0 ? 0.01f * z : z; }

/* piece elu: expm1 */
static inline float model_elu(float z) { return z > 0 ? z : model_expm1(z); }

/* piece selu: expm1 */
static inline float model_selu(float z) { return z > 0 ? 1.05070099f * z : 1.75809934f * model_expm1(z); }

/* piece gelu: normal_cdf */
static inline float model_gelu(float z) { return (z < -14.5f ? -14.5f : z) * model_normal_cdf(z); }

/* piece gelu_tanh: sigmoid */
static inline float model_gelu_tanh(float z)
{
    z = z < -14.0f ? -14.0f : z;
    return z * model_sigmoid(z * (z * z * 0.0713548163f + 1.59576912f));
}

/* piece silu: sigmoid */
static inline float model_silu(float z)
{
    z = z < -110.0f ? -110.0f : z;
    return z * model_sigmoid(z);
}

/* piece mish: exp */
/* z tanh(log(1 + e^z)) = z a / (a + 2), a = e (e + 2), e = e^z */
static inline float model_mish(float z)
{
    const float e = model_exp(z > 40.0f ? 40.0f : z), a = e * (e + 2.0f);
    return (z < -110.0f ? -110.0f : z) * (a / (a + 2.0f));
}

/* piece softplus: exp log1p */
static inline float model_softplus(float z)
{
    return (z < 0 ? 0.0f : z) + model_log1p(model_exp(z < 0 ? z : -z));
}

/* piece hard_sigmoid: clamp */
static inline float model_hard_sigmoid(float z) { return model_clamp(z + 3.0f, 0.0f, 6.0f) * 0.166666672f; }

/* piece softsign: clamp */
static inline float model_softsign(float z)
{
    z = model_clamp(z, -1e30f, 1e30f);
    return z / (1.0f + (z < 0 ? -z : z));
}

/* piece exponential: exp */
static inline float model_exponential(float z) { return model_exp(z); }

/* ---- layers ------------------------------------------------------------------------------------------------------ */

/* piece dense: */
/* y (units) = W x + b, W (units, inputs) by rows. Four sums stand side by side: quicker, and with smaller roundings. */
static inline void model_dense(const float *x, const float *W, const float *b, float *y, size_t inputs, size_t units)
{
    const size_t whole = inputs - inputs % 4;
    size_t i, j;
    for (j = 0; j < units; j++, W += inputs) {
        float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (i = 0; i < whole; i += 4) {
            s0 += W[i] * x[i];
            s1 += W[i + 1] * x[i + 1];
            s2 += W[i + 2] * x[i + 2];
            s3 += W[i + 3] * x[i + 3];
        }
        for (i = whole; i < inputs; i++) s0 += W[i] * x[i];
        y[j] = ((s0 + s1) + (s2 + s3)) + b[j];
    }
}

/* piece layer_norm: sqrt */
/* y (n) = gamma (y - mean) / sqrt(variance + eps) + beta */
static inline void model_layer_norm(float *y, const float *gamma, const float *beta, size_t n, float eps)
{
    size_t i;
    float mean = 0, variance = 0, factor;
    for (i = 0; i < n; i++) mean += y[i];
    mean /= (float)n;
    for (i = 0; i < n; i++) {
        y[i] -= mean;
        variance += y[i] * y[i];
    }
    factor = 1.0f / model_sqrt(variance / (float)n + eps);
    for (i = 0; i < n; i++) y[i] = y[i] * factor * gamma[i] + beta[i];
}

/* piece softmax: exp */
static inline void model_softmax(float *y, size_t n)
{
    size_t i;
    float largest = y[0], sum = 0;
    for (i = 1; i < n; i++) largest = y[i] > largest ? y[i] : largest;
    for (i = 0; i < n; i++) sum += y[i] = model_exp(y[i] - largest);
    for (i = 0; i < n; i++) y[i] /= sum;
}
