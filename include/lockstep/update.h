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
    OPTIMIZER_MUON,
    OPTIMIZER_NONE /* weights stay; only their moving average goes on */
} OptimizerKind;

/* One step's constants of the optimizer; formulas as in PyTorch's torch.optim, the order of
 * operations and their precision as in update_math.h.
 * sgd:   g += decay w; m = (first step ? g : momentum m + g);
 *        w -= lr (nesterov ? g + momentum m : m)
 * adam:  g += decay w; adamw: w -= lr decay w; then m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2;
 *        w -= lr / correction1 * m / (sqrt(v) / sqrt(correction2) + eps)
 * muon:  of a matrix: m as sgd; u = nesterov ? g + momentum m : m; w *= rescale ? sqrt(rows) / |w|
 * : 1; w -= lr decay w; w -= lr X, with X near the orthogonal matrix nearest to u (below) none:
 * frozen ema (where present): e = ema_decay e + (1 - ema_decay) w */
typedef struct Update {
    OptimizerKind kind;
    bool nesterov;
    bool first; /* the very first step of the run */
    double lr, momentum, beta1, beta2, eps;
    double correction1, correction2; /* 1 - beta^t, t counted from 1 */
    double ema_decay;
    int64_t muon_steps; /* iterations; */
    bool muon_rescale;
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

/* Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon): X = u / (|u| + eps), then `steps`
 * times A = X X^T, X = a X + (b A + c A A) X, of the transposed where a matrix has more rows than
 * columns. |.| is the square root of the sum of squares. All products are in fp32, where
 * the published programs have bfloat16. */
static const double muon_a = 3.4445, muon_b = -4.7750, muon_c = 2.0315, muon_eps = 1e-7;

/* Elements that an update of a matrix needs: X and A, each twice. */
static inline int64_t muon_scratch(int64_t rows, int64_t cols) {
    int64_t least = rows < cols ? rows : cols;
    return 2 * rows * cols + 2 * least * least;
}

/* Elements of one partial sum of squares (gradient norm): fixed, so that bits do not depend on
 * threads. */
enum { NORM_CHUNK = 4096 };

#endif
