/* hdf5_file: creating, committing and giving up files, and reading them from memory. See
 * hdf5_util.h. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hdf5_util.h"

enum { CORE_INCREMENT = 1 << 20 };

/* Calls are made with the library's own printing off; its switch is per thread. */
static void silence(void) {
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5Eclear2(H5E_DEFAULT);
}

static herr_t innermost(unsigned n, const H5E_error2_t *error, void *out) {
    char *text = out;
    if (n == 0)
        snprintf(text, 512, "%s", error->desc ? error->desc : "");
    return 0;
}

Status hdf5_fail(const char *file, int line, const char *what) {
    char text[512] = "";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, text);
    H5Eclear2(H5E_DEFAULT);
    /* The file drivers wrap the system's message in offsets and addresses. */
    const char *cause = text;
    char *quoted = strstr(text, "error message = '");
    if (quoted) {
        cause = quoted + strlen("error message = '");
        char *end = strchr(cause, '\'');
        if (end)
            *end = '\0';
    }
    return status_fail(ST_CHECKPOINT, file, line, "%s: %s", what,
                       *cause ? cause : "HDF5 gives no cause");
}

Status hdf5_create(const char *path, hid_t *file) {
    Status status = ST_OK;
    hid_t access = -1;
    silence();
    *file = -1;
    TRY_H5("file access", access = H5Pcreate(H5P_FILE_ACCESS));
    TRY_H5("file access", H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110));
    TRY_H5("file access", H5Pset_file_locking(access, 0, 1));
    TRY_H5("cannot be created", *file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access));
done:
    if (access >= 0)
        H5Pclose(access);
    return status;
}

Status hdf5_commit(hid_t file, const char *path) {
    Status status = ST_OK;
    void *handle = NULL;
    int fd = -1;
    bool open = true;
    TRY_H5("cannot be written", H5Fget_vfd_handle(file, H5P_DEFAULT, &handle));
    fd = dup(*(int *)handle);
    /* Flushing first: a failure here leaves a file that can still be closed. */
    TRY_H5("cannot be written", H5Fflush(file, H5F_SCOPE_GLOBAL));
    open = false;
    TRY_H5("cannot be written", H5Fclose(file));
    if (fd < 0 || fsync(fd) != 0)
        status = FAIL(ST_CHECKPOINT, "%s: cannot be made durable: %m", path);
done:
    if (open)
        hdf5_abandon(file);
    if (fd >= 0 && close(fd) != 0 && status == ST_OK)
        status = FAIL(ST_CHECKPOINT, "%s: cannot be made durable: %m", path);
    return status;
}

void hdf5_abandon(hid_t file) {
    /* HDF5 would try again to write what did not fit on the disk, and keep the file open for good
     * where that fails: what is left goes to memory that is thrown away. */
    void *handle = NULL;
    int nowhere = memfd_create("abandoned", MFD_CLOEXEC);
    if (nowhere >= 0 && H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) >= 0)
        dup3(nowhere, *(int *)handle, O_CLOEXEC);
    if (nowhere >= 0)
        close(nowhere);
    H5Fclose(file);
    H5Eclear2(H5E_DEFAULT);
}

/* Callbacks that lend HDF5 the caller's bytes, where it would otherwise copy them twice. */
typedef struct Image {
    void *bytes;
} Image;

static void *image_malloc(size_t size, H5FD_file_image_op_t op, void *context) {
    (void)size, (void)op;
    return ((Image *)context)->bytes;
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
    Image *copy = malloc(sizeof *copy);
    if (copy)
        *copy = *(Image *)context;
    return copy;
}

static herr_t image_context_free(void *context) {
    free(context);
    return 0;
}

Status hdf5_open_image(const void *bytes, size_t size, hid_t *file) {
    Status status = ST_OK;
    hid_t access = -1;
    Image image = {(void *)(uintptr_t)bytes};
    H5FD_file_image_callbacks_t callbacks = {image_malloc, image_memcpy,       image_realloc,
                                             image_free,   image_context_copy, image_context_free,
                                             &image};
    silence();
    *file = -1;
    if (size == 0)
        return FAIL(ST_CHECKPOINT, "is empty");
    TRY_H5("file access", access = H5Pcreate(H5P_FILE_ACCESS));
    TRY_H5("file access", H5Pset_fapl_core(access, CORE_INCREMENT, 0));
    TRY_H5("file access", H5Pset_file_image_callbacks(access, &callbacks));
    TRY_H5("file access", H5Pset_file_image(access, image.bytes, size));
    TRY_H5("is not a readable HDF5 file",
           *file = H5Fopen("checkpoint image", H5F_ACC_RDONLY, access));
done:
    if (access >= 0)
        H5Pclose(access);
    return status;
}
