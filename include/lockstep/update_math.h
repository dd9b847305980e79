/* update_math: the arithmetic of the optimizers on one element. One text for every backend, so that
 * the same gradient gives the same weights bit for bit. Header only. Local.
 *
 * UPDATE_REAL names the element type (`real` of device.h); a file that wants another than float
 * defines it before it includes this header. Constants are combined in double and rounded to `real`
 * once (update_terms); the gradient is scaled in double and rounded once (update_gradient_*); all
 * the rest is in `real`, one rounding an operation, in the order written here. Compile it without
 * contraction to fused multiply-adds (-ffp-contract=off).
 *
 * Slots start zeroed. Zero weights with zero gradients stay zero (the gaps between parameters),
 * given eps > 0. Loops over a range should not branch inside: the choices in UpdateTerms are
 * uniform over a range, and a compiler vectorises them once the optimizer's kind is hoisted. */
#ifndef LOCKSTEP_UPDATE_MATH_H
#define LOCKSTEP_UPDATE_MATH_H

#include <math.h>

#include "lockstep/update.h"

#ifndef UPDATE_REAL
#define UPDATE_REAL float
#endif

#ifdef __CUDACC__
#define UPDATE_FN static __host__ __device__ inline
#else
#define UPDATE_FN static inline
#endif

/* The constants of one range in one step, in `real`. */
typedef struct UpdateTerms {
    UPDATE_REAL lr;
    UPDATE_REAL l2;     /* sgd, adam, rmsprop, lars: g += l2 w; lamb: u += l2 w */
    UPDATE_REAL shrink; /* adamw, muon: w -= shrink w; lr * decay */
    UPDATE_REAL momentum;
    UPDATE_REAL keep_momentum;              /* of the old m: momentum, 0 in the first step */
    UPDATE_REAL beta1, rest1, beta2, rest2; /* rest = 1 - beta */
    UPDATE_REAL rate;                       /* adam, adamw: lr / correction1 */
    UPDATE_REAL lift;                       /* lamb: 1 / correction1 */
    UPDATE_REAL root2;                      /* sqrt(correction2) */
    UPDATE_REAL eps;
    UPDATE_REAL alpha, rest; /* rmsprop; rest = 1 - alpha */
    UPDATE_REAL ema_keep, ema_rest;
    int nesterov, centered;
} UpdateTerms;

UPDATE_FN UpdateTerms update_terms(const Update *update, double decay) {
    UpdateTerms t;
    int decoupled = update->kind == OPTIMIZER_ADAMW || update->kind == OPTIMIZER_MUON;
    t.lr = (UPDATE_REAL)update->lr;
    t.l2 = (UPDATE_REAL)(decoupled ? 0.0 : decay);
    t.shrink = (UPDATE_REAL)(decoupled ? update->lr * decay : 0.0);
    t.momentum = (UPDATE_REAL)update->momentum;
    t.keep_momentum = (UPDATE_REAL)(update->first ? 0.0 : update->momentum);
    t.beta1 = (UPDATE_REAL)update->beta1;
    t.rest1 = (UPDATE_REAL)(1.0 - update->beta1);
    t.beta2 = (UPDATE_REAL)update->beta2;
    t.rest2 = (UPDATE_REAL)(1.0 - update->beta2);
    t.rate = (UPDATE_REAL)(update->lr / update->correction1);
    t.lift = (UPDATE_REAL)(1 / update->correction1);
    t.root2 = (UPDATE_REAL)sqrt(update->correction2);
    t.eps = (UPDATE_REAL)update->eps;
    t.alpha = (UPDATE_REAL)update->alpha;
    t.rest = (UPDATE_REAL)(1.0 - update->alpha);
    t.ema_keep = (UPDATE_REAL)update->ema_decay;
    t.ema_rest = (UPDATE_REAL)(1.0 - update->ema_decay);
    t.nesterov = update->nesterov;
    t.centered = update->centered;
    return t;
}

/* The gradient of an element from its exact sum, or from its native one. */
UPDATE_FN UPDATE_REAL update_gradient_fixed(int64_t fixed, double grad_scale) {
    return (UPDATE_REAL)((double)fixed * grad_scale);
}
UPDATE_FN UPDATE_REAL update_gradient_real(UPDATE_REAL gradient, double grad_scale) {
    return (UPDATE_REAL)((double)gradient * grad_scale);
}

/* sgd. Without momentum (no slot) *m is a fresh variable that holds 0. */
UPDATE_FN void update_sgd(const UpdateTerms *t, UPDATE_REAL g, UPDATE_REAL *w, UPDATE_REAL *m) {
    UPDATE_REAL velocity;
    g = g + t->l2 * *w;
    velocity = t->keep_momentum * *m + g;
    *m = velocity;
    *w = *w - t->lr * (t->nesterov ? g + t->momentum * velocity : velocity);
}

