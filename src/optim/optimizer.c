/* Which state an optimizer keeps, and the constants of one step. */
#include <math.h>
#include <stddef.h>

#include "lockstep/optim.h"

const char *const optimizer_names[] = {"sgd", "adam", "adamw", "muon", NULL};

/* Whether its one state is a momentum. */
static bool has_momentum(const Optimizer *optimizer) {
    return optimizer->kind == OPTIMIZER_SGD || optimizer->kind == OPTIMIZER_MUON;
}

int optimizer_slots(const Optimizer *optimizer) {
    if (has_momentum(optimizer))
        return optimizer->momentum != 0 ? 1 : 0;
    return 2;
}

const char *optimizer_slot_name(const Optimizer *optimizer, int i) {
    static const char *const moments[2] = {"exp_avg", "exp_avg_sq"};
    if (i < 0 || i >= optimizer_slots(optimizer))
        return NULL;
    return has_momentum(optimizer) ? "momentum" : moments[i];
}

Rates schedule_rates(const Schedule *schedule, const Plateau *plateau, const Optimizer *optimizer,
                     int64_t step, int64_t steps_per_epoch) {
    double momentum = has_momentum(optimizer) ? optimizer->momentum : optimizer->beta1;
    return (Rates){.lr = schedule_lr(schedule, plateau, step, steps_per_epoch),
                   .momentum = schedule_momentum(schedule, momentum, step, steps_per_epoch)};
}

Update optimizer_update(const Optimizer *optimizer, int64_t step, Rates rates, double grad_scale) {
    bool sgd = has_momentum(optimizer);
    double beta1 = sgd ? optimizer->beta1 : rates.momentum;
    double t = (double)(step + 1);
    return (Update){
        .kind = optimizer->kind,
        .nesterov = optimizer->nesterov,
        .first = step == 0,
        .lr = rates.lr,
        .momentum = sgd ? rates.momentum : optimizer->momentum,
        .beta1 = beta1,
        .beta2 = optimizer->beta2,
        .eps = optimizer->eps,
        .correction1 = 1 - pow(beta1, t),
        .correction2 = 1 - pow(optimizer->beta2, t),
        .ema_decay = optimizer->ema_decay,
        .muon_steps = optimizer->muon_steps,
        .muon_rescale = optimizer->muon_rescale,
        .grad_scale = grad_scale,
    };
}
