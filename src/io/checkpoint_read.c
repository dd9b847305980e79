/* checkpoint_read: from a file's bytes to memory; no number in them is believed unlooked at. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint_format.h"
#include "hdf5_error.h"
#include "hdf5_file.h"
#include "hdf5_object.h"
#include "lockstep/exact_sum.h"
#include "lockstep/lineage.h"

/* What training counts with: images of a step, of an epoch or between two log lines, and their
 * losses (fixed_loss). Another step's may be added. */
enum { BATCH_MAX = 1 << 24 };
#define IMAGES_MAX (INT64_C(1) << 60)
#define LOSS_MAX   (INT64_C(1) << 62)

static Status get_short_text(hid_t group, const char *name, char *out, size_t room) {
    char *text = NULL;
    TRY(hdf5_get_text(group, name, &text));
    size_t length = strlen(text);
    if (length < room)
        memcpy(out, text, length + 1);
    free(text);
    if (length >= room)
        return FAIL(ST_CHECKPOINT, "attribute %s is longer than a checkpoint's", name);
    return ST_OK;
}

static Status get_truth(hid_t group, const char *name, bool *truth) {
    int64_t value;
    TRY(hdf5_get_int(group, name, &value));
    *truth = value == 1;
    return value == 0 || value == 1 ? ST_OK
                                    : FAIL(ST_CHECKPOINT, "attribute %s is neither 0 nor 1", name);
}

/* config and, behind it in the same memory, the names of the optimizer's slots. */
static Status read_config(hid_t group, Checkpoint *checkpoint) {
    Status status = ST_OK;
    char *config = NULL, *slots = NULL, *both = NULL, *rest = NULL;
    TRY_DONE(hdf5_get_text(group, "config", &config));
    TRY_DONE(hdf5_get_text(group, "slots", &slots));
    size_t length = strlen(config) + 1;
    both = malloc(length + strlen(slots) + 1);
    if (!both) {
        status = FAIL(ST_INTERNAL, "out of memory");
        goto done;
    }
    memcpy(both, config, length);
    memcpy(both + length, slots, strlen(slots) + 1);
    checkpoint->config = both;
    for (char *word = strtok_r(both + length, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest)) {
        if (checkpoint->n_slots == CHECKPOINT_SLOTS_MAX) {
            status = FAIL(ST_CHECKPOINT, "has more than %d optimizer slots", CHECKPOINT_SLOTS_MAX);
            goto done;
        }
        checkpoint->slot_name[checkpoint->n_slots++] = word;
    }
done:
    free(config);
    free(slots);
    return status;
}

/* What the data set is like; whether a set can be so is for dataset_known to say. */
static Status read_image(hid_t group, Checkpoint *checkpoint) {
    Shape *image = &checkpoint->image;
    image->n = 1;
    TRY(hdf5_get_int(group, "image_channels", &image->c));
    TRY(hdf5_get_int(group, "image_height", &image->h));
    TRY(hdf5_get_int(group, "image_width", &image->w));
    TRY(hdf5_get_int(group, "classes", &checkpoint->classes));
    return hdf5_get_text(group, "class_names", (char **)(uintptr_t)&checkpoint->class_names);
}

/* 0 where the file does not say. */
static Status read_epoch_length(hid_t group, int64_t *steps) {
    bool has;
    TRY(hdf5_has(group, STEPS_PER_EPOCH, &has));
    if (!has)
        return ST_OK;
    TRY(hdf5_get_int(group, STEPS_PER_EPOCH, steps));
    return *steps > 0 ? ST_OK
                      : FAIL(ST_CHECKPOINT, "an epoch of its run has %" PRId64 " steps", *steps);
}

