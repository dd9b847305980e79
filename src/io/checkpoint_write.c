/* checkpoint_write: from memory to a committed file.
 *
 * Order is everything here: the file, made in memory, under a temporary name and durable; then its
 * sidecar renamed into place; then the file renamed into place, which is the commit. Killed before
 * the last rename, a process leaves temporary files and perhaps a sidecar without its file, both
 * harmless; killed after it, a good file. Neither rename replaces anything, so a second writer of
 * the same folder (a lost node that still runs) cannot damage what the first one committed. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint_dir.h"
#include "checkpoint_format.h"
#include "checkpoint_look.h"
#include "file_util.h"
#include "hdf5_error.h"
#include "hdf5_file.h"
#include "hdf5_object.h"
#include "lockstep/clock.h"
#include "lockstep/hash.h"
#include "lockstep/log.h"

enum { COMMIT_ATTEMPTS = 3 };

typedef struct Names {
    char file[CHECKPOINT_FILE_NAME];
    char path[4096], sidecar[4096];
    char temporary[4096], temporary_sidecar[4096];
} Names;

/* What tells a file from another. */
typedef struct Identity {
    uint64_t state, content; /* checkpoint_state_hash, checkpoint_content_hash */
} Identity;

static Status write_image(hid_t group, const Checkpoint *checkpoint) {
    TRY(hdf5_put_int(group, "image_channels", checkpoint->image.c));
    TRY(hdf5_put_int(group, "image_height", checkpoint->image.h));
    TRY(hdf5_put_int(group, "image_width", checkpoint->image.w));
    TRY(hdf5_put_int(group, "classes", checkpoint->classes));
    return hdf5_put_text(group, "class_names", checkpoint->class_names);
}

static Status write_meta(hid_t file, const Checkpoint *checkpoint, uint64_t state_hash) {
    Status status = ST_OK;
    hid_t group = -1;
    char now[21], slots[256];
    checkpoint_slots(checkpoint, slots);
    clock_iso8601(now);
    TRY_DONE(hdf5_create_group(file, "meta", &group));
    TRY_DONE(hdf5_put_int(group, "format_version",
                          checkpoint->peak ? GRADIENT_PEAK_SINCE : GRADIENT_PEAK_SINCE - 1));
    TRY_DONE(hdf5_put_text(group, "config", checkpoint->config ? checkpoint->config : ""));
    TRY_DONE(hdf5_put_hash(group, "seed", checkpoint->seed));
    TRY_DONE(hdf5_put_int(group, "lanes", checkpoint->lanes));
    TRY_DONE(hdf5_put_text(group, "git", checkpoint->git));
    TRY_DONE(hdf5_put_text(group, "dataset", checkpoint->dataset));
    TRY_DONE(hdf5_put_hash(group, "dataset_hash", checkpoint->dataset_hash));
    if (checkpoint->test_hash)
        TRY_DONE(hdf5_put_hash(group, "test_hash", checkpoint->test_hash));
    if (checkpoint->steps_per_epoch > 0)
        TRY_DONE(hdf5_put_int(group, STEPS_PER_EPOCH, checkpoint->steps_per_epoch));
    if (checkpoint->image.c > 0)
        TRY_DONE(write_image(group, checkpoint));
    TRY_DONE(hdf5_put_text(group, "instruction_set", checkpoint->instruction_set));
    TRY_DONE(hdf5_put_text(group, "slots", slots));
    if (checkpoint->autotune)
        TRY_DONE(hdf5_put_text(group, "autotune", checkpoint->autotune));
    TRY_DONE(hdf5_put_int(group, "ema", checkpoint->ema != NULL));
    TRY_DONE(hdf5_put_text(group, "time", now));
    if (checkpoint->lineage)
        TRY_DONE(hdf5_put_text(group, "lineage", checkpoint->lineage));
    TRY_DONE(hdf5_put_hash(group, "state_hash", state_hash));
done:
    if (group >= 0)
        H5Gclose(group);
    return status;
}

