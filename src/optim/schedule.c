/* The learning rate: a warm-up factor times the curve of the schedule, both functions of the
 * position in epochs alone, so that any step can be computed from nothing. What is given in steps
 * or shares is multiplied out to epochs. */
#include <math.h>

#include "lockstep/optim.h"

/* A position in epochs. Steps are divided just as the step is whose rate is asked for, so that the
 * two are equal where the steps are. */
static double in_epochs(const Schedule *s, double at, int64_t steps_per_epoch) {
    switch (s->unit) {
    case SCHEDULE_EPOCHS:
        return at;
    case SCHEDULE_SHARE:
        return at * s->total_epochs;
    case SCHEDULE_STEPS:
        return at / (double)steps_per_epoch;
    }
    return at;
}

static double point(const Schedule *s, int i, int64_t steps_per_epoch) {
    return in_epochs(s, s->point_at[i], steps_per_epoch);
}

static double interpolate(const Schedule *s, double epoch, int64_t steps_per_epoch) {
    int last = s->n_points - 1;
    if (last < 0)
        return 1;
    if (epoch <= point(s, 0, steps_per_epoch))
        return s->point_value[0];
    for (int i = 0; i < last; i++) {
        double begin = point(s, i, steps_per_epoch), end = point(s, i + 1, steps_per_epoch);
        if (epoch < end) {
            double part = (epoch - begin) / (end - begin);
            return s->point_value[i] + part * (s->point_value[i + 1] - s->point_value[i]);
        }
    }
    return s->point_value[last];
}

static double cosine(const Schedule *s, double epoch, double warmup_end) {
    double length = s->total_epochs - warmup_end;
    double part = length > 0 ? (epoch - warmup_end) / length : 1;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    return s->lr_end + (s->lr - s->lr_end) * 0.5 * (1 + cos(part * 3.14159265358979323846));
}

static double curve(const Schedule *s, double epoch, int64_t steps_per_epoch) {
    double lr = s->lr;
    switch (s->kind) {
    case SCHEDULE_CONSTANT:
        return lr;
    case SCHEDULE_STEP:
        for (int i = 0; i < s->n_points && epoch >= point(s, i, steps_per_epoch); i++)
            lr *= s->gamma;
        return lr;
    case SCHEDULE_PIECEWISE:
        return lr * interpolate(s, epoch, steps_per_epoch);
    case SCHEDULE_COSINE:
        return cosine(s, epoch, schedule_warmup_end(s, steps_per_epoch));
    }
    return lr;
}

double schedule_lr(const Schedule *schedule, int64_t step, int64_t steps_per_epoch) {
    double epoch = (double)step / (double)steps_per_epoch;
    double warmup_end = schedule_warmup_end(schedule, steps_per_epoch);
    double factor = 1;
    if (epoch < warmup_end) {
        double start = schedule->warmup_start;
        factor = start + (1 - start) * epoch / warmup_end;
    }
    return factor * curve(schedule, epoch, steps_per_epoch);
}

static bool has_points(const Schedule *s) {
    return s->n_points > 0 && (s->kind == SCHEDULE_STEP || s->kind == SCHEDULE_PIECEWISE);
}

bool schedule_stretches(const Schedule *schedule) {
    return schedule->kind == SCHEDULE_COSINE ||
           (schedule->unit == SCHEDULE_SHARE && (has_points(schedule) || schedule->warmup > 0));
}

double schedule_warmup_end(const Schedule *schedule, int64_t steps_per_epoch) {
    if (schedule->warmup_epochs > 0)
        return schedule->warmup_epochs;
    return in_epochs(schedule, schedule->warmup, steps_per_epoch);
}

double schedule_end(const Schedule *schedule, int64_t steps_per_epoch) {
    double end = schedule_warmup_end(schedule, steps_per_epoch);
    if (schedule->kind == SCHEDULE_COSINE)
        return schedule->total_epochs;
    if (!has_points(schedule))
        return end;
    return fmax(end, point(schedule, schedule->n_points - 1, steps_per_epoch));
}
