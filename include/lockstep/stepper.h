/* stepper: one step on all ranks: lanes -> gradient sum -> optimizer.
 *
 * Holds what a step needs beside the session: the loader of this rank's batches, the sums within
 * the rank, the messages between ranks. train and bench drive it. */
#ifndef LOCKSTEP_STEPPER_H
#define LOCKSTEP_STEPPER_H

#include "lockstep/phase.h"
#include "lockstep/session.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Stepper Stepper;

/* What a rank tells of its pace, in seconds. */
typedef struct StepTimes {
    double lane_s;   /* that a lane takes: images, forward, backward */
    double waited_s; /* for sums over ranks, in a step */
} StepTimes;

/* What this rank brings to a step beside its lanes. */
typedef struct StepRequest {
    int64_t step;           /* to be computed, from 0 */
    Rates rates;            /* of what is in no group, lr_factor included */
    double lr_factor;       /* on the learning rates of groups */
    const Plateau *plateau; /* of a schedule of that kind; NULL: it stands at the beginning */
    bool nan;               /* --crash-at: this rank's losses become NaN */
    bool hang;              /* likewise: a lane gets no further than its forward pass */
    bool slow;              /* likewise: lanes take three times as long */
    StepTimes tell;         /* of the one rank whose turn it is; of the others 0 */
    bool stop;              /* this rank was asked to stop */
    bool error;             /* it is in trouble that can be agreed on */
    bool save;              /* it asks for a checkpoint */
} StepRequest;

/* What came of it. Sums over all lanes are known to all ranks, in the same step. */
typedef struct StepResult {
    int64_t loss, correct, images; /* loss: fixed_loss */
    /* NaN or out-of-range gradients, statistics and losses; with any the weights are as before */
    int64_t bad;
    int64_t stop, error, save; /* ranks that asked for it */
    /* what the images add to the ledger (ledger.h), and those of this rank's lanes */
    uint64_t samples, local_samples;
    StepTimes told;       /* the sum over ranks of what they tell */
    double lane_s;        /* seconds that a lane of this rank took in the mean; 0: it had none */
    int64_t local_bad;    /* bad values of this rank alone */
    double lr, grad_norm; /* grad_norm < 0: not computed */
    PhaseTimes times;     /* of this rank; means over its compute threads */
} StepResult;

/* Allocates for the session's model, once it is planned. The session must outlive the stepper.
 * Local; the ranks' steppers sum with one another from stepper_run on. */
Status stepper_open(Session *session, Stepper **stepper);
void stepper_close(Stepper *stepper); /* accepts NULL */

/* Starts the loader threads: the steps from `first` up to `end` can be run, in order. Again: the
 * loader begins anew there. Local. */
Status stepper_load(Stepper *stepper, int64_t first, int64_t end);

/* Computes a step on all ranks: its sums. What all ranks hold alike is as before. *result is whole
 * only behind stepper_update: a device that ends steps itself (FinishOps) is not waited for twice.
 * Collective. A Status other than ST_OK and ST_LOST means comm_abort. */
Status stepper_sum(Stepper *stepper, const StepRequest *request, StepResult *result);

/* Updates the weights by the sums of the step that was computed last, unless it is bad. Local. */
Status stepper_update(Stepper *stepper, StepResult *result);

/* Both. Collective. A Status other than ST_OK means comm_abort. */
Status stepper_run(Stepper *stepper, const StepRequest *request, StepResult *result);

/* Elements [from, from + count) of the last step's gradient of the mean loss, flat as the weights
 * are: the sum over all lanes, before clipping. Local. ST_DEVICE. */
Status stepper_gradient(const Stepper *stepper, int64_t from, int64_t count, double *gradient);

#ifdef __cplusplus
}
#endif
#endif
