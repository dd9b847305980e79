/* hdf5_read: see hdf5_read.h.
 *
 * HDF5 is not thread-safe, and checkpoints are written by a thread of their own: sets are read
 * before that thread begins. The file is opened without a lock, which many shared file systems
 * refuse; HDF5 before 1.10.7 cannot be told so by a program. */
#include "hdf5_read.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lockstep/file.h"
#include "lockstep/text.h"

enum {
    CACHE_SLOTS = 1009,   /* a prime, well above the chunks of one row */
    DEFLATE_RATIO = 1032, /* bytes that one of a deflated stream can come to, at most */
    LINE_BYTES_MAX = 65536
};
static const uint64_t CHUNK_ROW_MAX = UINT64_C(1) << 30;
#if H5_VERSION_GE(1, 10, 7)
static const char the_file[] = "the file";
#else
static const char the_file[] = "the file (which this HDF5 locks: where the file system refuses "
                               "that, set HDF5_USE_FILE_LOCKING=FALSE)";
#endif

/* The innermost text of the library's error stack. */
static herr_t innermost(unsigned n, const H5E_error2_t *error, void *out) {
    if (n == 0)
        snprintf(out, 256, "%s", error->desc ? error->desc : "");
    return 0;
}

static Status fail(const char *what) {
    char text[256] = "";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, text);
    H5Eclear2(H5E_DEFAULT);
    return FAIL(ST_DATA, "%s cannot be read: %s", what, *text ? text : "HDF5 gives no cause");
}

