/* hdf5_content: see hdf5_content.h.
 *
 * A file may come from anywhere: what it holds is a tree, for nothing has two names, and no number
 * in it decides over more memory than the file itself has. */
#include "hdf5_content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_error.h"

enum { PATH_BYTES = 1024, DEPTH_MAX = 8 };

typedef struct Walk {
    void (*each)(void *context, const Hdf5Item *item);
    void *context;
    Status status; /* of what stopped it */
    int depth;
    char path[PATH_BYTES];
} Walk;

/* Puts `mark` and `name` behind the path; *length is what to cut it back to. */
static Status enter(Walk *walk, char mark, const char *name, size_t *length) {
    *length = strlen(walk->path);
    size_t room = sizeof walk->path - *length;
    if (snprintf(walk->path + *length, room, "%c%s", mark, name) >= (int)room) {
        walk->path[*length] = '\0';
        return FAIL(ST_CHECKPOINT, "%.64s... has a longer name than a checkpoint has", walk->path);
    }
    return ST_OK;
}

static char number_kind(hid_t type) {
    return H5Tequal(type, H5T_STD_I64LE) > 0    ? 'i'
           : H5Tequal(type, H5T_STD_U64LE) > 0  ? 'u'
           : H5Tequal(type, H5T_IEEE_F64LE) > 0 ? 'd'
           : H5Tequal(type, H5T_IEEE_F32LE) > 0 ? 'f'
                                                : '\0';
}

static bool has_numbers_only(hid_t type) {
    int members = H5Tget_nmembers(type);
    bool only = members > 0;
    for (int i = 0; only && i < members; i++) {
        hid_t member = H5Tget_member_type(type, (unsigned)i);
        only = member >= 0 && number_kind(member);
        if (member >= 0)
            H5Tclose(member);
    }
    return only;
}

/* 0 for a type that no checkpoint has. */
static char kind_of(hid_t type) {
    if (H5Tget_class(type) == H5T_STRING)
        return H5Tis_variable_str(type) == 0 ? 's' : '\0';
    if (H5Tget_class(type) == H5T_COMPOUND)
        return has_numbers_only(type) ? 'c' : '\0';
    return number_kind(type);
}

static Status no_kind(const Walk *walk) {
    return FAIL(ST_CHECKPOINT, "%s is of another type than anything of a checkpoint", walk->path);
}

/* *bytes for `size` bytes of a file that has as many; the caller frees them. */
static Status make_room(hid_t object, const Walk *walk, size_t size, void **bytes) {
    uint64_t room;
    TRY(hdf5_file_bytes(object, walk->path, &room));
    if (size > room)
        return FAIL(ST_CHECKPOINT, "%s says it holds more than its file has room for", walk->path);
    *bytes = malloc(size + 1);
    return *bytes ? ST_OK : FAIL(ST_INTERNAL, "out of memory for %s", walk->path);
}

static Status read_attribute(Walk *walk, hid_t object, const char *name) {
    Status status = ST_OK;
    hid_t attribute = -1, type = -1, space = -1;
    void *bytes = NULL;
    Hdf5Item item = {.path = walk->path};
    TRY_H5(walk->path, attribute = H5Aopen(object, name, H5P_DEFAULT));
    TRY_H5(walk->path, type = H5Aget_type(attribute));
    TRY_H5(walk->path, space = H5Aget_space(attribute));
    item.kind = kind_of(type);
    if (!item.kind || H5Sget_simple_extent_type(space) != H5S_SCALAR) {
        status = no_kind(walk);
        goto done;
    }
    item.element = item.size = H5Tget_size(type);
    TRY_DONE(make_room(attribute, walk, item.size, &bytes));
    TRY_H5(walk->path, H5Aread(attribute, type, bytes));
    item.bytes = bytes;
    walk->each(walk->context, &item);
done:
    free(bytes);
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    if (attribute >= 0)
        H5Aclose(attribute);
    return status;
}