static Status read_meta(hid_t file, Checkpoint *checkpoint) {
    Status status = ST_OK;
    bool has;
    hid_t group = -1;
    int64_t version = 0;
    TRY_DONE(hdf5_open_group(file, "meta", &group));
    TRY_DONE(hdf5_get_int(group, "format_version", &version));
    if (version < 1 || version > CHECKPOINT_FORMAT) {
        status = FAIL(version > CHECKPOINT_FORMAT ? ST_USAGE : ST_CHECKPOINT,
                      "has format version %" PRId64 ", this program reads 1 to %d", version,
                      CHECKPOINT_FORMAT);
        goto done;
    }
    TRY_DONE(read_config(group, checkpoint));
    TRY_DONE(hdf5_get_hash(group, "seed", &checkpoint->seed));
    TRY_DONE(hdf5_get_int(group, "lanes", &checkpoint->lanes));
    if (checkpoint->lanes < 1 || checkpoint->lanes > CHECKPOINT_LANES_MAX) {
        status = FAIL(ST_CHECKPOINT, "has %" PRId64 " lanes, a run has 1 to %d", checkpoint->lanes,
                      CHECKPOINT_LANES_MAX);
        goto done;
    }
    TRY_DONE(get_short_text(group, "git", checkpoint->git, sizeof checkpoint->git));
    TRY_DONE(get_short_text(group, "dataset", checkpoint->dataset, sizeof checkpoint->dataset));
    TRY_DONE(hdf5_get_hash(group, "dataset_hash", &checkpoint->dataset_hash));
    TRY_DONE(hdf5_has(group, "class_names", &has));
    if (has)
        TRY_DONE(read_image(group, checkpoint));
    TRY_DONE(get_short_text(group, "instruction_set", checkpoint->instruction_set,
                            sizeof checkpoint->instruction_set));
    TRY_DONE(hdf5_has(group, "autotune", &has));
    if (has)
        TRY_DONE(hdf5_get_text(group, "autotune", (char **)(uintptr_t)&checkpoint->autotune));
    TRY_DONE(hdf5_has(group, "lineage", &has));
    if (has)
        TRY_DONE(hdf5_get_text(group, "lineage", (char **)(uintptr_t)&checkpoint->lineage));
    if (checkpoint->lineage && !lineage_is_valid(checkpoint->lineage)) {
        status = FAIL(ST_CHECKPOINT, "its lineage is none");
        goto done;
    }
    TRY_DONE(hdf5_has(group, "test_hash", &has));
    if (has)
        TRY_DONE(hdf5_get_hash(group, "test_hash", &checkpoint->test_hash));
    TRY_DONE(read_epoch_length(group, &checkpoint->steps_per_epoch));
    TRY_DONE(get_truth(group, "ema", &checkpoint->has_ema));
    TRY_DONE(hdf5_get_hash(group, "state_hash", &checkpoint->state_hash));
    if (version >= CONTENT_HASH_SINCE) {
        TRY_DONE(hdf5_get_hash(group, CONTENT_HASH, &checkpoint->content_hash));
        if (checkpoint->content_hash == 0) /* which says that there is none */
            status = FAIL(ST_CHECKPOINT, "its content hash is 0, which no file's is");
    }
done:
    if (group >= 0)
        H5Gclose(group);
    return status;
}

static Status read_history(hid_t group, RunState *state) {
    Status status = ST_OK;
    hid_t type = -1;
    int64_t n = state->n_history, stored[HDF5_DIMS_MAX];
    int ndim;
    if (n == 0)
        return ST_OK;
    TRY(hdf5_shape(group, "history", sizeof *state->history, &ndim, stored));
    if (ndim != 1 || stored[0] != n)
        return FAIL(ST_CHECKPOINT,
                    "has a history of another length than the %" PRId64 " entries it says", n);
    state->history = calloc((size_t)state->n_history, sizeof *state->history);
    TRY_ALLOC(state->history);
    TRY_DONE(checkpoint_history_type(&type));
    TRY_DONE(hdf5_get_array(group, "history", type, 1, &state->n_history, state->history));
done:
    if (type >= 0)
        H5Tclose(type);
    return status;
}

static Status read_runners_up(hid_t group, RunnersUp *runners_up) {
    Status status = ST_OK;
    hid_t type = -1;
    int64_t stored[HDF5_DIMS_MAX];
    int ndim;
    bool has;
    TRY(hdf5_has_member(group, RUNNERS_UP, &has));
    if (!has)
        return ST_OK;
    TRY(hdf5_shape(group, RUNNERS_UP, sizeof *runners_up->at, &ndim, stored));
    if (ndim != 1 || stored[0] > KEEP_BEST_MAX - 1)
        return FAIL(ST_CHECKPOINT, "has " RUNNERS_UP " of another shape than a run's: at most %d",
                    KEEP_BEST_MAX - 1);
    runners_up->n = stored[0];
    TRY_DONE(checkpoint_evaluated_type(&type));
    TRY_DONE(hdf5_get_array(group, RUNNERS_UP, type, 1, &runners_up->n, runners_up->at));
done:
    if (type >= 0)
        H5Tclose(type);
    return status;
}

