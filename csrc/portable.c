/* portable.c - log, powers, cos(pi x) and normal numbers, one double at a time, with the same bits on every machine.
 *
 * The functions of a C library and of NumPy may differ in the last bit from version to version and from one CPU to
 * another. What enters the parameters of every network - initial values, learning rates, Adam's corrections - comes from
 * here instead. Only + - * / and sqrt are used, which IEEE 754 rounds correctly and which are rounded one by one
 * (-ffp-contract=off), and bits that are moved about. One body: nothing here depends on the ISA, and no compiler is
 * given an ISA's flags.
 *
 * A number that has to be known better than a double holds is a pair, the unevaluated sum of two doubles (Dekker, "A
 * floating-point technique for extending the available precision", Numerische Mathematik 18, 1971). */
#include <math.h>
#include <string.h>
#include "fastbp.h"

typedef struct {
    double high, low;
} pair;

/* a + b, exactly */
static pair sum(double a, double b)
{
    pair s = {a + b, 0};
    double of_b = s.high - a;
    s.low = (a - (s.high - of_b)) + (b - of_b);
    return s;
}

/* a b, exactly, where neither overflows nor underflows: each is cut into halves of 26 bits, whose products are exact */
static pair product(double a, double b)
{
    double cut_a = 134217729.0 * a, cut_b = 134217729.0 * b; /* 2^27 + 1 */
    double a1 = cut_a - (cut_a - a), a2 = a - a1, b1 = cut_b - (cut_b - b), b2 = b - b1;
    pair p = {a * b, 0};
    p.low = ((a1 * b1 - p.high) + a1 * b2 + a2 * b1) + a2 * b2;
    return p;
}

static double horner(double x, const double *c, int count)
{
    double value = c[count - 1];
    for (int i = count - 2; i >= 0; i--) value = value * x + c[i];
    return value;
}
#define POLYNOMIAL(x, c) horner(x, c, sizeof c / sizeof *c)

