/* hdf5_file: files in memory, to fill and to read. See hdf5_file.h. */
#include "hdf5_file.h"

#include <stdlib.h>
#include <string.h>

#include "hdf5_error.h"

enum { CORE_INCREMENT = 1 << 20 };

/* A name that no file can have: the core driver looks for one before it creates its own. */
static const char no_file[] = "/dev/null/checkpoint";

/* Callbacks for a file under construction: its memory outlives it. */
static void *grow_malloc(size_t size, H5FD_file_image_op_t op, void *context) {
    (void)op, (void)context;
    return malloc(size);
}

static void *grow_memcpy(void *to, const void *from, size_t size, H5FD_file_image_op_t op,
                         void *context) {
    (void)op, (void)context;
    return memcpy(to, from, size);
}

static void *grow_realloc(void *pointer, size_t size, H5FD_file_image_op_t op, void *context) {
    (void)op, (void)context;
    return realloc(pointer, size);
}

static herr_t grow_free(void *pointer, H5FD_file_image_op_t op, void *context) {
    if (op == H5FD_FILE_IMAGE_OP_FILE_CLOSE)
        ((Hdf5Image *)context)->bytes = pointer;
    else
        free(pointer);
    return 0;
}

static void *grow_context_copy(void *context) {
    return context;
}

static herr_t grow_context_free(void *context) {
    (void)context;
    return 0;
}

Status hdf5_create(Hdf5Image *image, hid_t *file) {
    Status status = ST_OK;
    hid_t access = -1;
    H5FD_file_image_callbacks_t callbacks = {grow_malloc, grow_memcpy,       grow_realloc,
                                             grow_free,   grow_context_copy, grow_context_free,
                                             image};
    hdf5_silence();
    *file = -1;
    memset(image, 0, sizeof *image);
    TRY_H5("file access", access = H5Pcreate(H5P_FILE_ACCESS));
    TRY_H5("file access", H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110));
    TRY_H5("file access", H5Pset_fapl_core(access, CORE_INCREMENT, 0));
    TRY_H5("file access", H5Pset_file_image_callbacks(access, &callbacks));
    TRY_H5("file creation", *file = H5Fcreate(no_file, H5F_ACC_TRUNC, H5P_DEFAULT, access));
done:
    if (access >= 0)
        H5Pclose(access);
    return status;
}

Status hdf5_finish(hid_t file, Hdf5Image *image) {
    Status status = ST_OK;
    ssize_t size = -1;
    /* The memory ends in a part of the driver's increment that is no part of the file. */
    TRY_H5("file", H5Fflush(file, H5F_SCOPE_GLOBAL));
    TRY_H5("file", size = H5Fget_file_image(file, NULL, 0));
done:
    if (H5Fclose(file) < 0 && status == ST_OK)
        status = hdf5_fail(__FILE__, __LINE__, "file");
    if (status == ST_OK && !image->bytes)
        status = FAIL(ST_INTERNAL, "HDF5 keeps the memory of a file");
    image->size = size > 0 ? (size_t)size : 0;
    return status;
}

/* Callbacks that lend HDF5 the caller's bytes, where it would otherwise copy them twice. */
typedef struct Lent {
    void *bytes;
} Lent;

static void *image_malloc(size_t size, H5FD_file_image_op_t op, void *context) {
    (void)size, (void)op;
    return ((Lent *)context)->bytes;
}

static void *image_memcpy(void *to, const void *from, size_t size, H5FD_file_image_op_t op,
                          void *context) {
    (void)size, (void)op, (void)context;
    return to == from ? to : NULL;
}

static void *image_realloc(void *pointer, size_t size, H5FD_file_image_op_t op, void *context) {
    (void)pointer, (void)size, (void)op, (void)context;
    return NULL;
}

static herr_t image_free(void *pointer, H5FD_file_image_op_t op, void *context) {
    (void)pointer, (void)op, (void)context;
    return 0;
}

static void *image_context_copy(void *context) {
    Lent *copy = malloc(sizeof *copy);
    if (copy)
        *copy = *(Lent *)context;
    return copy;
}

static herr_t image_context_free(void *context) {
    free(context);
    return 0;
}

Status hdf5_open_image(const void *bytes, size_t size, hid_t *file) {
    Status status = ST_OK;
    hid_t access = -1;
    Lent lent = {(void *)(uintptr_t)bytes};
    H5FD_file_image_callbacks_t callbacks = {image_malloc, image_memcpy,       image_realloc,
                                             image_free,   image_context_copy, image_context_free,
                                             &lent};
    hdf5_silence();
    *file = -1;
    if (size == 0)
        return FAIL(ST_CHECKPOINT, "is empty");
    TRY_H5("file access", access = H5Pcreate(H5P_FILE_ACCESS));
    TRY_H5("file access", H5Pset_fapl_core(access, CORE_INCREMENT, 0));
    TRY_H5("file access", H5Pset_file_image_callbacks(access, &callbacks));
    TRY_H5("file access", H5Pset_file_image(access, lent.bytes, size));
    TRY_H5("is not a readable HDF5 file", *file = H5Fopen(no_file, H5F_ACC_RDONLY, access));
done:
    if (access >= 0)
        H5Pclose(access);
    return status;
}
