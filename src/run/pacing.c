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
}

/* What the writer has done since the last step. Rank 0. */
static void learn(Pacing *pacing) {
    double seconds;
    int64_t written = keeper_written(pacing->keeper, &seconds);
    if (written == pacing->written)
        return;
    pacing->written = written;
    costs_write(&pacing->costs, seconds);
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
}

void pacing_step(Pacing *pacing, double seconds) {
    costs_step(&pacing->costs, seconds);
}

void pacing_evaluation(Pacing *pacing, double seconds) {
    costs_evaluation(&pacing->costs, seconds);
}

void pacing_checkpoint(Pacing *pacing, double seconds) {
    costs_held(&pacing->costs, seconds);
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
