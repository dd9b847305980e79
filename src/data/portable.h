/* portable: functions of real numbers whose bits are the same on every processor. Private to
 * src/data. Local.
 *
 * A C library picks other code for another processor, and its last bits follow; what the random
 * transforms draw must not. These are made of + - * / and sqrt, which IEEE 754 defines to the bit,
 * compiled without contraction. Relative errors are below 1e-15. */
#ifndef LOCKSTEP_DATA_PORTABLE_H
#define LOCKSTEP_DATA_PORTABLE_H

/* Cosine and sine of an angle in degrees, -360 to 360 (absolute error). */
void portable_turn(double degrees, double *cosine, double *sine);

/* Natural logarithm of a normal number above 0. */
double portable_log(double x);

/* e^x; below -700 that of -700, above 700 that of 700. */
double portable_exp(double x);

#endif
