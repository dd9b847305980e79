/* hdf5_util: the little of HDF5 that checkpoints need, with Status instead of error stacks.
 * Private to src/io. Local.
 *
 * Each library call goes through TRY_H5, which evaluates it once and puts the innermost text of the
 * library's error stack into our message. Files are written with version-1.10 bounds, in which all
 * metadata carries checksums; arrays are chunked with fletcher32, strings have a fixed length (the
 * heap of variable ones has no checksum).
 *
 * HDF5 itself never touches the disk. A file is made in memory and written by file_util: where a
 * write fails in its own drivers (a full disk), version 1.10 keeps the file half-closed and crashes
 * at exit. And it is read from memory, so that the bytes that were hashed are the bytes that are
 * parsed. */
#ifndef LOCKSTEP_IO_HDF5_UTIL_H
#define LOCKSTEP_IO_HDF5_UTIL_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

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

/* The bytes of a file that HDF5 made; whoever holds it frees bytes. */
typedef struct Hdf5Image {
    char *bytes;
    size_t size;
} Hdf5Image;

/* A new file in memory. *image must stay where it is until the file is closed; it is valid after
 * hdf5_finish or, after an error, H5Fclose. */
Status hdf5_create(Hdf5Image *image, hid_t *file);

/* Closes a file that hdf5_create made (also where it fails) and hands over its bytes. */
Status hdf5_finish(hid_t file, Hdf5Image *image);

/* A read-only file in memory; `bytes` is borrowed until H5Fclose. */
Status hdf5_open_image(const void *bytes, size_t size, hid_t *file);

/* A group whose members keep the order in which they were made. */
Status hdf5_create_group(hid_t parent, const char *name, hid_t *group);
Status hdf5_open_group(hid_t parent, const char *name, hid_t *group);

/* Scalar attributes. Reading checks kind and size. The caller frees *text. */
Status hdf5_put_int(hid_t object, const char *name, int64_t value);
Status hdf5_put_hash(hid_t object, const char *name, uint64_t value);
Status hdf5_put_real(hid_t object, const char *name, double value);
Status hdf5_put_text(hid_t object, const char *name, const char *value);
bool hdf5_has(hid_t object, const char *name);
Status hdf5_get_int(hid_t object, const char *name, int64_t *value);
Status hdf5_get_hash(hid_t object, const char *name, uint64_t *value);
Status hdf5_get_real(hid_t object, const char *name, double *value);
Status hdf5_get_text(hid_t object, const char *name, char **text);

/* An array of `type`, logical row-major dimensions dim[ndim], all at least 1. Reading gives
 * ST_CHECKPOINT naming both shapes where they differ. */
Status hdf5_put_array(hid_t group, const char *name, hid_t type, int ndim, const int64_t *dim,
                      const void *data);
Status hdf5_get_array(hid_t group, const char *name, hid_t type, int ndim, const int64_t *dim,
                      void *data);

/* Number of members, and the name of member `index` in the order in which they were made. */
Status hdf5_members(hid_t group, int64_t *count);
Status hdf5_member_name(hid_t group, int64_t index, char *name, size_t room);

/* Rank and dimensions of an array. */
enum { HDF5_DIMS_MAX = 4 };
Status hdf5_shape(hid_t group, const char *name, int *ndim, int64_t dim[HDF5_DIMS_MAX]);

/* "64 x 3 x 3 x 3" */
void hdf5_shape_text(int ndim, const int64_t *dim, char *text, size_t room);

#endif