/* The last thing written: the hash of all the others. */
static Status write_content_hash(hid_t file, uint64_t *hash) {
    Status status = ST_OK;
    hid_t group = -1;
    TRY_DONE(checkpoint_content_hash(file, hash));
    TRY_DONE(hdf5_open_group(file, "meta", &group));
    TRY_DONE(hdf5_put_hash(group, CONTENT_HASH, *hash));
done:
    if (group >= 0)
        H5Gclose(group);
    return status;
}

static Status write_plateau(hid_t group, const Plateau *plateau) {
    TRY(hdf5_put_real(group, "plateau_lr", plateau->lr));
    TRY(hdf5_put_real(group, "plateau_best", plateau->best));
    TRY(hdf5_put_int(group, "plateau_bad", plateau->bad));
    return hdf5_put_int(group, "plateau_cooldown", plateau->cooldown);
}

static Status write_samples(hid_t group, const SampleSums *samples) {
    TRY(hdf5_put_int(group, "samples_from", samples->from));
    TRY(hdf5_put_hash(group, "samples_all", samples->all));
    return hdf5_put_hash(group, "samples_epoch", samples->epoch);
}

static Status write_bad_steps(hid_t group, const BadSteps *bad) {
    TRY(hdf5_put_int(group, "bad_steps_skipped", bad->skipped));
    TRY(hdf5_put_int(group, "bad_steps_in_a_row", bad->in_a_row));
    TRY(hdf5_put_int(group, "bad_steps_rollbacks", bad->rollbacks));
    return hdf5_put_real(group, "bad_steps_lr_factor", bad->lr_factor);
}

static Status write_runners_up(hid_t group, const RunnersUp *runners_up) {
    hid_t type = -1;
    Status status = checkpoint_evaluated_type(&type);
    if (status == ST_OK)
        status = hdf5_put_array(group, RUNNERS_UP, type, 1, &runners_up->n, runners_up->at);
    if (type >= 0)
        H5Tclose(type);
    return status;
}

static Status write_peak(hid_t group, const Checkpoint *checkpoint) {
    int64_t n_params = checkpoint->model->n_params;
    return hdf5_put_array(group, GRADIENT_PEAK, H5T_STD_I64LE, 1, &n_params, checkpoint->peak);
}

static Status write_state(hid_t file, const Checkpoint *checkpoint) {
    const RunState *state = &checkpoint->state;
    Status status = ST_OK;
    hid_t group = -1, type = -1;
    TRY_DONE(hdf5_create_group(file, "state", &group));
    for (const StateField *field = checkpoint_state_fields; field->name; field++) {
        int64_t value;
        memcpy(&value, (const char *)state + field->offset, sizeof value);
        TRY_DONE(hdf5_put_int(group, field->name, value));
    }
    TRY_DONE(hdf5_put_int(group, "finished", state->finished));
    TRY_DONE(hdf5_put_real(group, "best_accuracy", state->best_accuracy));
    TRY_DONE(hdf5_put_real(group, "best_loss", state->best_loss));
    TRY_DONE(hdf5_put_real(group, "last_accuracy", state->last_accuracy));
    if (state->has_plateau)
        TRY_DONE(write_plateau(group, &state->plateau));
    if (state->samples.known)
        TRY_DONE(write_samples(group, &state->samples));
    if (checkpoint_has_bad_steps(state))
        TRY_DONE(write_bad_steps(group, &state->bad));
    if (state->n_history > 0) {
        TRY_DONE(checkpoint_history_type(&type));
        TRY_DONE(hdf5_put_array(group, "history", type, 1, &state->n_history, state->history));
    }
    if (state->runners_up.n > 0)
        TRY_DONE(write_runners_up(group, &state->runners_up));
    if (checkpoint->peak)
        TRY_DONE(write_peak(group, checkpoint));
done:
    if (type >= 0)
        H5Tclose(type);
    if (group >= 0)
        H5Gclose(group);
    return status;
}

