/* flight_dir: where the flight records of a run are: RUN/flight/START/rank-N, a folder for each
 * start that left any. Local. */
#ifndef LOCKSTEP_FLIGHT_DIR_H
#define LOCKSTEP_FLIGHT_DIR_H

#include "lockstep/flight.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { FLIGHT_START_MAX = 48 };

/* A name for a start that begins now; later ones sort behind. */
void flight_start_name(char out[FLIGHT_START_MAX]);

/* Removes all but the `keep` newest starts' records. ST_CHECKPOINT. */
Status flight_prune(const char *run, int64_t keep);

/* The records of one start. */
typedef struct FlightSet {
    char folder[4096];
    int n;                 /* ranks of the run */
    FlightRecord *records; /* [n], owned with their entries; not present: no file */
} FlightSet;

/* Those of the newest start of the run directory `path`, or those in the folder `path` itself.
 * ST_CHECKPOINT where there are none, or one cannot be read. *set is to be freed, also after a
 * failure. */
Status flight_set_read(const char *path, FlightSet *set);
void flight_set_free(FlightSet *set);

#ifdef __cplusplus
}
#endif
#endif
