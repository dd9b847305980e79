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
    OPTIMIZER_RMSPROP,
    OPTIMIZER_LARS,
    OPTIMIZER_LAMB,
    OPTIMIZER_NONE /* weights stay; only their moving average goes on */
} OptimizerKind;

/* One step's constants of the optimizer; formulas as in PyTorch's torch.optim, the order of
 * operations and their precision as in update_math.h.
 * sgd:   g += decay w; m = (first step ? g : momentum m + g);
 *        w -= lr (nesterov ? g + momentum m : m)
 * adam:  g += decay w; adamw: w -= lr decay w; then m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2;
 *        w -= lr / correction1 * m / (sqrt(v) / sqrt(correction2) + eps)
 * muon:  of a matrix: m as sgd; u = nesterov ? g + momentum m : m; w *= rescale ? sqrt(rows) / |w|
 * : 1; w -= lr decay w; w -= lr X, with X near the orthogonal matrix nearest to u (below)
 * rmsprop: g += decay w; v = alpha v + (1-alpha) g^2; centered: a = alpha a + (1-alpha) g;
 *        u = g / (sqrt(v - a^2, or v) + eps); m = momentum m + u; w -= lr m
 * lars:  m = momentum m + lr trust (g + decay w); w -= m (You, Gitman, Ginsburg 2017)
 * lamb:  m, v as adam; u = m^ / (sqrt(v^) + eps) + decay w; w -= lr trust u (You et al. 2020)
 * none:  frozen
 * trust: of a tensor of two or more dimensions, lars: trust_coefficient |w| / (|g| + decay |w| +
 * eps), lamb: |w| / |u|; 1 where |w|, or the other norm, is 0, and of a vector
 * ema (where present): e = ema_decay e + (1 - ema_decay) w */
typedef struct Update {
    OptimizerKind kind;
    bool nesterov;
    bool first; /* the very first step of the run */
    bool centered;
    double lr, momentum, beta1, beta2, eps, alpha, trust_coefficient;
    double correction1, correction2; /* 1 - beta^t, t counted from 1 */
    double ema_decay;
    int64_t muon_steps; /* iterations; */
    bool muon_rescale;
    /* the gradient is multiplied by this first: 2^-k of the exact sum times clipping */
    double grad_scale;
} Update;

/* momentum; or first and second moment; of rmsprop momentum, mean of squares and mean. */
enum { UPDATE_SLOTS = 3 };

/* A contiguous range of the flat buffers for one update. `fixed` (exact sum) or `real` (native) is
 * set. */
typedef struct UpdateRange {
    int64_t count;
    void *weight;             /* real[count] */
    const int64_t *fixed;     /* gradient as a fixed-point sum over lanes */
    const void *real;         /* gradient as real[count] */
    void *slot[UPDATE_SLOTS]; /* NULL: the optimizer has none */
    void *ema;                /* or NULL */
    double decay;             /* weight decay of this range, 0 for spared parameters */
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

/* Whether tensors of two or more dimensions are updated each as a whole: as matrices, or by norms.
 */
static inline bool update_is_whole(OptimizerKind kind) {
    return kind == OPTIMIZER_MUON || kind == OPTIMIZER_LARS || kind == OPTIMIZER_LAMB;
}

/* Elements that the update of such a tensor needs beside it; lamb: u. */
static inline int64_t update_scratch(OptimizerKind kind, int64_t rows, int64_t cols) {
    if (kind == OPTIMIZER_MUON)
        return muon_scratch(rows, cols);
    return kind == OPTIMIZER_LAMB ? rows * cols : 0;
}

/* Elements of one partial sum of squares (gradient norm): fixed, so that bits do not depend on
 * threads. */
enum { NORM_CHUNK = 4096 };

#endif
