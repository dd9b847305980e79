/* hdf5_file: HDF5 files in memory. Private to src/io. Local.
 *
 * HDF5 itself never touches the disk. A file is made in memory and written by file_util: where a
 * write fails in its own drivers (a full disk), version 1.10 keeps the file half-closed and crashes
 * at exit. And it is read from memory, so that the bytes that were hashed are the bytes that are
 * parsed. Files are made with version-1.10 bounds, in which all metadata carries checksums. */
#ifndef LOCKSTEP_IO_HDF5_FILE_H
#define LOCKSTEP_IO_HDF5_FILE_H

#include <hdf5.h>

#include "lockstep/status.h"

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

#endif
