/* hdf5_error: HDF5's failures as Status. Private to src/io. Local.
 *
 * Each library call goes through TRY_H5, which evaluates it once and puts the innermost text of the
 * library's error stack into our message. */
#ifndef LOCKSTEP_IO_HDF5_ERROR_H
#define LOCKSTEP_IO_HDF5_ERROR_H

#include <hdf5.h>

#include "lockstep/status.h"

/* `what` names the object concerned; for functions with a Status `status` and a label `done`. */
#define TRY_H5(what, call)                                                                         \
    do {                                                                                           \
        if ((call) < 0) {                                                                          \
            status = hdf5_fail(__FILE__, __LINE__, (what));                                        \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

/* Records ST_CHECKPOINT with the innermost text of the library's error stack. */
Status hdf5_fail(const char *file, int line, const char *what);

/* Turns the library's own printing off in this thread, and forgets what went wrong before. */
void hdf5_silence(void);

#endif
