/* portable: see portable.h. Ranges are reduced until a Taylor series of fixed length is exact to a
 * double. */
#include "portable.h"

#include <math.h>

static const double PI = 3.14159265358979323846;

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
