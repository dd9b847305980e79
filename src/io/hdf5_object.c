/* hdf5_object: see hdf5_object.h. */
#include "hdf5_object.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_error.h"

enum { CHUNK_BYTES = 4 << 20, TEXT_BYTES_MAX = 1 << 24 };

Status hdf5_create_group(hid_t parent, const char *name, hid_t *group) {
    Status status = ST_OK;
    hid_t creation = -1;
    *group = -1;
    TRY_H5(name, creation = H5Pcreate(H5P_GROUP_CREATE));
    TRY_H5(name,
           H5Pset_link_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED));
    TRY_H5(name, *group = H5Gcreate2(parent, name, H5P_DEFAULT, creation, H5P_DEFAULT));
done:
    if (creation >= 0)
        H5Pclose(creation);
    return status;
}

/* A name that stands for an object of this very file. */
static Status check_link(hid_t parent, const char *name) {
    Status status = ST_OK;
    H5L_info_t info;
    TRY_H5(name, H5Lget_info(parent, name, &info, H5P_DEFAULT));
    if (info.type != H5L_TYPE_HARD)
        status =
            FAIL(ST_CHECKPOINT, "%s is a link to elsewhere, which a checkpoint has none of", name);
done:
    return status;
}

/* Behind that name; nothing has two: what is read once by its size is not read a thousand times. */
static Status check_single(hid_t object, const char *name) {
    Status status = ST_OK;
#if H5_VERSION_GE(1, 12, 0)
    H5O_info2_t info;
    TRY_H5(name, H5Oget_info3(object, &info, H5O_INFO_BASIC));
#else
    H5O_info_t info;
    TRY_H5(name, H5Oget_info2(object, &info, H5O_INFO_BASIC));
#endif
    if (info.rc != 1)
        status = FAIL(ST_CHECKPOINT, "%s has two names, as nothing in a checkpoint has", name);
done:
    return status;
}

Status hdf5_file_bytes(hid_t object, const char *name, uint64_t *bytes) {
    Status status = ST_OK;
    hid_t file = -1;
    hsize_t size = 0;
    TRY_H5(name, file = H5Iget_file_id(object));
    TRY_H5(name, H5Fget_filesize(file, &size));
    *bytes = size;
done:
    if (file >= 0)
        H5Fclose(file);
    return status;
}

Status hdf5_open_group(hid_t parent, const char *name, hid_t *group) {
    Status status = ST_OK;
    TRY_DONE(check_link(parent, name));
    TRY_H5(name, *group = H5Gopen2(parent, name, H5P_DEFAULT));
    TRY_DONE(check_single(*group, name));
done:
    return status;
}

Status hdf5_open_object(hid_t parent, const char *name, hid_t *object) {
    Status status = ST_OK;
    *object = -1;
    TRY_DONE(check_link(parent, name));
    TRY_H5(name, *object = H5Oopen(parent, name, H5P_DEFAULT));
    TRY_DONE(check_single(*object, name));
done:
    return status;
}

static Status put_attribute(hid_t object, const char *name, hid_t file_type, hid_t memory_type,
                            const void *value) {
    Status status = ST_OK;
    hid_t space = -1, attribute = -1;
    TRY_H5(name, space = H5Screate(H5S_SCALAR));
    TRY_H5(name, attribute = H5Acreate2(object, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT));
    TRY_H5(name, H5Awrite(attribute, memory_type, value));
done:
    if (attribute >= 0)
        H5Aclose(attribute);
    if (space >= 0)
        H5Sclose(space);
    return status;
}

