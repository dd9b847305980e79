/* training: a training run on one rank, which the parts of it share: train (how it begins), then
 * train_loop (the steps), train_eval (evaluations), train_save (checkpoints) and train_finish (the
 * end). Private to these. */
#ifndef LOCKSTEP_RUN_TRAINING_H
#define LOCKSTEP_RUN_TRAINING_H

#include "drift.h"
#include "journal.h"
#include "lockstep/evaluate.h"
#include "lockstep/session.h"
#include "lockstep/stepper.h"
#include "pacing.h"
#include "samples.h"
#include "stragglers.h"
#include "tracing.h"

/* Of RunDir.owner. */
enum { OWNER_TEXT = sizeof((RunDir *)0)->owner };

/* A run on one rank. */
typedef struct Train {
    Session session;
    Stepper *stepper;
    Keeper *keeper; /* rank 0's; NULL elsewhere */
    Journal journal;
    Tracing tracing;
    Pacing pacing;
    Drift drift;
    Samples samples;
    Stragglers stragglers;
    bool slow;            /* --crash-at: this rank is, from now on */
    RunState state;       /* what checkpoints hold beside the arrays; the same on every rank */
    int64_t end_step;     /* where the run ends unless patience or a signal ends it earlier */
    int64_t resumed_from; /* step, or -1 */
    uint64_t loaded_hash; /* of the state that was resumed */
    EvalResult test;      /* of the last evaluation of the test set */
    int64_t tested_step;  /* when that was; -1: never in this process */
    int64_t saved_step;   /* of the last snapshot; -1: none in this process */
    int64_t compared;     /* step whose state was compared, and is as it was then; -1: none */
    double target_s;      /* from the first step to the target; NaN: not reached */
    double plain_accuracy, plain_loss; /* on the test set, without test-time augmentation */
    int64_t updated;                   /* steps that the weights have had: state.step, or one more
                                          until what follows a step is done */
    HistoryEntry *left;                /* the history that the run goes back from, until that
                                          counts; owned */
    int64_t survived;                  /* ranks that this run has lost and goes on without */
    int64_t said;                      /* such ones that the log has told of */
    char owner[OWNER_TEXT];            /* keeper_owner on rank 0: --elastic */
    bool reported;                     /* rank 0: result.json is written, the summary printed */
    bool saved_lasts;                  /* that one, at first the one that was loaded, did not go to
                                          --checkpoint-local */
    const char *libraries;             /* what the program is made of; borrowed */
} Train;

#endif
