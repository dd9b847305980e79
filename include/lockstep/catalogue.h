/* catalogue: the runs below a folder, each with what a table says of it. Reads only, takes no lock.
 * Local. */
#ifndef LOCKSTEP_CATALOGUE_H
#define LOCKSTEP_CATALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers are NaN, and texts "", where they are not known. Of a run that has not ended accuracy,
 * loss, epochs and speed are those of the last lines of its metrics.jsonl. */
typedef struct RunRow {
    char *path, *name;   /* of the directory; from the folder on. Owned */
    char recipe[128];    /* the file's name without .yaml */
    char *changes;       /* a line KEY=VALUE for each option that was given another value than the
                          * recipe's, as the recipe was when the run last started. Owned */
    const char *status;  /* "finished", "stopped", "crashed", "running", "silent", "damaged" */
    char *error;         /* of a damaged one: why it cannot be read. Owned; else NULL */
    double ranks;        /* of the last process, as are time and speed */
    double accuracy;     /* a fraction */
    double loss, epoch;  /* of the test set; epochs done */
    double wall_s;       /* training and evaluation */
    double images_per_s; /* trained */
    char dataset[64];    /* "cifar10", "synthetic", ... */
    char date[24];       /* of the first start: 2026-01-31T12:00:00Z */
    char state_hash[24]; /* 16 hex digits, of a run that has ended */
    struct Settings *options; /* owned; NULL: damaged */
} RunRow;

typedef struct Catalogue {
    int64_t n;
    RunRow *row; /* [n] owned, by name: run.2 before run.10 */
} Catalogue;

/* The run directories in `folder`, at any depth, or that itself. Folders within a run are not
 * looked at, and symbolic links only where they lead to a run. A run that cannot be read is one
 * with status "damaged". ST_USAGE where the folder cannot be read. */
Status catalogue_read(const char *folder, Catalogue *catalogue);
void catalogue_free(Catalogue *catalogue); /* accepts a zeroed struct */

/* The value of an option in a run's configuration, "" where that is not known. */
const char *catalogue_option(const RunRow *row, const char *key);

#ifdef __cplusplus
}
#endif
#endif
