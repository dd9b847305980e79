/* pacing: see pacing.h. */
#include "pacing.h"

#include <inttypes.h>

#include "lockstep/clock.h"
#include "lockstep/duration.h"
#include "lockstep/log.h"
#include "signals.h"

void pacing_begin(Pacing *pacing, const Session *session, Keeper *keeper, int64_t end_step) {
    pacing->config = session->config;
    pacing->keeper = keeper;
    costs_begin(&pacing->costs, session_state_bytes(session));
    pacing->limit = time_limit_of(session, pacing->started, end_step);
    interval_begin(&pacing->interval, session->config->checkpoint_every == CHECKPOINT_EVERY_AUTO,
                   session->config->mtbf, &pacing->costs, clock_now());
    pacing->steps_per_epoch = session->input.sampler.steps_per_epoch;
    pacing->end_step = end_step;
}

/* What the writer has done since the last step. Rank 0. */
static void learn(Pacing *pacing) {
    double seconds, cpu;
    int64_t written = keeper_written(pacing->keeper, &seconds, &cpu);
    if (written == pacing->written)
        return;
    pacing->written = written;
    costs_write(&pacing->costs, seconds, cpu);
    interval_learn(&pacing->interval, &pacing->costs);
}

/* Whether --checkpoint-every auto has one due. One is made anyhow at the end of the epoch, and at
 * that of this process. */
static bool save_due(const Pacing *pacing, const RunState *state, double now) {
    int64_t epoch = pacing->steps_per_epoch - state->position;
    int64_t end = pacing->end_step - state->step;
    double until_next = (double)(epoch < end ? epoch : end) * pacing->costs.step;
    double until_end = pacing->limit.end - now;
    return !keeper_is_writing(pacing->keeper) &&
           interval_due(&pacing->interval, now, until_next < until_end ? until_next : until_end);
}

static StopCause stop_cause(Pacing *pacing, const RunState *state) {
    if (signals_stop_requested())
        return STOP_SIGNAL;
    if (!pacing->keeper)
        return STOP_NONE;
    if (keeper_asks_stop(pacing->keeper))
        return STOP_FILE;
    bool late = time_limit_asks(&pacing->limit, &pacing->costs, state, clock_now());
    return late ? STOP_TIME : STOP_NONE;
}

void pacing_ask(Pacing *pacing, const RunState *state, StepRequest *request) {
    if (pacing->keeper)
        learn(pacing);
    pacing->cause = stop_cause(pacing, state);
    request->stop = pacing->cause != STOP_NONE;
    request->save = pacing->keeper && save_due(pacing, state, clock_now());
}

void pacing_step(Pacing *pacing, double seconds) {
    costs_step(&pacing->costs, seconds);
}

void pacing_evaluation(Pacing *pacing, double seconds) {
    costs_evaluation(&pacing->costs, seconds);
}

void pacing_checkpoint(Pacing *pacing, double seconds) {
    costs_held(&pacing->costs, seconds);
    interval_saved(&pacing->interval, clock_now());
}

void pacing_say_stopped(const Pacing *pacing, int64_t step) {
    char limit[DURATION_TEXT_MAX];
    switch (pacing->cause) {
    case STOP_NONE: /* another rank's signal */
    case STOP_SIGNAL:
        log_info("asked to stop: writing a checkpoint after step %" PRId64, step);
        break;
    case STOP_FILE:
        log_info("asked to stop by %s/stop: writing a checkpoint after step %" PRId64,
                 pacing->config->out, step);
        break;
    case STOP_TIME:
        duration_text(pacing->config->max_time, limit);
        log_info("--max-time %s: %.1f s are left: writing a checkpoint after step %" PRId64, limit,
                 pacing->limit.end - clock_now(), step);
        break;
    }
}
