/* inspect: what is in a checkpoint, for people. See inspect.h. */
#include "lockstep/inspect.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint_look.h"
#include "checkpoint_walk.h"
#include "hdf5_file.h"
#include "hdf5_object.h"
#include "lockstep/checkpoint.h"

enum { NAMES_SHOWN = 20 };

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

static void print_array(void *context, const WalkArray *array) {
    char shape[96];
    hdf5_shape_text(array->ndim, array->dim, shape, sizeof shape);
    print_range(context, array->group, array->name, shape, array->value, array->n);
}

static void print_image(FILE *out, const Checkpoint *meta) {
    const char *names = meta->classes <= NAMES_SHOWN ? meta->class_names : "";
    fprintf(out, "  images of %" PRId64 " x %" PRId64 " x %" PRId64 " in %" PRId64 " classes%s",
            meta->image.c, meta->image.h, meta->image.w, meta->classes, *names ? ": " : "");
    for (; *names; names++) {
        if (*names == '\n')
            fputs(", ", out);
        else
            fputc(*names, out);
    }
    fputc('\n', out);
}

static void print_meta(FILE *out, const Checkpoint *meta, const char *path, size_t size,
                       CheckpointSeal seal) {
    const RunState *state = &meta->state;
    fprintf(out, "%s: %zu bytes, %s\n", path, size, checkpoint_seal_text(seal));
    fprintf(out,
            "run\n  seed %" PRIu64 ", %" PRId64 " lanes, data set %s (%016" PRIx64
            "), built from %s, computed with %s\n",
            meta->seed, meta->lanes, meta->dataset, meta->dataset_hash,
            *meta->git ? meta->git : "unknown sources", meta->instruction_set);
    if (meta->image.c > 0)
        print_image(out, meta);
    if (meta->test_hash)
        fprintf(out, "  test set %016" PRIx64 "\n", meta->test_hash);
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
    if (state->samples.known)
        fprintf(out, "  samples since step %" PRId64 ": sum of hashes %016" PRIx64 "\n",
                state->samples.from, state->samples.all);
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

static Status print_all(FILE *out, hid_t file, const Checkpoint *meta, const char *path,
                        size_t size, CheckpointSeal seal, bool verify) {
    print_meta(out, meta, path, size, seal);
    print_text(out, "config", meta->config);
    if (meta->autotune)
        print_text(out, "autotune", meta->autotune);
    fprintf(out, "arrays\n  %-32s %-20s %12s %12s %12s\n", "name", "shape", "min", "max", "mean");
    TRY(checkpoint_walk(file, meta, print_array, out));
    if (!verify)
        return ST_OK;
    fprintf(out, "verified: every byte, and the state hash\n");
    return ST_OK;
}

Status inspect_print(const char *path, bool verify, FILE *out) {
    Status status = ST_OK;
    Checkpoint meta = {0};
    hid_t file = -1;
    char *bytes = NULL;
    size_t size = 0;
    CheckpointSeal seal;
    if (checkpoint_examine(path, &bytes, &size, &seal) != CHECKPOINT_GOOD)
        return ST_CHECKPOINT;
    if (verify && seal == SEAL_DISAGREES) {
        status = FAIL(ST_CHECKPOINT,
                      "%s: differs from its checksum file, as after a program opened it for "
                      "writing; what it holds agrees with its own checksums and state hash",
                      path);
        goto done;
    }
    TRY_DONE(checkpoint_parse_meta(bytes, size, path, &meta));
    TRY_DONE(hdf5_open_image(bytes, size, &file));
    status = print_all(out, file, &meta, path, size, seal, verify);
    if (status != ST_OK)
        status_prefix("%s", path);
done:
    if (file >= 0)
        H5Fclose(file);
    checkpoint_meta_free(&meta);
    free(bytes);
    return status;
}
