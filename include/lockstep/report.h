/* report: pictures and a page of what a run's directory holds. Reads only, but for the folder that
 * it writes. Local. */
#ifndef LOCKSTEP_REPORT_H
#define LOCKSTEP_REPORT_H

#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes report.html and its pictures into folder `out`, of one run directory or, overlaid, of
 * several. Each file is replaced as a whole. ST_USAGE where there is no run, ST_CHECKPOINT where
 * one cannot be read or the report not be written, ST_DEVICE without cairo. */
Status report_write(const char *const *runs, int n, const char *out);

#ifdef __cplusplus
}
#endif
#endif
