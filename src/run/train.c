/* train: one training run, from its beginning on: the steps are train_loop's, the end is
 * train_finish's.
 *
 * Failures of one rank outside a step are agreed on, so that all ranks unwind and exit with one
 * code; a failure inside a step, or of MPI itself, ends in comm_abort. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "crash.h"
#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "lockstep/run.h"
#include "place.h"
#include "recording.h"
#include "resume.h"
#include "selection.h"
#include "showcase.h"
#include "signals.h"
#include "survive.h"
#include "train_eval.h"
#include "train_finish.h"
#include "train_loop.h"
#include "train_save.h"

/* Algorithms chosen by timing, in this run or an earlier part of it. Local, rank 0. */
static Status known_choices(Train *run, const Resume *resume) {
    Session *session = &run->session;
    const char *stored = resume_choices(resume);
    if (stored) {
        session->choices = strdup(stored);
        TRY_ALLOC(session->choices);
    } else if (!resume_path(resume) && session->config->autotune && !session->config->reset) {
        TRY(keeper_read_autotune(run->keeper, &session->choices));
    }
    return ST_OK;
}

/* Plans of an earlier start: none, if they cannot be read. Local, rank 0. */
static void known_plans(Train *run) {
    if (keeper_read_plans(run->keeper, &run->session.planning.text) == ST_OK)
        return;
    log_info("plans: %s", status_message());
    status_clear();
}

static void announce(const Train *run) {
    const RunConfig *config = run->session.config;
    session_announce(&run->session);
    crash_announce(&config->crash, run->session.ranks.size);
    if (config->holdout > 0)
        log_info("best.h5 is selected on %" PRId64 " held-out training records", config->holdout);
    else if (run->session.input.holdout.records > 0)
        log_info("best.h5 is selected on the %" PRId64 " held-out records of the set",
                 run->session.input.holdout.records);
    else
        log_info("best.h5 is selected on the test set (--holdout N selects honestly)");
}

/* From an opened communicator to a state from which a step can be taken. Collective, agreed. */
static Status set_up(Train *run, Resume **resume) {
    Session *session = &run->session;
    const RunConfig *config = session->config;
    const Ranks *ranks = &session->ranks;
    TRY(survive_prepare(run));
    TRY(session_begin(session));
    TRY(comm_agree(ranks->comm, ranks->rank == 0 ? keeper_open(session, &run->keeper) : ST_OK));
    TRY(survive_begin(run));
    TRY(recording_begin(session));
    TRY(session_read(session));
    TRY(resume_choose(session, run->keeper, resume));
    TRY(resume_settle(*resume, session));
    TRY(comm_agree(ranks->comm, run->keeper ? known_choices(run, *resume) : ST_OK));
    if (run->keeper)
        known_plans(run);
    TRY(comm_agree(ranks->comm, tracing_open(session)));
    TRY(session_plan(session, resume_path(*resume)));
    TRY(comm_agree(ranks->comm, stepper_open(session, &run->stepper)));
    announce(run);
    TRY(session_hint(session));
    TRY(comm_agree(ranks->comm, drift_open(&run->drift, session)));
    TRY(input_report(&session->input, ranks->comm));
    run->end_step = run_end(config, session->input.sampler.steps_per_epoch);
    TRY(comm_agree(ranks->comm, run->keeper ? keeper_reset(run->keeper) : ST_OK));
    TRY(resume_load(*resume, session, &run->state));
    TRY(comm_agree(ranks->comm, samples_open(&run->samples, session, &run->state)));
    run->resumed_from = resume_path(*resume) ? run->state.step : -1;
    run->updated = run->state.step;
    run->loaded_hash = resume_state_hash(*resume);
    TRY(train_find_lasting(run, resume_path(*resume)));
    bool follows = run->keeper && resume_path(*resume);
    TRY(comm_agree(ranks->comm,
                   follows ? keeper_follow(run->keeper, resume_lineage(*resume)) : ST_OK));
    return train_settle_end(run, *resume);
}

/* A run that has nothing left to train. Its end may not stand in result.json: then all of it but
 * the training is done again. Collective. */