static Status read_plateau(hid_t group, Plateau *plateau) {
    TRY(hdf5_get_real(group, "plateau_lr", &plateau->lr));
    TRY(hdf5_get_real(group, "plateau_best", &plateau->best));
    TRY(hdf5_get_int(group, "plateau_bad", &plateau->bad));
    return hdf5_get_int(group, "plateau_cooldown", &plateau->cooldown);
}

static Status read_samples(hid_t group, SampleSums *samples) {
    TRY(hdf5_get_int(group, "samples_from", &samples->from));
    TRY(hdf5_get_hash(group, "samples_all", &samples->all));
    return hdf5_get_hash(group, "samples_epoch", &samples->epoch);
}

static Status read_bad_steps(hid_t group, BadSteps *bad) {
    TRY(hdf5_get_int(group, "bad_steps_skipped", &bad->skipped));
    TRY(hdf5_get_int(group, "bad_steps_in_a_row", &bad->in_a_row));
    TRY(hdf5_get_int(group, "bad_steps_rollbacks", &bad->rollbacks));
    return hdf5_get_real(group, "bad_steps_lr_factor", &bad->lr_factor);
}

static Status read_state(hid_t file, RunState *state) {
    Status status = ST_OK;
    bool has;
    hid_t group = -1;
    TRY_DONE(hdf5_open_group(file, "state", &group));
    for (const StateField *field = checkpoint_state_fields; field->name; field++) {
        int64_t value;
        TRY_DONE(hdf5_get_int(group, field->name, &value));
        memcpy((char *)state + field->offset, &value, sizeof value);
    }
    TRY_DONE(get_truth(group, "finished", &state->finished));
    TRY_DONE(hdf5_get_real(group, "best_accuracy", &state->best_accuracy));
    TRY_DONE(hdf5_get_real(group, "best_loss", &state->best_loss));
    state->last_accuracy = NAN;
    TRY_DONE(hdf5_has(group, "last_accuracy", &has));
    if (has)
        TRY_DONE(hdf5_get_real(group, "last_accuracy", &state->last_accuracy));
    TRY_DONE(hdf5_has(group, "plateau_lr", &state->has_plateau));
    if (state->has_plateau)
        TRY_DONE(read_plateau(group, &state->plateau));
    TRY_DONE(hdf5_has(group, "samples_all", &state->samples.known));
    if (state->samples.known)
        TRY_DONE(read_samples(group, &state->samples));
    state->bad.lr_factor = 1;
    TRY_DONE(hdf5_has(group, "bad_steps_skipped", &has));
    if (has)
        TRY_DONE(read_bad_steps(group, &state->bad));
    TRY_DONE(read_history(group, state));
    TRY_DONE(read_runners_up(group, &state->runners_up));
done:
    if (group >= 0)
        H5Gclose(group);
    return status;
}

static bool within(int64_t value, int64_t least, int64_t most) {
    return value >= least && value <= most;
}

/* NaN: none. */
static bool is_share(double value) {
    return isnan(value) || (value >= 0 && value <= 1);
}

/* Sums over the images of so many steps, which more can be added to. */
static bool are_sums(int64_t loss, int64_t correct, int64_t images, int64_t steps) {
    return within(images, 0, IMAGES_MAX) && (images + BATCH_MAX - 1) / BATCH_MAX <= steps &&
           within(correct, 0, images) && within(loss, -LOSS_MAX, LOSS_MAX);
}

/* Whether the position is that of epochs of one length, which *length is; 0: not known, and then it
 * stays so before the first one's end. */
static bool is_position(const RunState *state, int64_t *length) {
    int64_t before = state->step - state->position;
    if (*length == 0 && state->epoch > 0)
        *length = before / state->epoch;
    if (*length > 0 && state->position >= *length)
        return false;
    return state->epoch == 0 ? before == 0
                             : before % state->epoch == 0 && before / state->epoch == *length;
}

static bool is_history(const RunState *state, int64_t length) {
    for (int64_t i = 0; i < state->n_history; i++) {
        const HistoryEntry *entry = &state->history[i];
        if (!within(entry->epoch, i > 0 ? entry[-1].epoch : 0, state->epoch) ||
            entry->step != entry->epoch * length || !is_share(entry->train_accuracy) ||
            !is_share(entry->test_accuracy))
            return false;
    }
    return true;
}

