/* bad_steps: --bad-steps: what follows a step whose loss, gradients or statistics are NaN or out of
 * range. A decision follows from the configuration and the checkpointed state alone, so all ranks
 * make it alike, and so does a run that goes on after a crash. Local. */
#ifndef LOCKSTEP_RUN_BAD_STEPS_H
#define LOCKSTEP_RUN_BAD_STEPS_H

#include "lockstep/checkpoint.h"
#include "lockstep/config.h"

typedef enum BadStepAction {
    BAD_STEP_STOPS, /* the run ends */
    BAD_STEP_IS_SKIPPED,
    BAD_STEP_ROLLS_BACK /* the run goes back to its newest good checkpoint */
} BadStepAction;

/* What a bad step leads to, after what *bad says of those before it. */
BadStepAction bad_steps_action(const BadStepRules *rules, const BadSteps *bad);

/* Counts the step as skipped, and says so; of a run that has had `step` steps before it. */
void bad_steps_skip(const BadStepRules *rules, BadSteps *bad, int64_t step);

/* What a run knows of bad steps once it is back at a state that knows of *then: one roll-back more
 * than now, and a lower learning rate, which never comes to 0. */
BadSteps bad_steps_back(const BadStepRules *rules, const BadSteps *now, const BadSteps *then);

/* Why there is no more of it, for the end of a run's last line; "" where none was asked for. */
void bad_steps_why(const BadStepRules *rules, const BadSteps *bad, char *text, size_t room);

#endif
