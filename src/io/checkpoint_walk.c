/* checkpoint_walk: see checkpoint_walk.h. */
#include "checkpoint_walk.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint_format.h"

typedef struct Walk {
    void (*each)(void *context, const WalkArray *array);
    void *context;
} Walk;

static Status walk_array(const Walk *walk, hid_t group, const char *group_name, const char *name) {
    Status status = ST_OK;
    WalkArray array = {.group = group_name, .name = name, .n = 1};
    float *value = NULL;
    TRY(hdf5_shape(group, name, sizeof *value, &array.ndim, array.dim));
    for (int i = 0; i < array.ndim; i++)
        array.n *= array.dim[i];
    value = malloc((size_t)array.n * sizeof *value);
    if (!value)
        return FAIL(ST_INTERNAL, "out of memory for the %" PRId64 " values of %s", array.n, name);
    TRY_DONE(hdf5_get_array(group, name, H5T_IEEE_F32LE, array.ndim, array.dim, value));
    array.value = value;
    walk->each(walk->context, &array);
done:
    free(value);
    return status;
}

static Status walk_group(const Walk *walk, hid_t parent, const char *name) {
    Status status = ST_OK;
    hid_t group = -1;
    int64_t members = 0;
    TRY_DONE(hdf5_open_group(parent, name, &group));
    TRY_DONE(hdf5_members(group, &members));
    for (int64_t i = 0; i < members; i++) {
        char member[PARAM_NAME_MAX];
        TRY_DONE(hdf5_member_name(group, i, member, sizeof member));
        TRY_DONE(walk_array(walk, group, name, member));
    }
done:
    if (group >= 0)
        H5Gclose(group);
    return status;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

Status checkpoint_walk(hid_t file, const Checkpoint *meta,
                       void (*each)(void *context, const WalkArray *array), void *context) {
    Status status = ST_OK;
    const Walk walk = {each, context};
    hid_t optimizer = -1;
    const char *slots[CHECKPOINT_SLOTS_MAX];
    memcpy(slots, meta->slot_name, sizeof slots);
    qsort(slots, (size_t)meta->n_slots, sizeof slots[0], by_name);
    TRY_DONE(walk_group(&walk, file, "params"));
    TRY_DONE(walk_group(&walk, file, "running"));
    if (meta->has_ema)
        TRY_DONE(walk_group(&walk, file, "ema"));
    TRY_DONE(hdf5_open_group(file, "optimizer", &optimizer));
    for (int i = 0; i < meta->n_slots; i++)
        TRY_DONE(walk_group(&walk, optimizer, slots[i]));
done:
    if (optimizer >= 0)
        H5Gclose(optimizer);
    return status;
}

typedef struct Sum {
    HashState *hash;
    int64_t bad; /* weights that are not finite, which training stops at before it saves them */
} Sum;

static void add_array(void *context, const WalkArray *array) {
    Sum *sum = context;
    hash_add(sum->hash, array->value, (size_t)array->n * sizeof *array->value);
    for (int64_t i = 0; i < array->n && strcmp(array->group, "params") == 0; i++)
        sum->bad += !isfinite(array->value[i]);
}

/* What the scales of sums follow, where a file has that. */
static Status add_peak(hid_t file, HashState *hash) {
    Status status = ST_OK;
    hid_t group = -1;
    int ndim;
    int64_t dim[HDF5_DIMS_MAX], *peak = NULL;
    bool has;
    TRY_DONE(hdf5_open_group(file, "state", &group));
    TRY_DONE(hdf5_has_member(group, GRADIENT_PEAK, &has));
    if (!has)
        goto done;
    TRY_DONE(hdf5_shape(group, GRADIENT_PEAK, sizeof *peak, &ndim, dim));
    size_t bytes = (size_t)dim[0] * sizeof *peak;
    peak = malloc(bytes);
    if (!peak) {
        status = FAIL(ST_INTERNAL, "out of memory for the values of " GRADIENT_PEAK);
        goto done;
    }
    TRY_DONE(hdf5_get_array(group, GRADIENT_PEAK, H5T_STD_I64LE, 1, dim, peak));
    hash_add(hash, peak, bytes);
done:
    free(peak);
    if (group >= 0)
        H5Gclose(group);
    return status;
}

Status checkpoint_check_hash(hid_t file, const Checkpoint *meta) {
    Status status = ST_OK;
    uint64_t step = (uint64_t)meta->state.step;
    Sum sum = {.hash = hash_new()};
    TRY_ALLOC(sum.hash);
    TRY_DONE(checkpoint_walk(file, meta, add_array, &sum));
    TRY_DONE(add_peak(file, sum.hash));
    hash_add(sum.hash, &step, sizeof step);
    checkpoint_hash_rates(sum.hash, &meta->state);
    if (hash_value(sum.hash) != meta->state_hash)
        status = FAIL(ST_CHECKPOINT, "its arrays do not give the state hash it carries");
    else if (sum.bad > 0)
        status = FAIL(ST_CHECKPOINT, "%" PRId64 " of its weights are NaN or infinite", sum.bad);
done:
    hash_free(sum.hash);
    return status;
}