/* 2^n, -1022 <= n <= 1023 */
static double two_to(int n)
{
    uint64_t bits = (uint64_t)(n + 1023) << 52;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ln(2), the first part so short that its product with an exponent is exact */
#define LN2_HIGH 0x1.62e42feep-1
#define LN2_LOW 0x1.a39ef35793c76p-33

/* ---- log ------------------------------------------------------------------------------------------------------
 * 1. x = 2^n m, sqrt(1/2) <= m < sqrt(2); a denormal x is scaled up first.
 * 2. s = (m - 1) / (m + 1), |s| <= 0.172; log(m) = 2 atanh(s) = 2 (s + s (s^2 / 3 + s^4 / 5 + ...)).
 * 3. Pairs as far as they matter: s, s^2 / 3 and the sums. The rest of the series is 2^-12 of the whole. */
static const double atanh_tail[] = {1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11, 1.0 / 13, 1.0 / 15,
                                    1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23, 1.0 / 25, 1.0 / 27};

static pair log_of(double x)
{
    int n = x < 0x1p-1022 ? -54 : 0;
    uint64_t bits;
    x = n ? x * 0x1p54 : x;
    memcpy(&bits, &x, sizeof bits);
    /* the exponent steps at sqrt(1/2), whose bits are 3fe6a09e667f3bcd, and not at 1 */
    int step = (int)((int64_t)(bits - 0x3fe6a09e667f3bcd) >> 52);
    bits -= (uint64_t)(int64_t)step << 52;
    n += step;
    double m;
    memcpy(&m, &bits, sizeof m);

    double f = m - 1;
    pair d = sum(2, f);
    pair s = {f / d.high, 0}, p = product(s.high, d.high);
    s.low = (((f - p.high) - p.low) - s.high * d.low) / d.high;
    pair z = product(s.high, s.high);
    z.low += 2 * s.high * s.low;
    pair third = product(z.high, 0x1.5555555555555p-2); /* 1/3 and its rest */
    third.low += z.high * 0x1.5555555555555p-56 + z.low * 0x1.5555555555555p-2;
    pair t = sum(third.high, z.high * z.high * POLYNOMIAL(z.high, atanh_tail));
    t.low += third.low;
    pair v = product(s.high, t.high);
    v.low += s.high * t.low + s.low * t.high;
    pair half = sum(s.high, v.high);
    half.low += v.low + s.low;

    pair y = sum(n * LN2_HIGH, 2 * half.high);
    return sum(y.high, y.low + (n * LN2_LOW + 2 * half.low));
}

double fbp_log(double x, double *low)
{
    pair y = {-INFINITY, 0};
    if (x > 0) y = log_of(x);
    *low = y.low;
    return y.high;
}

/* ---- powers ---------------------------------------------------------------------------------------------------
 * 1. y log(x) as a pair; n = that / ln 2, rounded; the rest r, |r| <= ln(2) / 2, as a pair.
 * 2. e^r = 1 + r + r^2 / 2 + r^3 P(r), the first three as pairs; times 2^n. */
static const double exp_tail[] = {1.0 / 6,       1.0 / 24,       1.0 / 120,       1.0 / 720,
                                  1.0 / 5040,    1.0 / 40320,    1.0 / 362880,    1.0 / 3628800,
                                  1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800, 1.0 / 87178291200};

double fbp_power_of_log(double high, double low, double y)
{
    if (y == 0) return 1;
    if (!(y * high > -746)) return 0; /* below half of the smallest denormal; or log(0) */
    pair x = product(y, high);
    x.low += y * low;
    double n = (x.high * 0x1.71547652b82fep+0 + 0x1.8p52) - 0x1.8p52;
    pair r = sum(x.high - n * LN2_HIGH, x.low - n * LN2_LOW);
    pair square = product(r.high, r.high);
    pair first = sum(1, r.high), second = sum(first.high, square.high / 2);
    double tail = r.high * square.high * POLYNOMIAL(r.high, exp_tail) + (square.low / 2 + r.low * first.high);
    double value = second.high + (second.low + (first.low + tail));
    return n < -1000 ? value * two_to((int)n + 100) * 0x1p-100 : value * two_to((int)n);
}

double fbp_power(double x, double y)
{
    double low, high = fbp_log(x, &low);
    return fbp_power_of_log(high, low, y);
}

/* ---- cos(pi x) ------------------------------------------------------------------------------------------------
 * 1. x is brought to 0 .. 1/4, without rounding: cos(pi x) = -cos(pi (1 - x)) = sin(pi (1/2 - x)).
 * 2. t = pi x as a pair; the series of sin or cos. */
static const double sin_tail[] = {-1.0 / 6,       1.0 / 120,         -1.0 / 5040,          1.0 / 362880,
                                  -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000,
                                  -1.0 / 121645100408832000};
static const double cos_tail[] = {1.0 / 24,          -1.0 / 720,          1.0 / 40320,          -1.0 / 3628800,
                                  1.0 / 479001600,   -1.0 / 87178291200,  1.0 / 20922789888000, -1.0 / 6402373705728000,
                                  1.0 / 2432902008176640000};

static pair times_pi(double x)
{
    pair t = product(x, 0x1.921fb54442d18p+1);
    t.low += x * 0x1.1a62633145c07p-53;
    return t;
}

double fbp_cos_pi(double x)
{
    double sign = 1, value;
    if (x > 0.5) x = 1 - x, sign = -1;
    if (x > 0.25) {
        pair t = times_pi(0.5 - x);
        double z = t.high * t.high;
        value = t.high + (t.high * z * POLYNOMIAL(z, sin_tail) + t.low);
    } else {
        pair t = times_pi(x);
        double z = t.high * t.high, half = z / 2, w = 1 - half;
        value = w + (((1 - w) - half) + (z * z * POLYNOMIAL(z, cos_tail) - t.high * t.low));
    }
    return sign * value;
}

/* ---- normal numbers -------------------------------------------------------------------------------------------
 * The quantile of the standard normal distribution at p = (k + 1/2) 2^-53, k being the upper 53 bits of a word: Wichura,
 * "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37, 1988, PPND16, three
 * quotients of polynomials that are right to about 1 in 10^16. p - 1/2 and the smaller of p and 1 - p are exact, and the
 * numbers of k and 2^53 - 1 - k differ in their sign alone. Between -8.3 and 8.3. */
static const double centre_p[] = {3.387132872796366608,   133.14166789178437745, 1971.5909503065514427,
                                  13731.693765509461125,  45921.953931549871457, 67265.770927008700853,
                                  33430.575583588128105,  2509.0809287301226727};
static const double centre_q[] = {1.0,                    42.313330701600911252, 687.1870074920579083,
                                  5394.1960214247511077,  21213.794301586595867, 39307.89580009271061,
                                  28729.085735721942674,  5226.495278852545925};
static const double side_p[] = {1.42343711074968357734,  4.6303378461565452959,     5.7694972214606914055,
                                3.64784832476320460504,  1.27045825245236838258,    0.24178072517745061177,
                                0.0227238449892691845833, 7.7454501427834140764e-4};
static const double side_q[] = {1.0,                     2.05319162663775882187,    1.6763848301838038494,
                                0.68976733498510000455,  0.14810397642748007459,    0.0151986665636164571966,
                                5.475938084995344946e-4, 1.05075007164441684324e-9};
static const double far_p[] = {6.6579046435011037772,    5.4637849111641143699,     1.7848265399172913358,
                               0.29656057182850489123,   0.026532189526576123093,   0.0012426609473880784386,
                               2.71155556874348757815e-5, 2.01033439929228813265e-7};
static const double far_q[] = {1.0,                      0.59983220655588793769,    0.13692988092273580531,
                               0.0148753612908506148525, 7.868691311456132591e-4,   1.8463183175100546818e-5,
                               1.4215117583164458887e-7, 2.04426310338993978564e-15};

double fbp_normal(uint64_t word)
{
    int64_t odd = 2 * (int64_t)(word >> 11) + 1; /* p = odd 2^-54 */
    double q = (double)(odd - ((int64_t)1 << 53)) * 0x1p-54;
    if (fabs(q) <= 0.425) {
        double r = 0.180625 - q * q;
        return q * (POLYNOMIAL(r, centre_p) / POLYNOMIAL(r, centre_q));
    }
    double p = (double)(q < 0 ? odd : ((int64_t)1 << 54) - odd) * 0x1p-54;
    double r = sqrt(-log_of(p).high);
    double value = r <= 5 ? POLYNOMIAL(r - 1.6, side_p) / POLYNOMIAL(r - 1.6, side_q)
                          : POLYNOMIAL(r - 5, far_p) / POLYNOMIAL(r - 5, far_q);
    return q < 0 ? -value : value;
}
