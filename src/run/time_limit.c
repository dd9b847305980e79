/* time_limit: see time_limit.h. */
#include "time_limit.h"

#include <math.h>

#include "lockstep/evaluate.h"

/* Steps and evaluations may take longer than they did; a checkpoint may wait for the one before it;
 * result.json and the launcher's end come behind. */
static const double MARGIN = 1.25, CHECKPOINTS = 2, LEAVE_S = 1;

TimeLimit time_limit_of(const Session *session, double started, int64_t end_step) {
    const RunConfig *config = session->config;
    const Input *input = &session->input;
    int64_t images = input->test.records + input->holdout.records;
    int views = config->tta == TTA_NONE ? 0 : evaluate_views(config->tta);
    return (TimeLimit){.end = config->max_time > 0 ? started + config->max_time : (double)INFINITY,
                       .end_step = end_step,
                       .steps_per_epoch = input->sampler.steps_per_epoch,
                       .eval_every = config->eval_every,
                       .evaluation_steps = (double)images / (double)config->batch_size,
                       .end_evaluations = 1 + views};
}

/* What the step that comes after `ahead` others takes, with the evaluation that is due after it. */
static double span(const TimeLimit *limit, const Costs *costs, const RunState *state, int ahead) {
    int64_t position = state->position + ahead + 1;
    int64_t epoch = state->epoch + position / limit->steps_per_epoch;
    bool scheduled = position % limit->steps_per_epoch == 0 && epoch % limit->eval_every == 0;
    bool last = state->step + ahead + 1 == limit->end_step;
    /* An image is evaluated in less time than it is trained on. */
    double evaluation =
        costs->evaluation > 0 ? costs->evaluation : costs->step * limit->evaluation_steps;
    if (state->step + ahead >= limit->end_step)
        return 0;
    return costs->step + evaluation * (last ? limit->end_evaluations : scheduled);
}

bool time_limit_asks(const TimeLimit *limit, const Costs *costs, const RunState *state,
                     double now) {
    double ahead = span(limit, costs, state, 0) + span(limit, costs, state, 1);
    double leaving = CHECKPOINTS * (costs->held + costs->write) + LEAVE_S;
    return now + MARGIN * ahead + leaving > limit->end;
}
