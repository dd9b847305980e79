/* portable: see portable.h. Ranges are reduced until a Taylor series of fixed length is exact to a
 * double. */
#include "portable.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static const double PI = 3.14159265358979323846, ROOT_HALF = 0.70710678118654752440;
/* ln 2 = LN2_TOP + LN2_REST: products of the first with a whole number below 2^20 are exact */
static const double LN2_TOP = 0x1.62e42fefap-1, LN2_REST = 0x1.cf79abc9e3b3ap-40;

/* sum of (-x^2)^k / ((first + 1) ... (first + 2k)): cos x of first 0, sin x / x of first 1. For
 * |x| <= pi / 4 what nine terms leave out is below 1e-17. */
static double alternating(double x, int first) {
    double term = 1, sum = 1;
    for (int k = 1; k <= 9; k++) {
        term *= -(x * x) / ((first + 2 * k - 1) * (first + 2 * k));
        sum += term;
    }
    return sum;
}

void portable_turn(double degrees, double *cosine, double *sine) {
    double quarters = rint(degrees / 90);
    double rest = (degrees - 90 * quarters) * (PI / 180);
    double c = alternating(rest, 0), s = rest * alternating(rest, 1);
    int quadrant = (int)quarters & 3;
    *cosine = quadrant == 0 ? c : quadrant == 1 ? -s : quadrant == 2 ? -c : s;
    *sine = quadrant == 0 ? s : quadrant == 1 ? c : quadrant == 2 ? -s : -c;
}

/* x = m 2^e with m from sqrt(1/2) to sqrt(2): log m = 2 artanh((m - 1) / (m + 1)). */
double portable_log(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52) - 1022;
    bits = (bits & (UINT64_MAX >> 12)) | UINT64_C(1022) << 52;
    memcpy(&x, &bits, sizeof x); /* 1/2 to 1 */
    if (x < ROOT_HALF) {
        x *= 2;
        exponent--;
    }
    double s = (x - 1) / (x + 1), power = s, sum = 0;
    for (int k = 1; k <= 23; k += 2) {
        sum += power / k;
        power *= s * s;
    }
    return exponent * LN2_TOP + (exponent * LN2_REST + 2 * sum);
}

double portable_exp(double x) {
    x = x < -700 ? -700 : x > 700 ? 700 : x;
    double twos = rint(x * (1 / (LN2_TOP + LN2_REST)));
    double rest = (x - twos * LN2_TOP) - twos * LN2_REST, term = 1, sum = 0;
    for (int k = 1; k <= 14; k++) {
        sum += term;
        term *= rest / k;
    }
    uint64_t bits = (uint64_t)(1023 + (int)twos) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return sum * scale;
}
