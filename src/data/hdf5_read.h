/* hdf5_read: arrays of an HDF5 file that anyone may have made. Private to src/data. Local.
 *
 * Nothing it says of itself is believed before it is looked at: arrays are of the file itself,
 * behind no link and in no other file, whole, and no larger than what the file holds of them can
 * come to. Errors are ST_DATA and do not name the file. */
#ifndef LOCKSTEP_DATA_HDF5_READ_H
#define LOCKSTEP_DATA_HDF5_READ_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "lockstep/status.h"

enum { ARRAY_DIMS_MAX = 4 };

/* An open array of whole numbers. */
typedef struct Array {
    hid_t id; /* below 0: none */
    const char *name;
    int ndim;
    int64_t dim[ARRAY_DIMS_MAX];
    size_t element; /* bytes of one, and */
    bool sign;      /* whether it may be below 0 */
} Array;

/* For H5Fclose; below 0 after a failure. */
Status hdf5_read_open(const char *path, hid_t *file);

/* Whether there is an object `name`: "train/images". */
bool hdf5_read_has(hid_t file, const char *name);

/* Opens an array of whole numbers with at least one element; for array_close, also after a failure.
 */
Status array_open(hid_t file, const char *name, Array *array);
void array_close(Array *array);

/* Rows first..first+n) of the outermost dimension into `to`, as `memory_type` (of one element). */
Status array_read(const Array *array, int64_t first, int64_t n, hid_t memory_type, void *to);

/* The strings of a list of at most `most`, of fixed or variable length, a line each; the caller
 * frees *text. *n: how many. */
Status hdf5_read_lines(hid_t file, const char *name, int64_t most, char **text, int64_t *n);

#endif
