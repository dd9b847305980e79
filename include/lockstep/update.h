/* update: what the optimizer does to a range of the flat buffers in one step. The arithmetic is in
 * update_math.h. Header only. Local. */
#ifndef LOCKSTEP_UPDATE_H
#define LOCKSTEP_UPDATE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum OptimizerKind {
    OPTIMIZER_SGD,
    OPTIMIZER_ADAM,
    OPTIMIZER_ADAMW,
    OPTIMIZER_NONE /* weights stay; only their moving average goes on */
} OptimizerKind;

/* One step's constants of the optimizer; formulas as in PyTorch's torch.optim, the order of
 * operations and their precision as in update_math.h.
 * sgd:   g += decay w; m = (first step ? g : momentum m + g);
 *        w -= lr (nesterov ? g + momentum m : m)
 * adam:  g += decay w; adamw: w -= lr decay w; then m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2;
 *        w -= lr / correction1 * m / (sqrt(v) / sqrt(correction2) + eps)
 * none:  frozen
 * ema (where present): e = ema_decay e + (1 - ema_decay) w */
typedef struct Update {
    OptimizerKind kind;
    bool nesterov;
    bool first; /* the very first step of the run */
    double lr, momentum, beta1, beta2, eps;
    double correction1, correction2; /* 1 - beta^t, t counted from 1 */
    double ema_decay;
    /* the gradient is multiplied by this first: 2^-k of the exact sum times clipping */
    double grad_scale;
} Update;

/* A contiguous range of the flat buffers for one update. `fixed` (exact sum) or `real` (native) is
 * set. */
typedef struct UpdateRange {
    int64_t count;
    void *weight;         /* real[count] */
    const int64_t *fixed; /* gradient as a fixed-point sum over lanes */
    const void *real;     /* gradient as real[count] */
    void *slot[2]; /* momentum; or first and second moment; NULL where the optimizer has none */
    void *ema;     /* or NULL */
    double decay;  /* weight decay of this range, 0 for spared parameters */
} UpdateRange;

/* Elements of one partial sum of squares (gradient norm): fixed, so that bits do not depend on
 * threads. */
enum { NORM_CHUNK = 4096 };

#endif