Status hdf5_put_int(hid_t object, const char *name, int64_t value) {
    return put_attribute(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

Status hdf5_put_hash(hid_t object, const char *name, uint64_t value) {
    return put_attribute(object, name, H5T_STD_U64LE, H5T_NATIVE_UINT64, &value);
}

Status hdf5_put_real(hid_t object, const char *name, double value) {
    return put_attribute(object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
}

Status hdf5_put_text(hid_t object, const char *name, const char *value) {
    Status status = ST_OK;
    hid_t type = -1;
    TRY_H5(name, type = H5Tcopy(H5T_C_S1));
    TRY_H5(name, H5Tset_size(type, strlen(value) + 1));
    TRY_H5(name, H5Tset_cset(type, H5T_CSET_UTF8));
    TRY_DONE(put_attribute(object, name, type, type, value));
done:
    if (type >= 0)
        H5Tclose(type);
    return status;
}

/* Opens a scalar attribute of the given class and size (size 0: any). */
static Status open_attribute(hid_t object, const char *name, H5T_class_t kind, size_t size,
                             hid_t *attribute, hid_t *type) {
    Status status = ST_OK;
    hid_t space = -1;
    *attribute = *type = -1;
    TRY_H5(name, *attribute = H5Aopen(object, name, H5P_DEFAULT));
    TRY_H5(name, *type = H5Aget_type(*attribute));
    TRY_H5(name, space = H5Aget_space(*attribute));
    if (H5Tget_class(*type) != kind || (size && H5Tget_size(*type) != size) ||
        H5Sget_simple_extent_npoints(space) != 1)
        status = FAIL(ST_CHECKPOINT, "attribute %s has another type than a checkpoint's", name);
done:
    if (space >= 0)
        H5Sclose(space);
    return status;
}

static Status get_number(hid_t object, const char *name, H5T_class_t kind, hid_t memory_type,
                         void *value) {
    Status status = ST_OK;
    hid_t attribute, type;
    TRY_DONE(open_attribute(object, name, kind, 8, &attribute, &type));
    TRY_H5(name, H5Aread(attribute, memory_type, value));
done:
    if (type >= 0)
        H5Tclose(type);
    if (attribute >= 0)
        H5Aclose(attribute);
    return status;
}

Status hdf5_get_int(hid_t object, const char *name, int64_t *value) {
    return get_number(object, name, H5T_INTEGER, H5T_NATIVE_INT64, value);
}

Status hdf5_get_hash(hid_t object, const char *name, uint64_t *value) {
    return get_number(object, name, H5T_INTEGER, H5T_NATIVE_UINT64, value);
}

Status hdf5_get_real(hid_t object, const char *name, double *value) {
    return get_number(object, name, H5T_FLOAT, H5T_NATIVE_DOUBLE, value);
}

Status hdf5_has(hid_t object, const char *name, bool *has) {
    Status status = ST_OK;
    htri_t exists;
    *has = false;
    TRY_H5(name, exists = H5Aexists(object, name));
    *has = exists > 0;
done:
    return status;
}

Status hdf5_has_member(hid_t group, const char *name, bool *has) {
    Status status = ST_OK;
    htri_t exists;
    *has = false;
    TRY_H5(name, exists = H5Lexists(group, name, H5P_DEFAULT));
    *has = exists > 0;
done:
    return status;
}

Status hdf5_get_text(hid_t object, const char *name, char **text) {
    Status status = ST_OK;
    hid_t attribute, type;
    char *buffer = NULL;
    uint64_t room;
    TRY_DONE(open_attribute(object, name, H5T_STRING, 0, &attribute, &type));
    size_t size = H5Tget_size(type);
    TRY_DONE(hdf5_file_bytes(attribute, name, &room));
    if (H5Tis_variable_str(type) != 0 || size == 0 || size > TEXT_BYTES_MAX || size > room) {
        status = FAIL(ST_CHECKPOINT, "attribute %s has another type than a checkpoint's", name);
        goto done;
    }
    buffer = calloc(size + 1, 1);
    if (!buffer) {
        status = FAIL(ST_INTERNAL, "out of memory");
        goto done;
    }
    TRY_H5(name, H5Aread(attribute, type, buffer));
    *text = buffer;
    buffer = NULL;
done:
    free(buffer);
    if (type >= 0)
        H5Tclose(type);
    if (attribute >= 0)
        H5Aclose(attribute);
    return status;
}

/* Chunks of whole rows, near CHUNK_BYTES each and of near-equal height, so that the last one pads
 * little. */
static hsize_t chunk_rows(int ndim, const hsize_t *dim, size_t element) {
    hsize_t row = element;
    for (int i = 1; i < ndim; i++)
        row *= dim[i];
    hsize_t chunks = (dim[0] * row + CHUNK_BYTES - 1) / CHUNK_BYTES;
    if (chunks > dim[0])
        chunks = dim[0];
    return (dim[0] + chunks - 1) / chunks;
}

Status hdf5_put_array(hid_t group, const char *name, hid_t type, int ndim, const int64_t *dim,
                      const void *data) {
    Status status = ST_OK;
    hid_t space = -1, creation = -1, array = -1;
    hsize_t extent[HDF5_DIMS_MAX], chunk[HDF5_DIMS_MAX];
    for (int i = 0; i < ndim; i++)
        extent[i] = chunk[i] = (hsize_t)dim[i];
    chunk[0] = chunk_rows(ndim, extent, H5Tget_size(type));
    TRY_H5(name, space = H5Screate_simple(ndim, extent, NULL));
    TRY_H5(name, creation = H5Pcreate(H5P_DATASET_CREATE));
    TRY_H5(name, H5Pset_chunk(creation, ndim, chunk));
    TRY_H5(name, H5Pset_fletcher32(creation));
    TRY_H5(name, H5Pset_obj_track_times(creation, 0));
    TRY_H5(name, array = H5Dcreate2(group, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    TRY_H5(name, H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data));
done:
    /* Closing writes what the chunk cache still holds, so its failure counts. */
    if (array >= 0 && H5Dclose(array) < 0 && status == ST_OK)
        status = hdf5_fail(__FILE__, __LINE__, name);
    if (creation >= 0)
        H5Pclose(creation);
    if (space >= 0)
        H5Sclose(space);
    return status;
}

static Status shape_of(hid_t array, const char *name, int *ndim, int64_t dim[HDF5_DIMS_MAX]) {
    Status status = ST_OK;
    hsize_t extent[HDF5_DIMS_MAX];
    hid_t space = -1;
    TRY_H5(name, space = H5Dget_space(array));
    TRY_H5(name, *ndim = H5Sget_simple_extent_ndims(space));
    if (*ndim > HDF5_DIMS_MAX || H5Sis_simple(space) <= 0) {
        status = FAIL(ST_CHECKPOINT, "%s has %d dimensions, more than a checkpoint's", name, *ndim);
        goto done;
    }
    TRY_H5(name, H5Sget_simple_extent_dims(space, extent, NULL));
    for (int i = 0; i < *ndim; i++)
        dim[i] = (int64_t)extent[i];
done:
    if (space >= 0)
        H5Sclose(space);
    return status;
}

/* Whether the values are in this file, as they are and no more than it has room for: not in files
 * or arrays elsewhere, nor to be made larger by filters. */
static Status check_storage(hid_t array, const char *name, size_t element, int ndim,
                            const int64_t *dim) {
    Status status = ST_OK;
    hid_t creation = -1;
    H5D_layout_t layout;
    hsize_t chunk[HDF5_DIMS_MAX] = {0};
    uint64_t room, bytes = element, chunk_bytes = element;
    TRY_DONE(hdf5_file_bytes(array, name, &room));
    for (int i = 0; i < ndim; i++) {
        if (dim[i] < 1 || (uint64_t)dim[i] > room || bytes > room / (uint64_t)dim[i]) {
            status = FAIL(ST_CHECKPOINT, "%s says it holds more than its file has room for", name);
            goto done;
        }
        bytes *= (uint64_t)dim[i];
    }
    TRY_H5(name, creation = H5Dget_create_plist(array));
    TRY_H5(name, layout = H5Pget_layout(creation));
    if (layout == H5D_VIRTUAL || H5Pget_external_count(creation) != 0) {
        status = FAIL(ST_CHECKPOINT, "%s is stored outside of its file", name);
        goto done;
    }
    if (layout != H5D_CHUNKED)
        goto done;
    if (H5Pget_chunk(creation, HDF5_DIMS_MAX, chunk) != ndim) {
        status = FAIL(ST_CHECKPOINT, "%s is not stored as a checkpoint's array", name);
        goto done;
    }
    for (int i = 0; i < ndim; i++)
        chunk_bytes = chunk[i] > room ? room + 1 : chunk_bytes * chunk[i];
    for (int i = H5Pget_nfilters(creation) - 1; i >= 0; i--) {
        unsigned flags;
        size_t none = 0;
        if (H5Pget_filter2(creation, (unsigned)i, &flags, &none, NULL, 0, NULL, NULL) !=
            H5Z_FILTER_FLETCHER32)
            chunk_bytes = room + 1;
    }
    if (chunk_bytes > room)
        status = FAIL(ST_CHECKPOINT, "%s is not stored as a checkpoint's array", name);
done:
    if (creation >= 0)
        H5Pclose(creation);
    return status;
}

Status hdf5_open_array(hid_t group, const char *name, size_t element, hid_t *array, int *ndim,
                       int64_t dim[HDF5_DIMS_MAX]) {
    Status status = ST_OK;
    hid_t type = -1;
    *array = -1;
    TRY_DONE(check_link(group, name));
    TRY_H5(name, *array = H5Dopen2(group, name, H5P_DEFAULT));
    TRY_DONE(check_single(*array, name));
    TRY_H5(name, type = H5Dget_type(*array));
    if (H5Tget_size(type) > element)
        element = H5Tget_size(type);
    TRY_DONE(shape_of(*array, name, ndim, dim));
    TRY_DONE(check_storage(*array, name, element, *ndim, dim));
done:
    if (type >= 0)
        H5Tclose(type);
    return status;
}

Status hdf5_get_array(hid_t group, const char *name, hid_t type, int ndim, const int64_t *dim,
                      void *data) {
    Status status = ST_OK;
    int have_ndim = 0;
    int64_t have[HDF5_DIMS_MAX] = {0};
    hid_t array, stored = -1;
    TRY_DONE(hdf5_open_array(group, name, H5Tget_size(type), &array, &have_ndim, have));
    if (have_ndim != ndim || memcmp(have, dim, (size_t)ndim * sizeof *dim) != 0) {
        char want_text[96], have_text[96];
        hdf5_shape_text(ndim, dim, want_text, sizeof want_text);
        hdf5_shape_text(have_ndim, have, have_text, sizeof have_text);
        status =
            FAIL(ST_CHECKPOINT, "%s has shape %s, the model wants %s", name, have_text, want_text);
        goto done;
    }
    TRY_H5(name, stored = H5Dget_type(array));
    if (H5Tequal(stored, type) <= 0) {
        status = FAIL(ST_CHECKPOINT, "%s has another element type than a checkpoint's", name);
        goto done;
    }
    TRY_H5(name, H5Dread(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data));
done:
    if (stored >= 0)
        H5Tclose(stored);
    if (array >= 0)
        H5Dclose(array);
    return status;
}

Status hdf5_shape(hid_t group, const char *name, size_t element, int *ndim,
                  int64_t dim[HDF5_DIMS_MAX]) {
    hid_t array;
    Status status = hdf5_open_array(group, name, element, &array, ndim, dim);
    if (array >= 0)
        H5Dclose(array);
    return status;
}

Status hdf5_members(hid_t group, int64_t *count) {
    Status status = ST_OK;
    H5G_info_t info;
    TRY_H5("group", H5Gget_info(group, &info));
    *count = (int64_t)info.nlinks;
done:
    return status;
}

Status hdf5_member_name(hid_t group, int64_t index, char *name, size_t room) {
    Status status = ST_OK;
    ssize_t length = 0;
    TRY_H5("group", length = H5Lget_name_by_idx(group, ".", H5_INDEX_CRT_ORDER, H5_ITER_INC,
                                                (hsize_t)index, name, room, H5P_DEFAULT));
    if ((size_t)length >= room)
        status = FAIL(ST_CHECKPOINT, "the name %s... is longer than a checkpoint's", name);
done:
    return status;
}

void hdf5_shape_text(int ndim, const int64_t *dim, char *text, size_t room) {
    size_t used = 0;
    snprintf(text, room, "scalar");
    for (int i = 0; i < ndim && used < room; i++)
        used += (size_t)snprintf(text + used, room - used, "%s%" PRId64, i ? " x " : "", dim[i]);
}
