/* hdf5_object: the groups, attributes and arrays that checkpoints need. Private to src/io. Local.
 *
 * Arrays are chunked with fletcher32; strings have a fixed length (the heap of variable ones has no
 * checksum).
 * What is read may come from anywhere: objects are of the file itself, behind no link, under one
 * name and in no other file, and nothing is allocated that the file has no room for. */
#ifndef LOCKSTEP_IO_HDF5_OBJECT_H
#define LOCKSTEP_IO_HDF5_OBJECT_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "lockstep/status.h"

/* A group whose members keep the order in which they were made. */
Status hdf5_create_group(hid_t parent, const char *name, hid_t *group);
Status hdf5_open_group(hid_t parent, const char *name, hid_t *group);

/* A group, an array or whatever has that name; for H5Oclose, also after a failure. */
Status hdf5_open_object(hid_t parent, const char *name, hid_t *object);

/* Bytes of the file that an object is in: what it says it holds cannot be more. */
Status hdf5_file_bytes(hid_t object, const char *name, uint64_t *bytes);

/* Scalar attributes. Reading checks kind and size. The caller frees *text. */
Status hdf5_put_int(hid_t object, const char *name, int64_t value);
Status hdf5_put_hash(hid_t object, const char *name, uint64_t value);
Status hdf5_put_real(hid_t object, const char *name, double value);
Status hdf5_put_text(hid_t object, const char *name, const char *value);
Status hdf5_has(hid_t object, const char *name, bool *has); /* damage is no absence */
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

/* Whether a group has a member of that name; damage is no absence. */
Status hdf5_has_member(hid_t group, const char *name, bool *has);

/* Number of members, and the name of member `index` in the order in which they were made. */
Status hdf5_members(hid_t group, int64_t *count);
Status hdf5_member_name(hid_t group, int64_t index, char *name, size_t room);

/* Rank and dimensions of an array of elements of so many bytes; ST_CHECKPOINT where all of them
 * would not fit into the file. */
enum { HDF5_DIMS_MAX = 4 };
Status hdf5_shape(hid_t group, const char *name, size_t element, int *ndim,
                  int64_t dim[HDF5_DIMS_MAX]);

/* An array of this file and its shape, which may be believed: as many elements of so many bytes, or
 * of its own size where that is more, fit into the file. For H5Dclose, also after a failure. */
Status hdf5_open_array(hid_t group, const char *name, size_t element, hid_t *array, int *ndim,
                       int64_t dim[HDF5_DIMS_MAX]);

/* "64 x 3 x 3 x 3" */
void hdf5_shape_text(int ndim, const int64_t *dim, char *text, size_t room);

#endif
