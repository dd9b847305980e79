/* portable: functions of real numbers whose bits are the same on every processor. Private to
 * src/data. Local.
 *
 * A C library picks other code for another processor, and its last bits follow; what the random
 * transforms draw must not. These are made of + - * / and sqrt, which IEEE 754 defines to the bit,
 * compiled without contraction. Largest relative errors, against a long double's: 4e-16. */
#ifndef LOCKSTEP_DATA_PORTABLE_H
#define LOCKSTEP_DATA_PORTABLE_H

/* Cosine and sine of an angle in degrees, -360 to 360 (absolute error). */
void portable_turn(double degrees, double *cosine, double *sine);

#endif
