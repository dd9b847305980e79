/* inspect: what is in a checkpoint, for people. See inspect.h.
 *
 * Needs no model: groups keep their members in model-text order, so the file alone says what the
 * state hash is made of. */
#include "lockstep/inspect.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint_format.h"
#include "hdf5_file.h"
#include "hdf5_object.h"
#include "lockstep/checkpoint.h"
#include "lockstep/hash.h"

typedef struct Walk {
    FILE *out;
    HashState *hash; /* NULL: not asked for */
} Walk;

static void print_range(FILE *out, const char *group, const char *name, const char *shape,
                        const float *value, int64_t n) {
    double least = INFINITY, most = -INFINITY, sum = 0;
    int64_t bad = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(value[i])) {
            bad++;
            continue;
        }
        least = fmin(least, value[i]);
        most = fmax(most, value[i]);
        sum += value[i];
    }
    fprintf(out, "  %-32s %-20s", name, shape);
    if (bad < n)
        fprintf(out, " %12.5g %12.5g %12.5g", least, most, sum / (double)(n - bad));
    if (bad > 0)
        fprintf(out, "  %" PRId64 " not finite", bad);
    fprintf(out, "  /%s\n", group);
}

static Status walk_array(Walk *walk, hid_t group, const char *group_name, const char *name) {
    Status status = ST_OK;
    int ndim = 0;
    int64_t dim[HDF5_DIMS_MAX], n = 1;
    char shape[96];
    float *value = NULL;
    TRY(hdf5_shape(group, name, &ndim, dim));
    for (int i = 0; i < ndim; i++)
        n *= dim[i];
    value = malloc((size_t)n * sizeof *value);
    if (!value)
        return FAIL(ST_INTERNAL, "out of memory for the %" PRId64 " values of %s", n, name);
    TRY_DONE(hdf5_get_array(group, name, H5T_IEEE_F32LE, ndim, dim, value));
    if (walk->hash)
        hash_add(walk->hash, value, (size_t)n * sizeof *value);
    hdf5_shape_text(ndim, dim, shape, sizeof shape);
    print_range(walk->out, group_name, name, shape, value, n);
done:
    free(value);
    return status;
}

static Status walk_group(Walk *walk, hid_t parent, const char *name) {
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

/* In the order of the state hash: parameters, running statistics, average, slots by name. */
static Status walk_arrays(Walk *walk, hid_t file, const Checkpoint *meta) {
    Status status = ST_OK;
    hid_t optimizer = -1;
    int first = meta->n_slots == 2 && strcmp(meta->slot_name[0], meta->slot_name[1]) > 0;
    fprintf(walk->out, "arrays\n  %-32s %-20s %12s %12s %12s\n", "name", "shape", "min", "max",
            "mean");
    TRY_DONE(walk_group(walk, file, "params"));
    TRY_DONE(walk_group(walk, file, "running"));
    if (meta->has_ema)
        TRY_DONE(walk_group(walk, file, "ema"));
    TRY_DONE(hdf5_open_group(file, "optimizer", &optimizer));
    for (int i = 0; i < meta->n_slots; i++)
        TRY_DONE(walk_group(walk, optimizer, meta->slot_name[i ^ first]));
done:
    if (optimizer >= 0)
        H5Gclose(optimizer);
    return status;
}

static void print_meta(FILE *out, const Checkpoint *meta, const char *path, size_t size) {
    const RunState *state = &meta->state;
    fprintf(out, "%s: %zu bytes, agrees with its checksum file\n", path, size);
    fprintf(out,
            "run\n  seed %" PRIu64 ", %" PRId64 " lanes, data set %s (%016" PRIx64
            "), built from %s, computed with %s\n",
            meta->seed, meta->lanes, meta->dataset, meta->dataset_hash,
            *meta->git ? meta->git : "unknown sources", meta->instruction_set);
    fprintf(out, "  state hash %016" PRIx64 "\n", meta->state_hash);
    fprintf(out,
            "state\n  step %" PRId64 ", %" PRId64 " epochs done and %" PRId64
            " steps of the next, %s\n",
            state->step, state->epoch, state->position,
            state->finished ? "finished" : "not finished");
    if (state->best_step >= 0)
        fprintf(out,
                "  best accuracy %.4f (loss %.4f) at step %" PRId64 ", %" PRId64
                " evaluations ago\n",
                state->best_accuracy, state->best_loss, state->best_step, state->without_better);
    if (state->has_plateau)
        fprintf(out,
                "  plateau: learning rate %g, best %.4f, %" PRId64 " evaluations no better since\n",
                state->plateau.lr, state->plateau.best, state->plateau.bad);
    fprintf(out, "history\n");
    for (int64_t i = 0; i < state->n_history; i++) {
        const HistoryEntry *entry = &state->history[i];
        fprintf(out,
                "  epoch %4" PRId64 "  step %8" PRId64
                "  train loss %.4f accuracy %.4f  test loss %.4f accuracy %.4f\n",
                entry->epoch, entry->step, entry->train_loss, entry->train_accuracy,
                entry->test_loss, entry->test_accuracy);
    }
    if (state->n_history == 0)
        fprintf(out, "  no evaluation yet\n");
}

static void print_text(FILE *out, const char *title, const char *text) {
    fprintf(out, "%s\n", title);
    while (*text) {
        size_t length = strcspn(text, "\n");
        fprintf(out, "  %.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

Status inspect_print(const char *path, bool verify, FILE *out) {
    Status status = ST_OK;
    Checkpoint meta = {0};
    Walk walk = {.out = out};
    hid_t file = -1;
    char *bytes = NULL;
    size_t size = 0;
    TRY_DONE(checkpoint_load(path, &bytes, &size));
    TRY_DONE(checkpoint_parse_meta(bytes, size, path, &meta));
    TRY_DONE(hdf5_open_image(bytes, size, &file));
    if (verify) {
        walk.hash = hash_new();
        if (!walk.hash) {
            status = FAIL(ST_INTERNAL, "out of memory");
            goto done;
        }
    }
    print_meta(out, &meta, path, size);
    print_text(out, "config", meta.config);
    if (meta.autotune)
        print_text(out, "autotune", meta.autotune);
    status = walk_arrays(&walk, file, &meta);
    if (status != ST_OK) {
        status_prefix("%s", path);
        goto done;
    }
    if (verify) {
        uint64_t step = (uint64_t)meta.state.step;
        hash_add(walk.hash, &step, sizeof step);
        checkpoint_hash_plateau(walk.hash, &meta.state);
        if (hash_value(walk.hash) != meta.state_hash) {
            status =
                FAIL(ST_CHECKPOINT, "%s: its arrays do not give the state hash it carries", path);
            goto done;
        }
        fprintf(out, "verified: every byte, and the state hash\n");
    }
    if (fflush(out) != 0 || ferror(out))
        status = FAIL(ST_INTERNAL, "cannot print the content of %s", path);
done:
    hash_free(walk.hash);
    if (file >= 0)
        H5Fclose(file);
    checkpoint_meta_free(&meta);
    free(bytes);
    return status;
}