static herr_t on_attribute(hid_t object, const char *name, const H5A_info_t *info, void *context) {
    Walk *walk = context;
    size_t length;
    (void)info;
    walk->status = enter(walk, '@', name, &length);
    if (walk->status == ST_OK) {
        walk->status = read_attribute(walk, object, name);
        walk->path[length] = '\0';
    }
    return walk->status == ST_OK ? 0 : -1;
}

static Status read_attributes(Walk *walk, hid_t object) {
    hsize_t from = 0;
    Status status = ST_OK;
    walk->status = ST_OK;
    if (H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &from, on_attribute, walk) < 0)
        status = walk->status != ST_OK ? walk->status : hdf5_fail(__FILE__, __LINE__, walk->path);
    return status;
}

static Status read_array(Walk *walk, hid_t parent, const char *name) {
    Status status = ST_OK;
    hid_t array = -1, type = -1;
    void *bytes = NULL;
    Hdf5Item item = {.path = walk->path};
    TRY_DONE(hdf5_open_array(parent, name, 0, &array, &item.ndim, item.dim));
    TRY_H5(walk->path, type = H5Dget_type(array));
    item.kind = kind_of(type);
    if (!item.kind) {
        status = no_kind(walk);
        goto done;
    }
    item.element = item.size = H5Tget_size(type);
    for (int i = 0; i < item.ndim; i++) /* no more than the file has room for */
        item.size *= (size_t)item.dim[i];
    TRY_DONE(make_room(array, walk, item.size, &bytes));
    TRY_H5(walk->path, H5Dread(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes));
    item.bytes = bytes;
    walk->each(walk->context, &item);
    TRY_DONE(read_attributes(walk, array));
done:
    free(bytes);
    if (type >= 0)
        H5Tclose(type);
    if (array >= 0)
        H5Dclose(array);
    return status;
}

static herr_t on_member(hid_t group, const char *name, const H5L_info_t *info, void *context);

static Status read_group(Walk *walk, hid_t group) {
    Hdf5Item item = {.path = walk->path, .kind = 'g'};
    hsize_t from = 0;
    if (walk->depth == DEPTH_MAX)
        return FAIL(ST_CHECKPOINT, "%s has more groups above it than a checkpoint has", walk->path);
    walk->each(walk->context, &item);
    TRY(read_attributes(walk, group));
    walk->depth++;
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &from, on_member, walk) < 0)
        return walk->status != ST_OK ? walk->status : hdf5_fail(__FILE__, __LINE__, walk->path);
    walk->depth--;
    return ST_OK;
}

static Status read_member(Walk *walk, hid_t parent, const char *name) {
    Status status = ST_OK;
    hid_t object = -1;
    bool is_group;
    TRY_DONE(hdf5_open_object(parent, name, &object));
    is_group = H5Iget_type(object) == H5I_GROUP;
    if (!is_group && H5Iget_type(object) != H5I_DATASET)
        status = no_kind(walk);
    else
        status = is_group ? read_group(walk, object) : read_array(walk, parent, name);
done:
    if (object >= 0)
        H5Oclose(object);
    return status;
}

static herr_t on_member(hid_t group, const char *name, const H5L_info_t *info, void *context) {
    Walk *walk = context;
    size_t length;
    (void)info;
    walk->status = enter(walk, '/', name, &length);
    if (walk->status == ST_OK) {
        walk->status = read_member(walk, group, name);
        walk->path[length] = '\0';
    }
    return walk->status == ST_OK ? 0 : -1;
}

Status hdf5_content(hid_t file, void (*each)(void *context, const Hdf5Item *item), void *context) {
    Status status = ST_OK;
    hid_t root = -1;
    Walk walk = {.each = each, .context = context};
    TRY_H5("file", root = H5Gopen2(file, "/", H5P_DEFAULT));
    status = read_group(&walk, root);
done:
    if (root >= 0)
        H5Gclose(root);
    return status;
}
