/* hdf5_content: all that a file holds, whether or not this program has a name for it. Private to
 * src/io. Local. */
#ifndef LOCKSTEP_IO_HDF5_CONTENT_H
#define LOCKSTEP_IO_HDF5_CONTENT_H

#include <hdf5.h>

#include "hdf5_object.h"

/* A group, an array or a scalar attribute. */
typedef struct Hdf5Item {
    const char *path; /* "/state/history"; of an attribute "/state@step"; of the root "" */
    /* 'g' group; 'i', 'u' integer of 8 bytes with or without sign; 'f', 'd' float of 4 or 8 bytes;
     * 's' text of a fixed length; 'c' elements of several numbers */
    char kind;
    size_t element; /* bytes of an element, 0 of a group */
    int ndim;       /* 0 of an attribute */
    int64_t dim[HDF5_DIMS_MAX];
    const void *bytes; /* [size] all elements as the file has them, little-endian */
    size_t size;
} Hdf5Item;

/* Calls `each` for all of them, members and attributes of a group by name (strcmp). ST_CHECKPOINT
 * naming what is none of these kinds, is stored elsewhere, or stands under two names. */
Status hdf5_content(hid_t file, void (*each)(void *context, const Hdf5Item *item), void *context);

#endif
