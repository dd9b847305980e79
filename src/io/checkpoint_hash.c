/* checkpoint_hash: the state hash, by which two runs are the same, and the content hash, by which
 * two files are. See checkpoint.h. */
#include <stdio.h>
#include <string.h>

#include "checkpoint_format.h"
#include "hdf5_content.h"

static void add_views(HashState *hash, const ParamView *views, int n, const bool *has,
                      const float *base) {
    for (int i = 0; i < n; i++)
        if (!has || has[i])
            hash_add(hash, base + views[i].offset, (size_t)views[i].count * sizeof *base);
}

void checkpoint_hash_rates(HashState *hash, const RunState *state) {
    const Plateau *plateau = &state->plateau;
    double reals[2] = {plateau->lr, plateau->best};
    int64_t counts[2] = {plateau->bad, plateau->cooldown};
    if (state->has_plateau) {
        hash_add(hash, reals, sizeof reals);
        hash_add(hash, counts, sizeof counts);
    }
    if (state->bad.rollbacks > 0)
        hash_add(hash, &state->bad.lr_factor, sizeof state->bad.lr_factor);
}

Status checkpoint_state_hash(const Checkpoint *checkpoint, uint64_t *value) {
    const Model *model = checkpoint->model;
    uint64_t step = (uint64_t)checkpoint->state.step;
    HashState *hash = hash_new();
    TRY_ALLOC(hash);
    add_views(hash, model->params, model->n_params, NULL, checkpoint->weight);
    add_views(hash, model->running, model->n_running, NULL, checkpoint->running);
    if (checkpoint->ema)
        add_views(hash, model->params, model->n_params, NULL, checkpoint->ema);
    /* By name, so that the order in which an optimizer numbers its slots does not matter. */
    const char *last = "";
    for (int done = 0; done < checkpoint->n_slots; done++) {
        int next = -1;
        for (int i = 0; i < checkpoint->n_slots; i++) {
            const char *name = checkpoint->slot_name[i];
            if (strcmp(name, last) > 0 &&
                (next < 0 || strcmp(name, checkpoint->slot_name[next]) < 0))
                next = i;
        }
        if (next < 0) {
            hash_free(hash);
            return FAIL(ST_INTERNAL, "two optimizer slots have one name");
        }
        last = checkpoint->slot_name[next];
        add_views(hash, model->params, model->n_params, checkpoint->slot_has[next],
                  checkpoint->slot[next]);
    }
    if (checkpoint->slow_running)
        add_views(hash, model->running, model->n_running, NULL, checkpoint->slow_running);
    if (checkpoint->peak)
        hash_add(hash, checkpoint->peak, (size_t)model->n_params * sizeof *checkpoint->peak);
    hash_add(hash, &step, sizeof step);
    checkpoint_hash_rates(hash, &checkpoint->state);
    *value = hash_value(hash);
    hash_free(hash);
    return ST_OK;
}

void checkpoint_slots(const Checkpoint *checkpoint, char text[256]) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < checkpoint->n_slots && used < 256; i++)
        used += (size_t)snprintf(text + used, 256 - used, "%s%s", i ? " " : "",
                                 checkpoint->slot_name[i]);
    if (checkpoint->slow_running && used < 256)
        snprintf(text + used, 256 - used, "%s" SLOW_RUNNING, used ? " " : "");
}

static bool is_left_out(const char *path) {
    return strcmp(path, "/meta@time") == 0 || strcmp(path, "/meta@" CONTENT_HASH) == 0;
}

/* Name, kind and shape before the bytes, so that nothing can be moved from one item to the next. */
static void add_item(void *hash, const Hdf5Item *item) {
    uint64_t shape[2 + HDF5_DIMS_MAX] = {item->element, (uint64_t)item->ndim};
    for (int i = 0; i < item->ndim; i++)
        shape[2 + i] = (uint64_t)item->dim[i];
    if (is_left_out(item->path))
        return;
    hash_add(hash, item->path, strlen(item->path) + 1);
    hash_add(hash, &item->kind, 1);
    hash_add(hash, shape, (2 + (size_t)item->ndim) * sizeof *shape);
    hash_add(hash, item->bytes, item->size);
}

Status checkpoint_content_hash(hid_t file, uint64_t *value) {
    HashState *hash = hash_new();
    TRY_ALLOC(hash);
    Status status = hdf5_content(file, add_item, hash);
    *value = hash_value(hash);
    hash_free(hash);
    return status;
}

/* Nothing where a state has none. */
static void add_samples(HashState *hash, const RunState *state) {
    const SampleSums *samples = &state->samples;
    const uint64_t numbers[] = {(uint64_t)samples->from, samples->all, samples->epoch};
    if (samples->known)
        hash_add(hash, numbers, sizeof numbers);
}

static void add_bad_steps(HashState *hash, const RunState *state) {
    const BadSteps *bad = &state->bad;
    const int64_t counts[] = {bad->skipped, bad->in_a_row, bad->rollbacks};
    if (!checkpoint_has_bad_steps(state))
        return;
    hash_add(hash, counts, sizeof counts);
    hash_add(hash, &bad->lr_factor, sizeof bad->lr_factor);
}

void checkpoint_add_state(HashState *hash, const RunState *state) {
    const double reals[] = {state->best_accuracy, state->best_loss, state->last_accuracy};
    const int64_t flags[] = {state->finished, state->has_plateau};
    for (const StateField *field = checkpoint_state_fields; field->name; field++)
        hash_add(hash, (const char *)state + field->offset, sizeof(int64_t));
    hash_add(hash, reals, sizeof reals);
    hash_add(hash, flags, sizeof flags);
    checkpoint_hash_rates(hash, state);
    add_samples(hash, state);
    add_bad_steps(hash, state);
    hash_add(hash, state->runners_up.at, (size_t)state->runners_up.n * sizeof(Evaluated));
    hash_add(hash, state->history, (size_t)state->n_history * sizeof *state->history);
}
