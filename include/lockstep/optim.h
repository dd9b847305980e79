/* optim: the constants of each step (learning rate, bias corrections) as pure functions of the
 * step. Local.
 *
 * The arithmetic on parameters is the device's (DeviceOps.update). */
#ifndef LOCKSTEP_OPTIM_H
#define LOCKSTEP_OPTIM_H

#include "lockstep/update.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ScheduleKind {
    SCHEDULE_CONSTANT,
    SCHEDULE_STEP,      /* times `gamma` at each milestone */
    SCHEDULE_PIECEWISE, /* linear between points (epoch, lr), constant outside */
    SCHEDULE_COSINE     /* from lr to lr_end over the run, after warm-up */
} ScheduleKind;

/* What positions are counted in: epochs, steps, or shares (0 to 1) of total_epochs. */
typedef enum ScheduleUnit { SCHEDULE_EPOCHS, SCHEDULE_SHARE, SCHEDULE_STEPS } ScheduleUnit;

enum { SCHEDULE_POINTS_MAX = 16 };

/* Positions may be fractional. The warm-up factor multiplies the curve of every kind, also of
 * piecewise, which can draw its own. */
typedef struct Schedule {
    ScheduleKind kind;
    ScheduleUnit unit;    /* of point_at and warmup */
    double lr;            /* base learning rate; of piecewise: a factor on the points' values */
    double lr_end;        /* cosine */
    double gamma;         /* step */
    double warmup;        /* the factor rises linearly from warmup_start to 1 until here; 0: none */
    double warmup_epochs; /* the same in epochs, whatever the unit; one of the two is 0 */
    double warmup_start;  /* the factor at step 0 */
    double total_epochs;  /* what shares are of, and where cosine reaches lr_end; above 0 there */
    int n_points;         /* step: milestones (value NaN, unused); piecewise: points */
    double point_at[SCHEDULE_POINTS_MAX];
    double point_value[SCHEDULE_POINTS_MAX];
} Schedule;

/* Learning rate of `step` (from 0). */
double schedule_lr(const Schedule *schedule, int64_t step, int64_t steps_per_epoch);

/* Whether it is another schedule where total_epochs is another. */
bool schedule_stretches(const Schedule *schedule);

/* Where the warm-up ends, in epochs; 0: there is none. */
double schedule_warmup_end(const Schedule *schedule, int64_t steps_per_epoch);

/* Where the curve changes for the last time, in epochs; 0: it never does. */
double schedule_end(const Schedule *schedule, int64_t steps_per_epoch);

typedef struct Optimizer {
    OptimizerKind kind;
    bool nesterov;
    double momentum, beta1, beta2, eps;
    double weight_decay;
    bool decay_all;   /* also biases and batch-norm parameters */
    double clip_norm; /* L2 norm the whole gradient is clipped to; 0: no clipping */
    double ema_decay; /* 0: no moving average */
} Optimizer;

/* Slots of state a parameter has: 0 (sgd without momentum), 1 or 2. */
int optimizer_slots(const Optimizer *optimizer);

/* Name of slot i: "momentum", "exp_avg", "exp_avg_sq". */
const char *optimizer_slot_name(const Optimizer *optimizer, int i);

/* The constants of `step` (from 0). `grad_scale` as in Update. */
Update optimizer_update(const Optimizer *optimizer, int64_t step, double lr, double grad_scale);

#ifdef __cplusplus
}
#endif
#endif
