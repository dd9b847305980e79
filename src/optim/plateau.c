/* A learning rate that falls where evaluations do not get better. The order of things is that of
 * PyTorch's ReduceLROnPlateau, so that recipes can be taken over. */
#include <math.h>

#include "lockstep/optim.h"

/* A fall by less is none. */
static const double least_fall = 1e-8;

Plateau plateau_begin(const Schedule *schedule, bool higher) {
    return (Plateau){.lr = schedule->lr, .best = higher ? -INFINITY : INFINITY};
}

static bool better(const Plateau *plateau, const Schedule *schedule, bool higher, double value) {
    double by = schedule->threshold, best = plateau->best;
    if (schedule->threshold_mode == THRESHOLD_RELATIVE)
        return higher ? value > best * (1 + by) : value < best * (1 - by);
    return higher ? value > best + by : value < best - by;
}

bool plateau_add(Plateau *plateau, const Schedule *schedule, bool higher, double value) {
    if (better(plateau, schedule, higher, value)) {
        plateau->best = value;
        plateau->bad = 0;
    } else {
        plateau->bad++;
    }
    if (plateau->cooldown > 0) {
        plateau->cooldown--;
        plateau->bad = 0;
    }
    if (plateau->bad <= schedule->patience)
        return false;
    double lr = fmax(plateau->lr * schedule->gamma, schedule->lr_end);
    bool falls = plateau->lr - lr > least_fall;
    if (falls)
        plateau->lr = lr;
    plateau->cooldown = schedule->cooldown;
    plateau->bad = 0;
    return falls;
}