static Status end_again(Train *run) {
    Session *session = &run->session;
    const RunConfig *config = session->config;
    Comm *comm = session->ranks.comm;
    Keeper *keeper = run->keeper;
    int64_t lacks = keeper && !keeper_has_result(keeper, &run->state, run->loaded_hash);
    log_set_level(LOG_INFO);
    log_info("%s is finished: step %" PRId64 " of %" PRId64
             "; ask for more%s --epochs or --steps, or start over with --reset",
             config->out, run->state.step, run->end_step,
             !run->state.finished                             ? ""
             : selection_reaches(&run->state, config->target) ? " --target, not"
                                                              : " --eval.patience,");
    TRY(comm_sum_i64(comm, &lacks, 1));
    if (!lacks) {
        TRY(comm_agree(comm, keeper ? keeper_mend(keeper, &run->state) : ST_OK));
        if (keeper && config->report && !showcase_there(config->out))
            showcase(config->out);
        return ST_OK;
    }
    log_warn("%s/result.json or predictions.h5 is not of this end: the test set is evaluated "
             "again, and they are written",
             config->out);
    TRY(comm_agree(comm, keeper ? keeper_start(keeper, &run->state, run->end_step, run->libraries)
                                : ST_OK));
    journal_open(&run->journal, session, keeper, run->state.step, run->end_step);
    if (run->saved_lasts) /* it is what was loaded */
        run->saved_step = run->state.step;
    TRY(train_finish(run, false));
    if (run->keeper && config->report)
        showcase(config->out);
    return ST_OK;
}

/* Everything between an opened communicator and the exit code. Collective. */
static Status train_ranks(Train *run) {
    Session *session = &run->session;
    Comm *comm = session->ranks.comm;
    Keeper *keeper;
    Resume *resume = NULL;
    bool stopped;
    if (session->config->quiet) /* until the end of the run speaks */
        log_set_level(LOG_WARN);
    Status status = set_up(run, &resume);
    resume_free(resume);
    TRY(status);
    keeper = run->keeper;
    if (run->state.step >= run->end_step || run->state.finished)
        return end_again(run);
    TRY(comm_agree(comm, keeper ? keeper_start(keeper, &run->state, run->end_step, run->libraries)
                                : ST_OK));
    TRY(comm_agree(comm, stepper_load(run->stepper, run->state.step, run->end_step)));
    journal_open(&run->journal, session, keeper, run->state.step, run->end_step);
    TRY(comm_agree(comm, stragglers_open(&run->stragglers, session)));
    run->tracing = tracing_plan(session, run->state.step, run->end_step);
    pacing_begin(&run->pacing, session, keeper, run->end_step);
    TRY(train_loop(run, &stopped));
    journal_close(&run->journal);
    TRY(train_finish(run, stopped));
    keeper = run->keeper; /* it may have come to another rank */
    if (keeper)
        keeper_end_drawn(keeper);
    if (keeper && session->config->report && !stopped)
        showcase(session->config->out);
    return stopped ? ST_STOPPED : ST_OK;
}

Status train(RunConfig *config, Status status, const char *libraries) {
    Train run = {.resumed_from = -1,
                 .tested_step = -1,
                 .saved_step = -1,
                 .compared = -1,
                 .target_s = NAN,
                 .pacing.started = clock_now(),
                 .libraries = libraries};
    run.session.config = config;
    signals_install();
    status = session_start(&run.session, status, config->out);
    if (status == ST_OK)
        status = place_settle(config, run.session.ranks.comm);
    if (status == ST_OK)
        status = train_ranks(&run);
    if (status == ST_LOST)
        status_prefix("a rank was lost before the first step, from where on the others go on");
    session_judge(&run.session, status);
    journal_close(&run.journal);
    stepper_close(run.stepper);
    drift_close(&run.drift);
    samples_close(&run.samples);
    stragglers_close(&run.stragglers);
    keeper_close(run.keeper);
    free(run.state.history);
    free(run.left);
    eval_result_free(&run.test);
    session_close(&run.session);
    return status;
}