/* Whether they stand behind the best one in the order of accuracy or of loss, each step once. */
static bool are_runners_up(const RunState *state) {
    Evaluated before = {state->best_step, state->best_accuracy, state->best_loss};
    bool by_accuracy = true, by_loss = true;
    if (state->runners_up.n > 0 && state->best_step < 0)
        return false;
    for (int64_t i = 0; i < state->runners_up.n; i++) {
        Evaluated at = state->runners_up.at[i];
        if (!within(at.step, 0, state->step) || isnan(at.accuracy) || !is_share(at.accuracy) ||
            isnan(at.loss) || checkpoint_rank(state, at.step) != i + 1)
            return false;
        by_accuracy = by_accuracy && before.accuracy >= at.accuracy;
        by_loss = by_loss && before.loss <= at.loss;
        before = at;
    }
    return by_accuracy || by_loss;
}

static bool is_plateau(const Plateau *plateau) {
    return plateau->lr >= 0 && isfinite(plateau->lr) && !isnan(plateau->best) &&
           within(plateau->bad, 0, CHECKPOINT_STEP_MAX) &&
           within(plateau->cooldown, 0, CHECKPOINT_STEP_MAX);
}

/* Whether the numbers can be those of one run, and it can go on from them. `length`: steps of an
 * epoch, 0: not known. */
static Status check_state(const RunState *state, int64_t length) {
    const char *wrong = NULL;
    int64_t step = state->step;
    if (!within(step, 0, CHECKPOINT_STEP_MAX))
        wrong = "step";
    else if (!within(state->epoch, 0, step))
        wrong = "epoch";
    else if (!within(state->position, 0, step - state->epoch) || !is_position(state, &length))
        wrong = "position";
    else if (!within(state->best_step, -1, step))
        wrong = "best_step";
    else if (!within(state->without_better, 0, step))
        wrong = "without_better";
    else if (!within(state->last_logged_step, 0, step))
        wrong = "last_logged_step";
    else if (!are_sums(state->log_loss, state->log_correct, state->log_images,
                       step - state->last_logged_step))
        wrong = "log_loss, log_correct or log_images";
    else if (!are_sums(state->epoch_loss, state->epoch_correct, state->epoch_images,
                       state->position))
        wrong = "epoch_loss, epoch_correct or epoch_images";
    else if (state->best_step >= 0 &&
             (isnan(state->best_accuracy) || !is_share(state->best_accuracy)))
        wrong = "best_accuracy";
    else if (state->best_step >= 0 && isnan(state->best_loss))
        wrong = "best_loss";
    else if (!are_runners_up(state))
        wrong = RUNNERS_UP;
    else if (!is_share(state->last_accuracy))
        wrong = "last_accuracy";
    else if (state->has_plateau && !is_plateau(&state->plateau))
        wrong = "plateau_lr, plateau_best, plateau_bad or plateau_cooldown";
    else if (!within(state->samples.from, 0, step))
        wrong = "samples_from";
    else if (!within(state->bad.skipped, 0, step) ||
             !within(state->bad.in_a_row, 0, state->bad.skipped) || state->bad.rollbacks < 0 ||
             !(state->bad.lr_factor > 0 && state->bad.lr_factor <= 1))
        wrong = "bad_steps";
    else if (!is_history(state, length))
        wrong = "history";
    return wrong ? FAIL(ST_CHECKPOINT, "its /state has a value of %s that no run comes to", wrong)
                 : ST_OK;
}

Status checkpoint_parse_meta(const void *bytes, size_t size, const char *name,
                             Checkpoint *checkpoint) {
    Status status = ST_OK;
    hid_t file = -1;
    memset(checkpoint, 0, sizeof *checkpoint);
    TRY_DONE(hdf5_open_image(bytes, size, &file));
    TRY_DONE(read_meta(file, checkpoint));
    TRY_DONE(read_state(file, &checkpoint->state));
    TRY_DONE(check_state(&checkpoint->state, checkpoint->steps_per_epoch));
done:
    if (file >= 0)
        H5Fclose(file);
    if (status != ST_OK) {
        status_prefix("%s", name);
        checkpoint_meta_free(checkpoint);
    }
    return status;
}