/* `what` names the object concerned; for functions with a Status `status` and a label `done`. */
#define TRY_H5(what, call)                                                                         \
    do {                                                                                           \
        if ((call) < 0) {                                                                          \
            status = fail(what);                                                                   \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

Status hdf5_read_open(const char *path, hid_t *file) {
    Status status = ST_OK;
    hid_t access = -1;
    *file = -1;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5Eclear2(H5E_DEFAULT);
    int fd = file_open(path, O_RDONLY); /* what HDF5 may open as well */
    if (fd < 0)
        return FAIL(ST_DATA, "cannot be opened: %s", file_cause(errno));
    close(fd);
    if (H5Fis_hdf5(path) <= 0) {
        H5Eclear2(H5E_DEFAULT);
        return FAIL(ST_DATA, "is no HDF5 file");
    }
    TRY_H5("the file", access = H5Pcreate(H5P_FILE_ACCESS));
#if H5_VERSION_GE(1, 10, 7)
    TRY_H5("the file", H5Pset_file_locking(access, 0, 1));
#endif
    TRY_H5(the_file, *file = H5Fopen(path, H5F_ACC_RDONLY, access));
done:
    if (access >= 0)
        H5Pclose(access);
    return status;
}

/* Whether each part of a path, "train" of "train/images" first, is there. *hard: and is an object
 * of this file, not a link. */
static bool find(hid_t file, const char *name, bool *hard) {
    char part[64];
    *hard = true;
    for (size_t length = strcspn(name, "/");; length += 1 + strcspn(name + length + 1, "/")) {
        H5L_info_t info;
        snprintf(part, sizeof part, "%.*s", (int)length, name);
        if (H5Lexists(file, part, H5P_DEFAULT) <= 0 ||
            H5Lget_info(file, part, &info, H5P_DEFAULT) < 0) {
            H5Eclear2(H5E_DEFAULT);
            return false;
        }
        *hard = info.type == H5L_TYPE_HARD;
        if (!*hard || name[length] == '\0')
            return true;
    }
}

bool hdf5_read_has(hid_t file, const char *name) {
    bool hard;
    return find(file, name, &hard);
}

static Status open_object(hid_t file, const char *name, hid_t *id) {
    Status status = ST_OK;
    bool hard;
    *id = -1;
    if (!find(file, name, &hard))
        return FAIL(ST_DATA, "has no %s", name);
    if (!hard)
        return FAIL(ST_DATA, "%s is a link to elsewhere: a set's arrays are in its own file", name);
    TRY_H5(name, *id = H5Dopen2(file, name, H5P_DEFAULT));
done:
    return status;
}

/* What is to be known of an array before any of it is read. */
typedef struct Extent {
    int ndim;
    int64_t dim[ARRAY_DIMS_MAX];
    uint64_t bytes; /* of all elements */
} Extent;

static Status find_extent(hid_t id, const char *name, size_t element, Extent *extent) {
    Status status = ST_OK;
    hsize_t dim[ARRAY_DIMS_MAX];
    hid_t space = -1;
    extent->bytes = element;
    TRY_H5(name, space = H5Dget_space(id));
    TRY_H5(name, extent->ndim = H5Sget_simple_extent_ndims(space));
    if (extent->ndim < 1 || extent->ndim > ARRAY_DIMS_MAX) {
        status = FAIL(ST_DATA, "%s has %d dimensions", name, extent->ndim);
        goto done;
    }
    TRY_H5(name, H5Sget_simple_extent_dims(space, dim, NULL));
    for (int i = 0; i < extent->ndim; i++) {
        if (dim[i] < 1 || dim[i] > INT32_MAX || extent->bytes > UINT64_MAX / 2 / dim[i]) {
            status = FAIL(ST_DATA, "%s is %s", name, dim[i] < 1 ? "empty" : "too large");
            goto done;
        }
        extent->dim[i] = (int64_t)dim[i];
        extent->bytes *= dim[i];
    }
done:
    if (space >= 0)
        H5Sclose(space);
    return status;
}

/* Those that HDF5 itself has, and of which a bound of what comes out is known. */
static Status check_filters(hid_t creation, const char *name, bool *deflated) {
    *deflated = false;
    for (int i = H5Pget_nfilters(creation) - 1; i >= 0; i--) {
        unsigned flags;
        size_t none = 0;
        H5Z_filter_t filter =
            H5Pget_filter2(creation, (unsigned)i, &flags, &none, NULL, 0, NULL, NULL);
        if (filter == H5Z_FILTER_FLETCHER32 || filter == H5Z_FILTER_SHUFFLE)
            continue;
        if (filter != H5Z_FILTER_DEFLATE || *deflated)
            return FAIL(ST_DATA,
                        "%s is compressed by filter %d: write it by gzip once (and shuffle, "
                        "fletcher32), or as it is",
                        name, (int)filter);
        *deflated = true;
    }
    return ST_OK;
}

/* Of chunks: how many there are to be, and the bytes of those that hold one row: *row. */
static Status measure_chunks(hid_t creation, const char *name, size_t element, const Extent *extent,
                             uint64_t *chunks, uint64_t *row) {
    hsize_t chunk[ARRAY_DIMS_MAX];
    if (H5Pget_chunk(creation, ARRAY_DIMS_MAX, chunk) != extent->ndim)
        return fail(name);
    *chunks = 1;
    *row = element;
    for (int i = 0; i < extent->ndim; i++) {
        uint64_t along = ((uint64_t)extent->dim[i] + chunk[i] - 1) / chunk[i];
        uint64_t wide = chunk[i] * (i > 0 ? along : 1);
        *chunks *= along;
        if (wide > CHUNK_ROW_MAX / *row)
            return FAIL(ST_DATA, "%s is stored in chunks larger than %d MiB: write smaller ones",
                        name, (int)(CHUNK_ROW_MAX >> 20));
        *row *= wide;
    }
    return ST_OK;
}

static uint64_t chunks_there(hid_t id, uint64_t wanted) {
    hsize_t n = wanted;
#if H5_VERSION_GE(1, 10, 5)
    hid_t space = H5Dget_space(id);
    if (H5Dget_num_chunks(id, space, &n) < 0)
        n = 0;
    H5Sclose(space);
#endif
    return n;
}

/* Whether all of the elements are in this file. *row: memory that reading row by row wants. */
static Status check_storage(hid_t file, hid_t id, const char *name, size_t element,
                            const Extent *extent, uint64_t *row) {
    Status status = ST_OK;
    hid_t creation = -1;
    H5D_layout_t layout;
    hsize_t stored = H5Dget_storage_size(id), size = 0;
    bool deflated = false, whole;
    uint64_t chunks = 0;
    *row = 0;
    TRY_H5(name, creation = H5Dget_create_plist(id));
    TRY_H5(name, layout = H5Pget_layout(creation));
    TRY_H5(name, H5Fget_filesize(file, &size));
    if (layout == H5D_VIRTUAL || H5Pget_external_count(creation) != 0) {
        status = FAIL(ST_DATA, "%s is stored outside of its file: copy it into one", name);
        goto done;
    }
    if (layout == H5D_CHUNKED) {
        TRY_DONE(check_filters(creation, name, &deflated));
        TRY_DONE(measure_chunks(creation, name, element, extent, &chunks, row));
    }
    whole = deflated ? chunks_there(id, chunks) == chunks && extent->bytes / DEFLATE_RATIO <= stored
                     : extent->bytes <= stored;
    if (!whole || stored > size)
        status = FAIL(ST_DATA,
                      "%s is not whole: the file holds %" PRIu64 " bytes for its %" PRIu64
                      "; write all of it",
                      name, (uint64_t)stored, extent->bytes);
done:
    if (creation >= 0)
        H5Pclose(creation);
    return status;
}

static Status find_type(hid_t id, Array *array) {
    Status status = ST_OK;
    hid_t type = -1;
    TRY_H5(array->name, type = H5Dget_type(id));
    array->element = H5Tget_size(type);
    if (H5Tget_class(type) != H5T_INTEGER || array->element > 8)
        status = FAIL(ST_DATA, "%s holds no whole numbers", array->name);
    else
        array->sign = H5Tget_sign(type) == H5T_SGN_2;
done:
    if (type >= 0)
        H5Tclose(type);
    return status;
}

Status array_open(hid_t file, const char *name, Array *array) {
    Status status = ST_OK;
    hid_t id = -1, access = -1;
    Extent extent;
    uint64_t row;
    *array = (Array){.id = -1, .name = name};
    TRY_DONE(open_object(file, name, &id));
    TRY_DONE(find_type(id, array));
    TRY_DONE(find_extent(id, name, array->element, &extent));
    TRY_DONE(check_storage(file, id, name, array->element, &extent, &row));
    array->ndim = extent.ndim;
    memcpy(array->dim, extent.dim, sizeof array->dim);
    /* Again, with a cache in which the chunks of a row stay: none is unpacked twice. */
    TRY_H5(name, access = H5Pcreate(H5P_DATASET_ACCESS));
    TRY_H5(name, H5Pset_chunk_cache(access, CACHE_SLOTS, row + 1, 1));
    TRY_H5(name, array->id = H5Dopen2(file, name, access));
done:
    if (access >= 0)
        H5Pclose(access);
    if (id >= 0)
        H5Dclose(id);
    return status;
}

void array_close(Array *array) {
    if (array->id >= 0)
        H5Dclose(array->id);
    array->id = -1;
}

Status array_read(const Array *array, int64_t first, int64_t n, hid_t memory_type, void *to) {
    Status status = ST_OK;
    hid_t from = -1, memory = -1;
    hsize_t start[ARRAY_DIMS_MAX] = {(hsize_t)first}, count[ARRAY_DIMS_MAX] = {(hsize_t)n};
    hsize_t elements = (hsize_t)n;
    for (int i = 1; i < array->ndim; i++) {
        count[i] = (hsize_t)array->dim[i];
        elements *= count[i];
    }
    TRY_H5(array->name, from = H5Dget_space(array->id));
    TRY_H5(array->name, H5Sselect_hyperslab(from, H5S_SELECT_SET, start, NULL, count, NULL));
    TRY_H5(array->name, memory = H5Screate_simple(1, &elements, NULL));
    TRY_H5(array->name, H5Dread(array->id, memory_type, memory, from, H5P_DEFAULT, to));
done:
    if (memory >= 0)
        H5Sclose(memory);
    if (from >= 0)
        H5Sclose(from);
    return status;
}

/* ---- Strings ---- */

/* One of the strings of variable length of an array, in a list: a reading that fails in the middle
 * leaves some that nothing else points to. */
typedef struct Block {
    struct Block *next;
    char bytes[];
} Block;

/* Their lengths are the file's to say. */
static void *allocate(size_t size, void *context) {
    Block **list = context, *block = NULL;
    if (size <= LINE_BYTES_MAX)
        block = malloc(sizeof *block + size);
    if (!block)
        return NULL;
    block->next = *list;
    *list = block;
    return block->bytes;
}

/* They are freed together. */
static void release(void *memory, void *context) {
    (void)memory;
    (void)context;
}

static void free_blocks(Block *list) {
    while (list) {
        Block *next = list->next;
        free(list);
        list = next;
    }
}

static Status add_line(Text *lines, const char *name, const char *string, size_t length) {
    if (memchr(string, '\n', length))
        return FAIL(ST_DATA, "%s has a line break in a name", name);
    if (lines->bytes)
        text_add_bytes(lines, "\n", 1);
    else
        text_reserve(lines, LINE_BYTES_MAX);
    text_add_bytes(lines, string, length);
    return ST_OK;
}

static Status read_fixed(hid_t id, hid_t type, const char *name, int64_t n, Text *lines) {
    Status status = ST_OK;
    size_t size = H5Tget_size(type);
    char *all = NULL;
    if (size > LINE_BYTES_MAX / 16)
        return FAIL(ST_DATA, "%s has strings of %zu bytes, more than a name's", name, size);
    all = calloc((size_t)n, size + 1);
    TRY_ALLOC(all);
    TRY_H5(name, H5Dread(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, all));
    for (int64_t i = 0; i < n; i++) {
        const char *string = all + (size_t)i * size;
        size_t length = strnlen(string, size);
        while (H5Tget_strpad(type) == H5T_STR_SPACEPAD && length > 0 && string[length - 1] == ' ')
            length--;
        TRY_DONE(add_line(lines, name, string, length));
    }
done:
    free(all);
    return status;
}

static Status read_variable(hid_t id, hid_t type, const char *name, int64_t n, Text *lines) {
    Status status = ST_OK;
    hid_t transfer = -1;
    Block *strings = NULL;
    char **all = calloc((size_t)n, sizeof *all);
    TRY_ALLOC(all);
    TRY_H5(name, transfer = H5Pcreate(H5P_DATASET_XFER));
    TRY_H5(name, H5Pset_vlen_mem_manager(transfer, allocate, &strings, release, NULL));
    TRY_H5(name, H5Dread(id, type, H5S_ALL, H5S_ALL, transfer, all));
    for (int64_t i = 0; i < n; i++)
        TRY_DONE(add_line(lines, name, all[i] ? all[i] : "", all[i] ? strlen(all[i]) : 0));
done:
    if (transfer >= 0)
        H5Pclose(transfer);
    free_blocks(strings);
    free(all);
    return status;
}

Status hdf5_read_lines(hid_t file, const char *name, int64_t most, char **text, int64_t *n) {
    Status status = ST_OK;
    hid_t id = -1, type = -1;
    Extent extent;
    uint64_t row;
    Text lines = {0};
    size_t size;
    TRY_DONE(open_object(file, name, &id));
    TRY_H5(name, type = H5Dget_type(id));
    if (H5Tget_class(type) != H5T_STRING) {
        status = FAIL(ST_DATA, "%s is no list of strings", name);
        goto done;
    }
    TRY_DONE(find_extent(id, name, H5Tget_size(type), &extent));
    if (extent.ndim != 1 || extent.dim[0] > most) {
        status = FAIL(ST_DATA, "%s is no list of 1 to %" PRId64 " strings", name, most);
        goto done;
    }
    TRY_DONE(check_storage(file, id, name, H5Tget_size(type), &extent, &row));
    *n = extent.dim[0];
    TRY_DONE(H5Tis_variable_str(type) > 0 ? read_variable(id, type, name, *n, &lines)
                                          : read_fixed(id, type, name, *n, &lines));
    TRY_DONE(text_take(&lines, text, &size));
done:
    text_free(&lines);
    if (type >= 0)
        H5Tclose(type);
    if (id >= 0)
        H5Dclose(id);
    return status;
}
