/* save: a file that is replaced as a whole. Private to src/report. Local. */
#ifndef LOCKSTEP_REPORT_SAVE_H
#define LOCKSTEP_REPORT_SAVE_H

#include <stddef.h>

#include "lockstep/status.h"

/* Writes a new file beside `path` and renames it. ST_CHECKPOINT where it cannot be written. */
Status save_file(const char *path, const char *bytes, size_t size);

#endif