/* `has`: NULL or [n], which of the views. */
static Status write_views(hid_t parent, const char *name, const ParamView *views, int n,
                          const bool *has, const float *base) {
    Status status = ST_OK;
    hid_t group = -1;
    TRY_DONE(hdf5_create_group(parent, name, &group));
    for (int i = 0; i < n; i++) {
        if (!has || has[i])
            TRY_DONE(hdf5_put_array(group, views[i].name, H5T_IEEE_F32LE, views[i].spec.ndim,
                                    views[i].spec.dim, base + views[i].offset));
    }
done:
    if (group >= 0)
        H5Gclose(group);
    return status;
}

static Status write_arrays(hid_t file, const Checkpoint *checkpoint) {
    const Model *model = checkpoint->model;
    Status status = ST_OK;
    hid_t optimizer = -1;
    TRY_DONE(write_views(file, "params", model->params, model->n_params, NULL, checkpoint->weight));
    TRY_DONE(
        write_views(file, "running", model->running, model->n_running, NULL, checkpoint->running));
    TRY_DONE(hdf5_create_group(file, "optimizer", &optimizer));
    for (int i = 0; i < checkpoint->n_slots; i++)
        TRY_DONE(write_views(optimizer, checkpoint->slot_name[i], model->params, model->n_params,
                             checkpoint->slot_has[i], checkpoint->slot[i]));
    if (checkpoint->slow_running)
        TRY_DONE(write_views(optimizer, SLOW_RUNNING, model->running, model->n_running, NULL,
                             checkpoint->slow_running));
    if (checkpoint->ema)
        TRY_DONE(write_views(file, "ema", model->params, model->n_params, NULL, checkpoint->ema));
done:
    if (optimizer >= 0)
        H5Gclose(optimizer);
    return status;
}

/* The whole file in memory; the caller frees image->bytes, also after a failure. */
static Status build(const Checkpoint *checkpoint, Identity *identity, Hdf5Image *image) {
    Status status = ST_OK;
    hid_t file = -1;
    TRY_DONE(checkpoint_state_hash(checkpoint, &identity->state));
    TRY_DONE(hdf5_create(image, &file));
    TRY_DONE(write_meta(file, checkpoint, identity->state));
    TRY_DONE(write_state(file, checkpoint));
    TRY_DONE(write_arrays(file, checkpoint));
    TRY_DONE(write_content_hash(file, &identity->content));
    hid_t whole = file;
    file = -1;
    TRY_DONE(hdf5_finish(whole, image));
done:
    if (file >= 0)
        H5Fclose(file);
    return status;
}

static Status name_all(const char *folder, int64_t step, Names *names) {
    char sidecar[CHECKPOINT_FILE_NAME + 8], temporary[256];
    checkpoint_file_name(step, names->file);
    snprintf(sidecar, sizeof sidecar, "%s.xxh3", names->file);
    TRY(file_join(folder, names->file, names->path));
    TRY(file_join(folder, sidecar, names->sidecar));
    file_temporary_name(names->file, temporary, sizeof temporary);
    TRY(file_join(folder, temporary, names->temporary));
    file_temporary_name(sidecar, temporary, sizeof temporary);
    return file_join(folder, temporary, names->temporary_sidecar);
}

/* Of a good file's bytes; 0 where it holds what this program's files do not. */
static Status identify(const void *bytes, size_t size, const char *path, Identity *identity) {
    Status status = ST_OK;
    Checkpoint meta;
    hid_t file = -1;
    TRY(checkpoint_parse_meta(bytes, size, path, &meta));
    identity->state = meta.state_hash;
    TRY_DONE(hdf5_open_image(bytes, size, &file));
    status = checkpoint_content_hash(file, &identity->content);
    if (status == ST_CHECKPOINT) {
        status_clear();
        status = ST_OK;
        identity->content = 0;
    }
done:
    if (file >= 0)
        H5Fclose(file);
    checkpoint_meta_free(&meta);
    return status;
}

/* Looks at what stands under the final name. *same: a good file with all of this content. A damaged
 * one is moved away; a good one of other content is an error. */
