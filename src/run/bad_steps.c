/* bad_steps: see bad_steps.h.
 *
 * Skipping is what PyTorch's GradScaler does: the update is left out, weights, optimizer state and
 * averages stay as they are, and the step counts all the same, so that schedule and data go on.
 * (Its batch norm has seen the batch; here running statistics stay as they are too.) */
#include "bad_steps.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "lockstep/log.h"

BadStepAction bad_steps_action(const BadStepRules *rules, const BadSteps *bad) {
    switch (rules->policy) {
    case BAD_STEPS_SKIP:
        if (bad->in_a_row < rules->in_a_row && bad->skipped < rules->skipped)
            return BAD_STEP_IS_SKIPPED;
        break;
    case BAD_STEPS_ROLLBACK:
        if (bad->rollbacks < rules->rollbacks)
            return BAD_STEP_ROLLS_BACK;
        break;
    case BAD_STEPS_STOP:
        break;
    }
    return BAD_STEP_STOPS;
}

void bad_steps_skip(const BadStepRules *rules, BadSteps *bad, int64_t step) {
    bad->skipped++;
    bad->in_a_row++;
    log_warn("step %" PRId64 " has a loss, gradients or statistics that are NaN or out of range: "
             "its update is skipped (%" PRId64 " in a row, of %" PRId64 " at most; %" PRId64
             " in all, of %" PRId64 ")",
             step, bad->in_a_row, rules->in_a_row, bad->skipped, rules->skipped);
}

BadSteps bad_steps_back(const BadStepRules *rules, const BadSteps *now, const BadSteps *then) {
    return (BadSteps){.skipped = then->skipped,
                      .in_a_row = then->in_a_row,
                      .rollbacks = now->rollbacks + 1,
                      .lr_factor = fmax(now->lr_factor * rules->lr_factor, DBL_MIN)};
}

void bad_steps_why(const BadStepRules *rules, const BadSteps *bad, char *text, size_t room) {
    text[0] = '\0';
    if (rules->policy == BAD_STEPS_SKIP)
        snprintf(text, room,
                 "%" PRId64 " steps right before it were skipped, %" PRId64
                 " in all (bad-steps.in-a-row %" PRId64 ", bad-steps.skipped %" PRId64 "); ",
                 bad->in_a_row, bad->skipped, rules->in_a_row, rules->skipped);
    if (rules->policy == BAD_STEPS_ROLLBACK)
        snprintf(text, room,
                 "the run was rolled back %" PRId64 " times, and the learning rate is %g of the "
                 "schedule's (bad-steps.rollbacks %" PRId64 "); ",
                 bad->rollbacks, bad->lr_factor, rules->rollbacks);
}
