/* normal: numbers of the standard normal distribution, the same bits on every processor and in CUDA
 * kernels. Header only. Local.
 *
 * The inverse of the distribution function by rational approximation, one uniform number for one
 * normal number: Algorithm AS 241 (PPND16) of Wichura, "The percentage points of the normal
 * distribution", Applied Statistics 37, 1988, pages 477 to 484; its relative error is about 1e-16.
 * It takes + - * / sqrt, which IEEE 754 rounds correctly everywhere, and a logarithm. A library's
 * logarithm may differ from one processor to the next, as may the sine of Box and Muller's method,
 * so the one here is a series of the same operations. Of the algorithm's three parts the last, for
 * p below 1.4e-11, is left out: no word of 32 bits leads there. */
#ifndef LOCKSTEP_NORMAL_H
#define LOCKSTEP_NORMAL_H

#include <math.h>
#include <stdint.h>

#ifdef __CUDACC__
#define NORMAL_FN static __host__ __device__ inline
#else
#define NORMAL_FN static inline
#endif

/* Natural logarithm: x = m 2^e, m near 1, and log m = 2 atanh((m - 1) / (m + 1)), a series whose
 * terms fall by a factor of 34. */
NORMAL_FN double normal_logarithm(double x) {
    enum { TERMS = 12 };
    const double ln2 = 0.693147180559945309417, root_half = 0.707106781186547524401;
    int exponent;
    double m = frexp(x, &exponent), sum = 0;
    if (m < root_half) {
        m *= 2;
        exponent--;
    }
    double s = (m - 1) / (m + 1), square = s * s;
    for (int k = TERMS; k >= 0; k--)
        sum = sum * square + 1.0 / (2 * k + 1);
    return exponent * ln2 + 2 * s * sum;
}

NORMAL_FN double normal_polynomial(const double coefficient[8], double x) {
    double sum = 0;
    for (int i = 0; i < 8; i++)
        sum = sum * x + coefficient[i];
    return sum;
}

/* The x below which a standard normal number is with probability p, for p in [1e-10, 1 - 1e-10]: to
 * 1e-15 of itself or, near 0, of p - 1/2. */
NORMAL_FN double normal_quantile(double p) {
    /* Highest power first; names as in the paper. */
    const double a[8] = {2.5090809287301226727e+3, 3.3430575583588128105e+4,
                         6.7265770927008700853e+4, 4.5921953931549871457e+4,
                         1.3731693765509461125e+4, 1.9715909503065514427e+3,
                         1.3314166789178437745e+2, 3.3871328727963666080e+0};
    const double b[8] = {5.2264952788528545610e+3, 2.8729085735721942674e+4,
                         3.9307895800092710610e+4, 2.1213794301586595867e+4,
                         5.3941960214247511077e+3, 6.8718700749205790830e+2,
                         4.2313330701600911252e+1, 1.0};
    const double c[8] = {7.74545014278341407640e-4, 2.27238449892691845833e-2,
                         2.41780725177450611770e-1, 1.27045825245236838258e+0,
                         3.64784832476320460504e+0, 5.76949722146069140550e+0,
                         4.63033784615654529590e+0, 1.42343711074968357734e+0};
    const double d[8] = {1.05075007164441684324e-9, 5.47593808499534494600e-4,
                         1.51986665636164571966e-2, 1.48103976427480074590e-1,
                         6.89767334985100004550e-1, 1.67638483018380384940e+0,
                         2.05319162663775882187e+0, 1.0};
    double q = p - 0.5;
    if (fabs(q) <= 0.425) {
        double r = 0.180625 - q * q;
        return q * normal_polynomial(a, r) / normal_polynomial(b, r);
    }
    double r = sqrt(-normal_logarithm(q < 0 ? p : 1 - p)) - 1.6;
    double x = normal_polynomial(c, r) / normal_polynomial(d, r);
    return q < 0 ? -x : x;
}

/* The number that a uniform word of a counter (rng.h) stands for: the quantile of the middle of one
 * of 2^32 equal shares, 6.3 at most. */
NORMAL_FN double normal_from(uint32_t word) {
    return normal_quantile(((double)word + 0.5) * 0x1p-32);
}

#undef NORMAL_FN
#endif
