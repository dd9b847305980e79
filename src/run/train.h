/* train: one training run on one rank, and the parts its step loop is made of. */
#ifndef LOCKSTEP_RUN_TRAIN_H
#define LOCKSTEP_RUN_TRAIN_H

#include "aside.h"
#include "engine.h"
#include "evaluate.h"
#include "fence.h"
#include "grad_sum.h"
#include "input.h"
#include "lockstep/loader.h"
#include "lockstep/metrics.h"
#include "lockstep/progress.h"
#include "lockstep/writer.h"

typedef struct ResumeSource ResumeSource; /* resume.c */

/* Everything a run holds on one rank. What only rank 0 has is marked. */
typedef struct Run {
    RunConfig *config;
    char *config_text; /* stored with checkpoints */
    char *choices;     /* of algorithms, by timing (autotune.h): likewise; NULL: none */
    Comm *comm;
    int rank, size;
    int threads; /* compute threads of this rank */
    Model model;
    Input input;
    Engine engine;
    GradSum sum;
    Loader *loader;
    ResumeSource *source; /* until resume_or_begin */
    RunState state;
    int64_t history_room;
    int64_t end_step;     /* where the run ends unless patience or a signal ends it earlier */
    int64_t resumed_from; /* step, or -1 */
    EvalResult test;      /* of the last evaluation of the test set */
    int64_t tested_step;  /* when that was; -1: never in this process */
    bool without_files;   /* eval and bench: no run directory */
    RunDir dir;           /* rank 0 */
    Fence *fence;         /* rank 0 */
    Writer *writer;       /* rank 0 */
    Aside aside;          /* rank 0; for the writer */
    Progress *progress;   /* rank 0 */
    HostState
        host; /* flat host buffers: all on rank 0, for snapshots; weight and running elsewhere */
    int64_t saved_step;         /* of the last snapshot; -1: none in this process */
    bool saved_lasts;           /* that one did not go to --checkpoint-local */
    PhaseTimes interval, total; /* of this rank: since the last logged step, and of the run */
    double begin_s;             /* clock at the first step */
    double interval_s, train_s; /* spent in steps since the last logged one, and in all */
    int64_t interval_images, total_images;
    int64_t first_step;   /* of this process */
    double *norm_partial; /* [chunks] where gradients are clipped */
} Run;

/* What all ranks know after a step: sums over all lanes. */
typedef struct StepTotals {
    int64_t loss, correct, images, bad;
    int64_t stop,
        error;         /* in: 1 where this rank wants to stop, or is in trouble; out: how many do */
    int64_t local_bad; /* values of this rank alone */
    double lr, grad_norm; /* grad_norm < 0: not computed */
} StepTotals;

/* Computes step `run->state.step` on all ranks and updates the weights unless the step is bad.
 * Collective. A Status other than ST_OK means comm_abort. `nan` makes this rank's loss NaN. */
Status step_run(Run *run, bool nan, StepTotals *totals);

/* Finds the checkpoint that config->resume asks for and reads what the planning of the run depends
 * on: run->choices. Collective, agreed. */
Status resume_choose(Run *run);

/* Its path, "" where there is none: the run begins. Local, between the two others. */
const char *resume_path(const Run *run);

/* Restores run->state and the engine from it, or initialises them. Collective, agreed. */
Status resume_or_begin(Run *run);

void resume_free(ResumeSource *source); /* accepts NULL */

/* Hands the state to the writer (rank 0) and compares parameters over ranks, unless this step's
 * state was saved already. One that need not last may go to --checkpoint-local. Collective, agreed.
 */
Status checkpoint_now(Run *run, bool lasting, bool is_best);

/* Starts rank 0's writer, once the state is there. Collective, agreed. */
Status start_writer(Run *run);

/* The last lines of a run. Local, rank 0. */
void summarize(const Run *run, const RunResult *result);

/* Adds this interval's times to the run's and zeroes them. Local. */
void close_interval(Run *run);

/* Final evaluation where the last step had none, final checkpoint, result.json and the summary.
 * Collective, agreed. */
Status finish_run(Run *run, bool stopped);

/* A Checkpoint of views of run->host, without bringing that up to date. Local. */
void checkpoint_view(Run *run, Checkpoint *checkpoint);

/* Adds an evaluation to the history of the state. Local. */
Status history_add(Run *run, const HistoryEntry *entry);

#endif
