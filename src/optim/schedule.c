/* The learning rate: a warm-up factor times the curve of the schedule. Both are functions of the
 * position in epochs alone, so that any step can be computed from nothing; a plateau's rate is the
 * one exception (plateau.c). What is given in steps or shares is multiplied out to epochs. */
#include <math.h>
#include <stddef.h>

#include "lockstep/optim.h"

const char *const schedule_unit_names[] = {"epochs", "share", "steps", NULL};

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

static const double pi = 3.14159265358979323846;

/* From `from` at part 0 to `to` at part 1. */
static double between(ScheduleShape shape, double from, double to, double part) {
    if (shape == SHAPE_LINEAR)
        return from + part * (to - from);
    return to + (from - to) * 0.5 * (1 + cos(part * pi));
}

/* The curve through value[i] at at[i], in epochs, constant outside. */
static double interpolate(ScheduleShape shape, int n, const double *at, const double *value,
                          double epoch) {
    if (epoch <= at[0])
        return value[0];
    for (int i = 0; i < n - 1; i++) {
        if (epoch < at[i + 1])
            return between(shape, value[i], value[i + 1], (epoch - at[i]) / (at[i + 1] - at[i]));
    }
    return value[n - 1];
}

static double piecewise(const Schedule *s, double epoch, int64_t steps_per_epoch) {
    double at[SCHEDULE_POINTS_MAX];
    for (int i = 0; i < s->n_points; i++)
        at[i] = point(s, i, steps_per_epoch);
    return interpolate(s->shape, s->n_points, at, s->point_value, epoch);
}

/* A cycle is a curve from 0 to each point; with `back` at the point where it is over, and `end` at
 * a third one, if there is one. */
static double cycle(const Schedule *s, double from, double peak, double back, double end,
                    double epoch, int64_t steps_per_epoch) {
    double at[4] = {0}, value[4] = {from, peak, s->n_points > 2 ? back : end, end};
    for (int i = 0; i < s->n_points; i++)
        at[i + 1] = point(s, i, steps_per_epoch);
    return interpolate(s->shape, s->n_points + 1, at, value, epoch);
}

static double cosine(const Schedule *s, double epoch, double warmup_end) {
    double length = s->total_epochs - warmup_end;
    double part = length > 0 ? (epoch - warmup_end) / length : 1;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    return s->lr_end + (s->lr - s->lr_end) * 0.5 * (1 + cos(part * pi));
}

/* Sums of lengths are off by rounding: a restart that falls on a step must come with it. */
static const double step_part = 1e-6;

Cycle schedule_cycle(const Schedule *s, double step, int64_t steps_per_epoch) {
    double per_epoch = (double)steps_per_epoch;
    double begin = schedule_warmup_end(s, steps_per_epoch) * per_epoch;
    double length = fmax(1, in_epochs(s, s->cycle, steps_per_epoch) * per_epoch);
    double reached = step + step_part;
    if (s->cycle_factor == 1 && reached > begin)
        begin += floor((reached - begin) / length) * length;
    for (; reached >= begin + length; length *= (double)s->cycle_factor)
        begin += length;
    return (Cycle){begin, begin + length};
}

static double warm_restarts(const Schedule *s, double epoch, int64_t steps_per_epoch) {
    double step = epoch * (double)steps_per_epoch;
    Cycle cycle = schedule_cycle(s, step, steps_per_epoch);
    double part = fmax(0, (step - cycle.begin) / (cycle.end - cycle.begin));
    return between(SHAPE_COSINE, s->lr, s->lr_end, part);
}

static double curve(const Schedule *s, const Plateau *plateau, double epoch,
                    int64_t steps_per_epoch) {
    double lr = s->lr;
    switch (s->kind) {
    case SCHEDULE_CONSTANT:
        return lr;
    case SCHEDULE_STEP:
        for (int i = 0; i < s->n_points && epoch >= point(s, i, steps_per_epoch); i++)
            lr *= s->gamma;
        return lr;
    case SCHEDULE_PIECEWISE:
        return lr * piecewise(s, epoch, steps_per_epoch);
    case SCHEDULE_COSINE:
        return cosine(s, epoch, schedule_warmup_end(s, steps_per_epoch));
    case SCHEDULE_ONE_CYCLE:
        return cycle(s, s->lr_start, lr, s->lr_start, s->lr_end, epoch, steps_per_epoch);
    case SCHEDULE_PLATEAU:
        return plateau ? plateau->lr : lr;
    case SCHEDULE_SGDR:
        return warm_restarts(s, epoch, steps_per_epoch);
    }
    return lr;
}

/* Epochs done before `step`, as the schedule counts them. */
static double position(const Schedule *s, int64_t step, int64_t steps_per_epoch) {
    if (s->by == SCHEDULE_BY_EPOCH)
        return (double)(step / steps_per_epoch);
    return (double)step / (double)steps_per_epoch;
}

double schedule_lr(const Schedule *schedule, const Plateau *plateau, int64_t step,
                   int64_t steps_per_epoch) {
    double epoch = position(schedule, step, steps_per_epoch);
    double warmup_end = schedule_warmup_end(schedule, steps_per_epoch);
    double factor = 1;
    if (epoch < warmup_end) {
        double start = schedule->warmup_start;
        factor = start + (1 - start) * epoch / warmup_end;
    }
    return factor * curve(schedule, plateau, epoch, steps_per_epoch);
}

double schedule_momentum(const Schedule *schedule, double momentum, int64_t step,
                         int64_t steps_per_epoch) {
    if (schedule->kind != SCHEDULE_ONE_CYCLE || schedule->momentum_low == 0)
        return momentum;
    return cycle(schedule, momentum, schedule->momentum_low, momentum, momentum,
                 position(schedule, step, steps_per_epoch), steps_per_epoch);
}

static bool has_points(const Schedule *s) {
    return s->n_points > 0 && (s->kind == SCHEDULE_STEP || s->kind == SCHEDULE_PIECEWISE ||
                               s->kind == SCHEDULE_ONE_CYCLE);
}

bool schedule_stretches(const Schedule *schedule) {
    bool lengths = has_points(schedule) || schedule->warmup > 0 || schedule->kind == SCHEDULE_SGDR;
    return schedule->kind == SCHEDULE_COSINE || (schedule->unit == SCHEDULE_SHARE && lengths);
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
    if (schedule->kind == SCHEDULE_SGDR)
        return end + in_epochs(schedule, schedule->cycle, steps_per_epoch);
    if (!has_points(schedule))
        return end;
    return fmax(end, point(schedule, schedule->n_points - 1, steps_per_epoch));
}