void checkpoint_meta_free(Checkpoint *checkpoint) {
    free((char *)(uintptr_t)checkpoint->config);
    free((char *)(uintptr_t)checkpoint->autotune);
    free((char *)(uintptr_t)checkpoint->lineage);
    free((char *)(uintptr_t)checkpoint->class_names);
    free(checkpoint->state.history);
    memset(checkpoint, 0, sizeof *checkpoint);
}

static void zero(float *base, int64_t flat) {
    if (base)
        memset(base, 0, (size_t)flat * sizeof *base);
}

/* Those of the n views that `has` (NULL: all), into `base`. */
static Status read_views(hid_t parent, const char *name, const ParamView *views, int n,
                         const bool *has, float *base) {
    Status status = ST_OK;
    hid_t group = -1;
    int64_t members = 0, wanted = 0;
    TRY_DONE(hdf5_open_group(parent, name, &group));
    TRY_DONE(hdf5_members(group, &members));
    for (int i = 0; i < n; i++) {
        if (has && !has[i])
            continue;
        wanted++;
        TRY_DONE(hdf5_get_array(group, views[i].name, H5T_IEEE_F32LE, views[i].spec.ndim,
                                views[i].spec.dim, base + views[i].offset));
    }
    if (members != wanted)
        status = FAIL(ST_CHECKPOINT, "%s has %" PRId64 " arrays, the model has %" PRId64, name,
                      members, wanted);
done:
    if (group >= 0)
        H5Gclose(group);
    return status;
}

/* The gaps, and what a slot is not of. Slots may share a buffer, so all are cleared first. */
static void zero_arrays(const Checkpoint *checkpoint) {
    int64_t flat = checkpoint->model->flat;
    zero(checkpoint->weight, flat);
    zero(checkpoint->running, checkpoint->model->running_flat);
    zero(checkpoint->slow_running, checkpoint->model->running_flat);
    zero(checkpoint->ema, flat);
    for (int i = 0; i < checkpoint->n_slots; i++)
        zero(checkpoint->slot[i], flat);
}

Status checkpoint_read_peak(hid_t file, int n_params, int64_t *peak) {
    Status status = ST_OK;
    hid_t group = -1;
    int64_t n = n_params;
    TRY_DONE(hdf5_open_group(file, "state", &group));
    TRY_DONE(hdf5_get_array(group, GRADIENT_PEAK, H5T_STD_I64LE, 1, &n, peak));
    for (int p = 0; p < n_params; p++) {
        if (!within(peak[p], 0, PEAK_MAX)) {
            status = FAIL(ST_CHECKPOINT,
                          "its /state has a value of " GRADIENT_PEAK " that no run comes to");
            goto done;
        }
    }
done:
    if (group >= 0)
        H5Gclose(group);
    return status;
}

Status checkpoint_parse_arrays(const void *bytes, size_t size, const char *name,
                               Checkpoint *checkpoint) {
    const Model *model = checkpoint->model;
    Status status = ST_OK;
    hid_t file = -1, optimizer = -1;
    TRY_DONE(hdf5_open_image(bytes, size, &file));
    zero_arrays(checkpoint);
    if (checkpoint->weight)
        TRY_DONE(
            read_views(file, "params", model->params, model->n_params, NULL, checkpoint->weight));
    if (checkpoint->running)
        TRY_DONE(read_views(file, "running", model->running, model->n_running, NULL,
                            checkpoint->running));
    if (checkpoint->ema)
        TRY_DONE(read_views(file, "ema", model->params, model->n_params, NULL, checkpoint->ema));
    TRY_DONE(hdf5_open_group(file, "optimizer", &optimizer));
    for (int i = 0; i < checkpoint->n_slots; i++) {
        if (checkpoint->slot[i])
            TRY_DONE(read_views(optimizer, checkpoint->slot_name[i], model->params, model->n_params,
                                checkpoint->slot_has[i], checkpoint->slot[i]));
    }
    if (checkpoint->slow_running)
        TRY_DONE(read_views(optimizer, SLOW_RUNNING, model->running, model->n_running, NULL,
                            checkpoint->slow_running));
    if (checkpoint->peak)
        TRY_DONE(checkpoint_read_peak(file, model->n_params, checkpoint->peak));
done:
    if (optimizer >= 0)
        H5Gclose(optimizer);
    if (file >= 0)
        H5Fclose(file);
    if (status != ST_OK)
        status_prefix("%s", name);
    return status;
}
