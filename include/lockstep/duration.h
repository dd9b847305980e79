/* duration: a length of time as a person writes it. Local.
 *
 *   3h50m  90s  1.5h  1d12h        units d, h, m, s, each once, the largest first
 *   1-12:00:00  3:50:00  30:00     Slurm's D-HH[:MM[:SS]], H:MM:SS and M:SS
 *
 * A number alone has no unit and is none: Slurm would take it for minutes, others for seconds. */
#ifndef LOCKSTEP_DURATION_H
#define LOCKSTEP_DURATION_H

#include <stddef.h>

#include "lockstep/parse.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { DURATION_TEXT_MAX = 64 };

/* In seconds. PARSE_SYNTAX for text of no such form, which leaves *seconds as it is. */
ParseResult duration_parse(const char *text, double *seconds);

/* Text that duration_parse reads back to the same bits, in the first form; seconds >= 0. */
void duration_text(double seconds, char out[DURATION_TEXT_MAX]);

#ifdef __cplusplus
}
#endif
#endif
