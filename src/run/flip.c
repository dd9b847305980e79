/* flip: see flip.h. */
#include "flip.h"

#include <stdlib.h>
#include <string.h>

/* Of a float: an eighth of its value, so that no later rounding hides it. */
static const uint32_t BIT = UINT32_C(1) << 20;

static void flip_real(float *value) {
    uint32_t bits;
    memcpy(&bits, value, sizeof bits);
    bits ^= BIT;
    memcpy(value, &bits, sizeof bits);
}

static Status flip_array(Engine *engine, StateArray array, int64_t at) {
    const DeviceOps *ops = engine->device->ops;
    int64_t count;
    float value, *memory = engine_array(engine, array, &count);
    if (!memory || at >= count)
        return FAIL(ST_USAGE, "--crash-at: this run has no such state to flip a bit of");
    TRY(ops->download(engine->stream, &value, memory + at, sizeof value));
    TRY(ops->sync(engine->stream, SYNC_SECONDS));
    flip_real(&value);
    TRY(ops->upload(engine->stream, memory + at, &value, sizeof value));
    return ops->sync(engine->stream, SYNC_SECONDS);
}

/* In the middle of a parameter that has state: its first piece. */
static Status flip_slot(Session *session) {
    const GroupState *state = session->grouping.state;
    for (int p = 0; session->grouping.n_states > 0 && p < session->model.n_params; p++) {
        const ParamView *view = &session->model.params[p];
        if (state->has[p])
            return flip_array(&session->engine, (StateArray)(STATE_SLOT + state->slot),
                              view->offset + view->count / 2);
    }
    return FAIL(ST_USAGE, "--crash-at: this run's optimizer has no state to flip a bit of");
}

/* The copy on the host is the one that steps go on from. */
static Status flip_running(Engine *engine) {
    if (engine->model->running_flat == 0)
        return FAIL(ST_USAGE, "--crash-at: this network has no running statistics");
    flip_real(&engine->running[engine->model->running[0].offset]);
    return ST_OK;
}

/* The number of a record that the first of this rank's lanes gets in the epoch's last step. */
static Status flip_sample(Session *session, const RunState *state) {
    const Sampler *sampler = &session->input.sampler;
    Shard *shard = &session->input.shards[0];
    int32_t *order = malloc((size_t)shard->count * sizeof *order);
    TRY_ALLOC(order);
    sampler_order(sampler, state->epoch, session->input.first_lane, order);
    shard->ids[order[(sampler->full_steps - 1) * sampler->batch]] ^= 1;
    free(order);
    return ST_OK;
}

Status flip_bit(Session *session, RunState *state, CrashHow how) {
    const Model *model = &session->model;
    const ParamView *view = &model->params[model->n_params / 2];
    int64_t middle = view->offset + view->count / 2;
    switch (how) {
    case CRASH_FLIP:
        return flip_array(&session->engine, STATE_WEIGHT, middle);
    case CRASH_FLIP_SLOT:
        return flip_slot(session);
    case CRASH_FLIP_RUNNING:
        return flip_running(&session->engine);
    case CRASH_FLIP_EMA:
        return flip_array(&session->engine, STATE_EMA, middle);
    case CRASH_FLIP_STATE:
        state->epoch_correct ^= 1;
        return ST_OK;
    case CRASH_FLIP_SCHEDULE:
        session->config->schedule.total_epochs += 1;
        return ST_OK;
    case CRASH_FLIP_SAMPLE:
        return flip_sample(session, state);
    default:
        return FAIL(ST_INTERNAL, "no such bit");
    }
}
