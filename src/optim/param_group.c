/* What a group has of a step. See param_group.h. */
#include "lockstep/param_group.h"

/* The run's schedule, or one of the group's own points: piecewise, without warm-up. */
static Schedule own_schedule(const ParamGroup *group, const Schedule *run) {
    Schedule schedule = *run;
    if (group->n_points == 0)
        return schedule;
    schedule.kind = SCHEDULE_PIECEWISE;
    schedule.unit = group->unit;
    schedule.warmup = schedule.warmup_epochs = 0;
    schedule.n_points = group->n_points;
    for (int i = 0; i < group->n_points; i++) {
        schedule.point_at[i] = group->point_at[i];
        schedule.point_value[i] = group->point_value[i];
    }
    return schedule;
}

Rates param_group_rates(const ParamGroup *group, const Schedule *schedule, const Plateau *plateau,
                        int64_t step, int64_t steps_per_epoch) {
    Schedule own = own_schedule(group, schedule);
    Rates rates = schedule_rates(&own, plateau, &group->optimizer, step, steps_per_epoch);
    if (group->lr > 0)
        rates.lr *= group->lr / schedule->lr;
    rates.lr *= group->lr_factor;
    return rates;
}

bool param_group_frozen(const ParamGroup *group, int64_t step, int64_t steps_per_epoch) {
    return group->frozen || (group->frozen_after > 0 &&
                             (double)step / (double)steps_per_epoch >= group->frozen_after);
}

double param_group_end(const ParamGroup *group, const Schedule *schedule, int64_t steps_per_epoch) {
    Schedule own = own_schedule(group, schedule);
    return group->n_points == 0 ? 0 : schedule_end(&own, steps_per_epoch);
}
