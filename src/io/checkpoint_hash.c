/* checkpoint_hash: the state hash, by which two runs are the same, and the content hash, by which
 * two files are. See checkpoint.h. */
#include <stdio.h>
#include <string.h>

#include "checkpoint_format.h"

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

/* A text and the zero byte behind it; NULL counts as "". */
static void add_text(HashState *hash, const char *text) {
    hash_add(hash, text ? text : "", text ? strlen(text) + 1 : 1);
}

/* Nothing where a file has none, so that the hash of such a file stays what it was. */
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

Status checkpoint_content_hash(const Checkpoint *checkpoint, uint64_t state_hash, uint64_t *value) {
    const RunState *state = &checkpoint->state;
    const uint64_t numbers[] = {state_hash,
                                checkpoint->seed,
                                (uint64_t)checkpoint->lanes,
                                checkpoint->dataset_hash,
                                checkpoint->test_hash,
                                checkpoint->ema || checkpoint->has_ema,
                                state->finished,
                                state->has_plateau};
    const double reals[] = {state->best_accuracy, state->best_loss, state->last_accuracy};
    char slots[256];
    HashState *hash = hash_new();
    TRY_ALLOC(hash);
    checkpoint_slots(checkpoint, slots);
    hash_add(hash, numbers, sizeof numbers);
    add_text(hash, checkpoint->config);
    add_text(hash, checkpoint->git);
    add_text(hash, checkpoint->dataset);
    add_text(hash, checkpoint->instruction_set);
    add_text(hash, checkpoint->lineage);
    add_text(hash, checkpoint->autotune);
    add_text(hash, slots);
    for (const StateField *field = checkpoint_state_fields; field->name; field++)
        hash_add(hash, (const char *)state + field->offset, sizeof(int64_t));
    hash_add(hash, reals, sizeof reals);
    if (checkpoint->image.c > 0) { /* as of format version 4 */
        const int64_t image[] = {checkpoint->image.c, checkpoint->image.h, checkpoint->image.w,
                                 checkpoint->classes};
        hash_add(hash, image, sizeof image);
        add_text(hash, checkpoint->class_names);
    }
    hash_add(hash, state->history, (size_t)state->n_history * sizeof *state->history);
    add_samples(hash, state);
    add_bad_steps(hash, state);
    *value = hash_value(hash);
    hash_free(hash);
    return ST_OK;
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
    hash_add(hash, state->history, (size_t)state->n_history * sizeof *state->history);
}