/* muon: the direction that a matrix is made orthogonal of. Without momentum as update_sgd. */
UPDATE_FN UPDATE_REAL update_muon_direction(const UpdateTerms *t, UPDATE_REAL g, UPDATE_REAL *m) {
    UPDATE_REAL velocity = t->keep_momentum * *m + g;
    *m = velocity;
    return t->nesterov ? g + t->momentum * velocity : velocity;
}

/* And the step along it; `factor` rescales the weight first. */
UPDATE_FN void update_muon(const UpdateTerms *t, UPDATE_REAL factor, UPDATE_REAL x,
                           UPDATE_REAL *w) {
    UPDATE_REAL scaled = factor * *w;
    *w = (scaled - t->shrink * scaled) - t->lr * x;
}

UPDATE_FN UPDATE_REAL update_root(UPDATE_REAL x) {
    return sizeof(UPDATE_REAL) == sizeof(float) ? (UPDATE_REAL)sqrtf((float)x)
                                                : (UPDATE_REAL)sqrt((double)x);
}

/* The two moments of adam, adamw and lamb. */
UPDATE_FN void update_moments(const UpdateTerms *t, UPDATE_REAL g, UPDATE_REAL *m, UPDATE_REAL *v) {
    *m = t->beta1 * *m + t->rest1 * g;
    *v = t->beta2 * *v + t->rest2 * g * g;
}

/* adam and adamw: the terms of the other one's decay are 0. */
UPDATE_FN void update_adam(const UpdateTerms *t, UPDATE_REAL g, UPDATE_REAL *w, UPDATE_REAL *m,
                           UPDATE_REAL *v) {
    g = g + t->l2 * *w;
    update_moments(t, g, m, v);
    *w = (*w - t->shrink * *w) - t->rate * (*m / (update_root(*v) / t->root2 + t->eps));
}

/* rmsprop. Without momentum as update_sgd; *a, the mean, is of `centered` alone. Rounding may leave
 * a variance below 0: it counts as 0. */
UPDATE_FN void update_rmsprop(const UpdateTerms *t, UPDATE_REAL g, UPDATE_REAL *w, UPDATE_REAL *m,
                              UPDATE_REAL *v, UPDATE_REAL *a) {
    UPDATE_REAL square, mean, spread, velocity;
    g = g + t->l2 * *w;
    square = t->alpha * *v + t->rest * g * g;
    mean = t->alpha * *a + t->rest * g;
    spread = t->centered ? square - mean * mean : square;
    spread = spread < 0 ? 0 : spread;
    velocity = t->keep_momentum * *m + g / (update_root(spread) + t->eps);
    *m = velocity;
    *v = square;
    *a = mean;
    *w = *w - t->lr * velocity;
}

/* lars; t->lr is lr times the trust ratio. Without momentum as update_sgd. */
UPDATE_FN void update_lars(const UpdateTerms *t, UPDATE_REAL g, UPDATE_REAL *w, UPDATE_REAL *m) {
    UPDATE_REAL velocity = t->keep_momentum * *m + t->lr * (g + t->l2 * *w);
    *m = velocity;
    *w = *w - velocity;
}

/* lamb: the direction of the step. */
UPDATE_FN UPDATE_REAL update_lamb_direction(const UpdateTerms *t, UPDATE_REAL g, UPDATE_REAL w,
                                            UPDATE_REAL *m, UPDATE_REAL *v) {
    update_moments(t, g, m, v);
    return t->lift * *m / (update_root(*v) / t->root2 + t->eps) + t->l2 * w;
}

/* And the step along it; t->lr is lr times the trust ratio. */
UPDATE_FN void update_lamb(const UpdateTerms *t, UPDATE_REAL u, UPDATE_REAL *w) {
    *w = *w - t->lr * u;
}

/* lars, lamb: lr times the trust ratio, from sums of squares of the tensor's weights and of lars
 * its gradient, of lamb the direction. */
UPDATE_FN double update_trusted_rate(const Update *update, double decay, double weights,
                                     double others) {
    double w = sqrt(weights), other = sqrt(others);
    if (!(w > 0) || !(other > 0))
        return update->lr;
    if (update->kind == OPTIMIZER_LAMB)
        return update->lr * (w / other);
    return update->lr * (update->trust_coefficient * w / (other + decay * w + update->eps));
}

/* Moving average of the weights, after their update. */
UPDATE_FN void update_ema(const UpdateTerms *t, UPDATE_REAL w, UPDATE_REAL *e) {
    *e = t->ema_keep * *e + t->ema_rest * w;
}

/* Lookahead: the slow weight follows the fast one, which goes back to it. */
UPDATE_FN void update_lookahead(UPDATE_REAL alpha, UPDATE_REAL *slow, UPDATE_REAL *fast) {
    UPDATE_REAL moved = *slow + alpha * (*fast - *slow);
    *slow = moved;
    *fast = moved;
}

#undef UPDATE_FN
#endif