static Status settle(const Names *names, Identity identity, const CheckpointGate *gate,
                     bool *same) {
    Identity other;
    CheckpointSeal seal;
    struct stat info;
    char *bytes = NULL;
    size_t size = 0;
    *same = false;
    if (lstat(names->path, &info) != 0)
        return errno == ENOENT ? ST_OK
                               : FAIL(ST_CHECKPOINT, "%s: cannot be looked at: %s", names->path,
                                      strerror(errno));
    switch (checkpoint_examine(names->path, &bytes, &size, &seal)) {
    case CHECKPOINT_GOOD:
        break;
    case CHECKPOINT_BAD:
        log_warn("%s; moved to %s.bad and written anew", status_message(), names->file);
        status_clear();
        TRY(checkpoint_ask(gate));
        return checkpoint_quarantine(names->path);
    case CHECKPOINT_GONE:
        status_clear();
        return ST_OK;
    case CHECKPOINT_UNSEEN:
        status_prefix("a file of this name is there that cannot be looked at, and stays as it is");
        return ST_CHECKPOINT;
    }
    Status status = identify(bytes, size, names->path, &other);
    free(bytes);
    TRY(status);
    *same = other.content == identity.content;
    if (!*same)
        return FAIL(ST_CHECKPOINT,
                    "%s: there is a good checkpoint of this step with another %s; is another "
                    "run writing here? Choose another --out",
                    names->path,
                    other.state == identity.state ? "history, lineage or configuration" : "state");
    return ST_OK;
}

/* Both renames. A sidecar in the way belongs to a damaged file, or to one that was never committed.
 */
static Status commit(const char *folder, const Names *names, const char *hex, Identity identity,
                     const CheckpointGate *gate) {
    char line[33 + 2 + CHECKPOINT_FILE_NAME];
    int length = snprintf(line, sizeof line, "%s  %s\n", hex, names->file);
    for (int attempt = 0; attempt < COMMIT_ATTEMPTS; attempt++) {
        bool exists, same;
        TRY(file_create(names->temporary_sidecar, line, (size_t)length));
        TRY(checkpoint_ask(gate));
        TRY(file_rename_new(names->temporary_sidecar, names->sidecar, &exists));
        if (!exists) {
            TRY(file_rename_new(names->temporary, names->path, &exists));
            if (!exists)
                return file_sync_folder(folder);
        }
        TRY(settle(names, identity, gate, &same));
        if (same)
            return ST_OK;
        TRY(checkpoint_ask(gate));
        TRY(file_remove(names->sidecar));
    }
    return FAIL(ST_CHECKPOINT, "%s: another process keeps writing it; choose another --out",
                names->path);
}

/* Writes the bytes under the temporary name, reads them back, and commits. */
static Status write_and_commit(const char *folder, const Names *names, const Hdf5Image *image,
                               Identity identity, const CheckpointGate *gate) {
    Status status = ST_OK;
    char hex[33], read_back[33];
    hash_hex128(image->bytes, image->size, hex);
    TRY_DONE(file_create(names->temporary, image->bytes, image->size));
    TRY_DONE(hash_file(names->temporary, read_back));
    if (strcmp(hex, read_back) != 0) {
        status =
            FAIL(ST_CHECKPOINT, "%s: reads back other bytes than were written", names->temporary);
        goto done;
    }
    TRY_DONE(commit(folder, names, hex, identity, gate));
done:
    unlink(names->temporary);
    unlink(names->temporary_sidecar);
    return status;
}

Status checkpoint_write(const char *folder, const Checkpoint *checkpoint,
                        const CheckpointGate *gate, int64_t *bytes) {
    Status status = ST_OK;
    Names names;
    Hdf5Image image = {NULL, 0};
    Identity identity;
    bool same;
    struct stat info;
    TRY(name_all(folder, checkpoint->state.step, &names));
    TRY_DONE(build(checkpoint, &identity, &image));
    TRY_DONE(checkpoint_ask(gate));
    TRY_DONE(settle(&names, identity, gate, &same));
    if (!same)
        TRY_DONE(write_and_commit(folder, &names, &image, identity, gate));
    if (bytes && stat(names.path, &info) == 0)
        *bytes = (int64_t)info.st_size;
done:
    free(image.bytes);
    if (status != ST_OK)
        status_prefix("the checkpoint of step %" PRId64 " cannot be written",
                      checkpoint->state.step);
    return status;
}
