/* samples: see samples.h. */
#include "samples.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lockstep/ledger.h"

Status samples_open(Samples *samples, const Session *session, RunState *state) {
    const RunConfig *config = session->config;
    const Sampler *sampler = &session->input.sampler;
    Split split = {.records = config->train_records, .holdout = config->holdout};
    int64_t *held = NULL, first, largest;
    *samples = (Samples){.session = session};
    TRY(split_ids(&split, session->input.dataset.count[DATASET_PART_TRAIN], config->seed,
                  &samples->ids, &held));
    free(held);
    sampler_shard(sampler, sampler->lanes - 1, &first, &largest);
    samples->order = malloc((size_t)largest * sizeof *samples->order);
    TRY_ALLOC(samples->order);
    samples_back(samples, state);
    return ST_OK;
}

void samples_back(Samples *samples, RunState *state) {
    samples->own = 0;
    samples->own_from = state->step;
    if (!state->samples.known)
        state->samples = (SampleSums){.known = true, .from = state->step};
}

void samples_close(Samples *samples) {
    free(samples->ids);
    free(samples->order);
    *samples = (Samples){0};
}

void samples_step(Samples *samples, RunState *state, const StepResult *step) {
    state->samples.all += step->samples;
    state->samples.epoch += step->samples;
    samples->own += step->local_samples;
}

void samples_next_epoch(Samples *samples, RunState *state) {
    state->samples.epoch = 0;
    samples->own = 0;
    samples->own_from = state->step;
}

/* What `lanes` lanes from `first` add from step `from` (of the run) to the state's. */
static uint64_t planned(const Samples *samples, const RunState *state, int64_t from, int64_t first,
                        int64_t lanes) {
    const Sampler *sampler = &samples->session->input.sampler;
    int64_t begin = state->epoch * sampler->steps_per_epoch;
    from = from > begin ? from : begin;
    return ledger_planned(sampler, samples->ids, state->epoch, from - begin, state->step - begin,
                          first, first + lanes, samples->order);
}

static Status wrong(const RunState *state, const char *where, uint64_t found, uint64_t wanted) {
    return FAIL(ST_DATA,
                "the images that epoch %" PRId64 " was trained on up to step %" PRId64
                " are not those that the seed deals out%s: their sum is %016" PRIx64
                ", not %016" PRIx64 "; the last checkpoint is untouched: start again to go on from "
                "there, without a host that this comes from again",
                state->epoch + 1, state->step, where, found, wanted);
}

/* This rank's lanes: here the place is known. Local. */
static Status check_own(const Samples *samples, const RunState *state) {
    const Input *input = &samples->session->input;
    char where[96];
    uint64_t sum = planned(samples, state, samples->own_from, input->first_lane, input->lane_count);
    snprintf(where, sizeof where, " to this rank's lanes %" PRId64 "-%" PRId64, input->first_lane,
             input->first_lane + input->lane_count - 1);
    return samples->own == sum ? ST_OK : wrong(state, where, samples->own, sum);
}

/* All lanes, and what was before this process. Local. */
static Status check_all(const Samples *samples, const RunState *state) {
    uint64_t sum =
        planned(samples, state, state->samples.from, 0, samples->session->input.sampler.lanes);
    return state->samples.epoch == sum ? ST_OK : wrong(state, "", state->samples.epoch, sum);
}

Status samples_check(const Samples *samples, const RunState *state) {
    Comm *comm = samples->session->ranks.comm;
    TRY(comm_agree(comm, check_own(samples, state)));
    return comm_agree(comm, check_all(samples, state));
}
