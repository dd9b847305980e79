/* optim: the constants of each step (learning rate, momentum, bias corrections) as functions of the
 * step and, for a plateau alone, of the evaluations before it. Local.
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
    SCHEDULE_PIECEWISE, /* between points (position, share of lr), constant outside */
    SCHEDULE_COSINE,    /* from lr to lr_end over the run, after warm-up */
    /* lr_start, lr at point 0, lr_end at point 1; of three points lr_start at the second and lr_end
     * at the third; momentum the other way */
    SCHEDULE_ONE_CYCLE,
    SCHEDULE_PLATEAU, /* times `gamma` where evaluations do not get better: Plateau */
    /* SGDR (Loshchilov, Hutter 2017): from lr to lr_end again and again, after warm-up */
    SCHEDULE_SGDR
} ScheduleKind;

/* All steps of an epoch may have the rates of its first one. */
typedef enum ScheduleBy { SCHEDULE_BY_STEP, SCHEDULE_BY_EPOCH } ScheduleBy;

/* How the curve goes between points of piecewise and one-cycle. */
typedef enum ScheduleShape { SHAPE_LINEAR, SHAPE_COSINE } ScheduleShape;
typedef enum ThresholdMode { THRESHOLD_RELATIVE, THRESHOLD_ABSOLUTE } ThresholdMode;

/* What positions are counted in: epochs, steps, or shares (0 to 1) of total_epochs. */
typedef enum ScheduleUnit { SCHEDULE_EPOCHS, SCHEDULE_SHARE, SCHEDULE_STEPS } ScheduleUnit;
extern const char *const schedule_unit_names[]; /* as text has them; ended by NULL */

enum { SCHEDULE_POINTS_MAX = 16 };

/* Positions may be fractional. The warm-up factor multiplies the curve of every kind, also of
 * piecewise, which can draw its own. */
typedef struct Schedule {
    ScheduleKind kind;
    ScheduleUnit unit; /* of point_at, warmup and cycle */
    ScheduleBy by;
    ScheduleShape shape;
    double lr;           /* base learning rate; of piecewise: a factor on the points' values */
    double lr_start;     /* one-cycle */
    double lr_end;       /* cosine, one-cycle, warm restarts; plateau: the lowest */
    double momentum_low; /* one-cycle: at point 0; 0: momentum stays as it is */
    double gamma;        /* step, plateau */
    int64_t patience;    /* plateau: evaluations that may be no better before the rate falls */
    int64_t cooldown;    /* plateau: evaluations after a fall that do not count */
    double threshold;    /* plateau: by how much better is better */
    ThresholdMode threshold_mode;
    double warmup;        /* the factor rises linearly from warmup_start to 1 until here; 0: none */
    double warmup_epochs; /* the same in epochs, whatever the unit; one of the two is 0 */
    double warmup_start;  /* the factor at step 0 */
    double cycle;         /* warm restarts: length of the first cycle */
    int64_t cycle_factor; /* of each later one, in lengths of the one before it */
    double total_epochs;  /* what shares are of, and where cosine reaches lr_end; above 0 there */
    int n_points;         /* step: milestones (value NaN, unused); piecewise: points */
    double point_at[SCHEDULE_POINTS_MAX];
    double point_value[SCHEDULE_POINTS_MAX];
} Schedule;

/* What a plateau knows of the evaluations so far: PyTorch's ReduceLROnPlateau. */
typedef struct Plateau {
    double lr;        /* that the steps have from now on, but for warm-up */
    double best;      /* the best value so far */
    int64_t bad;      /* evaluations since that were no better */
    int64_t cooldown; /* evaluations that do not count yet */
} Plateau;

/* Before the first evaluation. `higher`: a higher value is better. */
Plateau plateau_begin(const Schedule *schedule, bool higher);

/* Takes an evaluation into account; NaN is no better than anything. True where the rate falls. */
bool plateau_add(Plateau *plateau, const Schedule *schedule, bool higher, double value);

/* Learning rate of `step` (from 0). `plateau`: of a schedule of that kind, NULL: it stands at the
 * beginning. */
double schedule_lr(const Schedule *schedule, const Plateau *plateau, int64_t step,
                   int64_t steps_per_epoch);

/* What is `momentum` (of sgd) or beta1 without a schedule, in step `step`. */
double schedule_momentum(const Schedule *schedule, double momentum, int64_t step,
                         int64_t steps_per_epoch);

/* Whether it is another schedule where total_epochs is another. */
bool schedule_stretches(const Schedule *schedule);

/* Where the warm-up ends, in epochs; 0: there is none. */
double schedule_warmup_end(const Schedule *schedule, int64_t steps_per_epoch);

/* Where the curve changes for the last time, in epochs; 0: it never does. Of warm restarts: where
 * the first cycle ends. */
double schedule_end(const Schedule *schedule, int64_t steps_per_epoch);

/* A cycle of warm restarts, in steps from the run's beginning. */
typedef struct Cycle {
    double begin, end;
} Cycle;

/* The cycle that a step is in, or will be once the warm-up is over. None is shorter than a step. */
Cycle schedule_cycle(const Schedule *schedule, double step, int64_t steps_per_epoch);

/* Lookahead (Zhang, Lucas, Hinton, Ba 2019): slow weights follow the trained ones, and these go
 * back to them: slow += alpha (fast - slow); fast = slow. Batch norm's running statistics likewise.
 */
typedef struct Lookahead {
    int64_t every;       /* steps; 0: none */
    double decay, power; /* alpha = 1 - decay (t / T)^power after t of T steps */
} Lookahead;

/* Steps of a run of so many epochs. */
int64_t lookahead_length(double total_epochs, int64_t steps_per_epoch);

/* Whether the weights go back when `done` of `length` steps are done, and with which alpha: in the
 * last step always, with 0 unless that is a step of its own. */
bool lookahead_due(const Lookahead *lookahead, int64_t done, int64_t length, double *alpha);

typedef struct Optimizer {
    OptimizerKind kind;
    bool nesterov;
    double momentum, beta1, beta2, eps;
    double alpha; /* rmsprop: decay of the means of squares and gradients */
    bool centered;
    double trust_coefficient; /* lars */
    double weight_decay;
    bool decay_all;   /* also biases and batch-norm parameters */
    double clip_norm; /* L2 norm the whole gradient is clipped to; 0: no clipping */
    double ema_decay; /* 0: no moving average */
    int64_t muon_steps;
    bool muon_rescale; /* weights have the length sqrt(rows) before each step */
    Lookahead lookahead;
} Optimizer;

/* As text has them, by OptimizerKind; ended by NULL. */
extern const char *const optimizer_names[];

/* Name of the state in slot i below UPDATE_SLOTS: "momentum", "exp_avg", "exp_avg_sq",
 * "square_avg", "grad_avg"; a name is in the same slot whatever the optimizer. NULL: it has none
 * there. */
const char *optimizer_slot_name(const Optimizer *optimizer, int i);

/* Whether it looks ahead along its momentum. */
bool optimizer_is_nesterov(const Optimizer *optimizer);

/* What a schedule decides of a step. */
typedef struct Rates {
    double lr;
    double momentum; /* of adam, adamw and lamb: beta1 */
} Rates;

Rates schedule_rates(const Schedule *schedule, const Plateau *plateau, const Optimizer *optimizer,
                     int64_t step, int64_t steps_per_epoch);

/* The constants of `step` (from 0). `grad_scale` as in Update. */
Update optimizer_update(const Optimizer *optimizer, int64_t step, Rates rates, double grad_scale);

#ifdef __cplusplus
}
#endif
#endif
