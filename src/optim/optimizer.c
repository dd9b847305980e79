/* Which state an optimizer keeps, and the constants of one step. */
#include <math.h>
#include <stddef.h>

#include "lockstep/optim.h"

const char *const optimizer_names[] = {"sgd",     "adam", "adamw", "muon",
                                       "rmsprop", "lars", "lamb",  NULL};

/* Whether it has a momentum; else it has beta1. */
static bool has_momentum(const Optimizer *optimizer) {
    switch (optimizer->kind) {
    case OPTIMIZER_SGD:
    case OPTIMIZER_MUON:
    case OPTIMIZER_RMSPROP:
    case OPTIMIZER_LARS:
        return true;
    default:
        return false;
    }
}

bool optimizer_is_nesterov(const Optimizer *optimizer) {
    return optimizer->nesterov &&
           (optimizer->kind == OPTIMIZER_SGD || optimizer->kind == OPTIMIZER_MUON);
}

const char *optimizer_slot_name(const Optimizer *optimizer, int i) {
    static const char *const moments[UPDATE_SLOTS] = {"exp_avg", "exp_avg_sq", NULL};
    if (i < 0 || i >= UPDATE_SLOTS)
        return NULL;
    if (!has_momentum(optimizer))
        return moments[i];
    if (i == 0)
        return optimizer->momentum != 0 ? "momentum" : NULL;
    if (optimizer->kind != OPTIMIZER_RMSPROP)
        return NULL;
    return i == 1 ? "square_avg" : optimizer->centered ? "grad_avg" : NULL;
}

Rates schedule_rates(const Schedule *schedule, const Plateau *plateau, const Optimizer *optimizer,
                     int64_t step, int64_t steps_per_epoch) {
    double momentum = has_momentum(optimizer) ? optimizer->momentum : optimizer->beta1;
    return (Rates){.lr = schedule_lr(schedule, plateau, step, steps_per_epoch),
                   .momentum = schedule_momentum(schedule, momentum, step, steps_per_epoch)};
}

Update optimizer_update(const Optimizer *optimizer, int64_t step, Rates rates, double grad_scale) {
    bool momentum = has_momentum(optimizer);
    double beta1 = momentum ? optimizer->beta1 : rates.momentum;
    double t = (double)(step + 1);
    return (Update){
        .kind = optimizer->kind,
        .nesterov = optimizer->nesterov,
        .first = step == 0,
        .lr = rates.lr,
        .momentum = momentum ? rates.momentum : optimizer->momentum,
        .beta1 = beta1,
        .beta2 = optimizer->beta2,
        .eps = optimizer->eps,
        .alpha = optimizer->alpha,
        .centered = optimizer->centered,
        .trust_coefficient = optimizer->trust_coefficient,
        .correction1 = 1 - pow(beta1, t),
        .correction2 = 1 - pow(optimizer->beta2, t),
        .ema_decay = optimizer->ema_decay,
        .muon_steps = optimizer->muon_steps,
        .muon_rescale = optimizer->muon_rescale,
        .grad_scale = grad_scale,
    };
}
