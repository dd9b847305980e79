/* The learning rate: a warm-up factor times the curve of the schedule, both functions of the
 * position in epochs alone, so that any step can be computed from nothing. */
#include <math.h>

#include "lockstep/optim.h"

static double interpolate(const Schedule *s, double epoch) {
    int last = s->n_points - 1;
    if (last < 0)
        return 1;
    if (epoch <= s->point_epoch[0])
        return s->point_value[0];
    for (int i = 0; i < last; i++) {
        double begin = s->point_epoch[i], end = s->point_epoch[i + 1];
        if (epoch < end) {
            double part = (epoch - begin) / (end - begin);
            return s->point_value[i] + part * (s->point_value[i + 1] - s->point_value[i]);
        }
    }
    return s->point_value[last];
}

static double cosine(const Schedule *s, double epoch) {
    double length = s->total_epochs - s->warmup_epochs;
    double part = length > 0 ? (epoch - s->warmup_epochs) / length : 1;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    return s->lr_end + (s->lr - s->lr_end) * 0.5 * (1 + cos(part * 3.14159265358979323846));
}

static double curve(const Schedule *s, double epoch) {
    double lr = s->lr;
    switch (s->kind) {
    case SCHEDULE_CONSTANT:
        return lr;
    case SCHEDULE_STEP:
        for (int i = 0; i < s->n_points && epoch >= s->point_epoch[i]; i++)
            lr *= s->gamma;
        return lr;
    case SCHEDULE_PIECEWISE:
        return lr * interpolate(s, epoch);
    case SCHEDULE_COSINE:
        return cosine(s, epoch);
    }
    return lr;
}

double schedule_lr(const Schedule *schedule, int64_t step, int64_t steps_per_epoch) {
    double epoch = (double)step / (double)steps_per_epoch;
    double factor = 1;
    if (epoch < schedule->warmup_epochs) {
        double start = schedule->warmup_start;
        factor = start + (1 - start) * epoch / schedule->warmup_epochs;
    }
    return factor * curve(schedule, epoch);
}
