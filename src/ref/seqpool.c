/* ref/seqpool: y[c] = sum over tokens of share_l x[c,l], share = softmax(score), score_l = bias +
 * sum over channels of weight_c x[c,l]. */
#include <math.h>

#include "ref.h"

/* Of a token; scratch[N L] in backward. */
typedef struct Weighed {
    double share, grad_score;
} Weighed;

static Status seqpool_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    Shape s = desc->in[0].shape;
    TRY(REF(plan_new)(&REF(op_seqpool), desc, 0, plan));
    (*plan)->scratch_bytes = (size_t)(s.n * s.h * s.w) * sizeof(Weighed);
    (*plan)->backward_reads_in = true;
    return ST_OK;
}

static double score_of(const OpBound *bound, int64_t n, int64_t l) {
    Shape s = bound->memory.in[0].shape;
    const real *x = bound->memory.in[0].data, *weight = bound->memory.param[0].data;
    double score = ((const real *)bound->memory.param[1].data)[0];
    for (int64_t c = 0; c < s.c; c++)
        score += (double)weight[c] * x[ref_at(s, n, c, 0, l)];
    return score;
}

/* Of an image: what its tokens' shares are divided by, and taken less in the exponent. */
typedef struct Softmax {
    double top, sum;
} Softmax;

static Softmax softmax_of(const OpBound *bound, int64_t n) {
    Shape s = bound->memory.in[0].shape;
    Softmax softmax = {score_of(bound, n, 0), 0};
    for (int64_t l = 1; l < s.h * s.w; l++)
        softmax.top = fmax(softmax.top, score_of(bound, n, l));
    for (int64_t l = 0; l < s.h * s.w; l++)
        softmax.sum += exp(score_of(bound, n, l) - softmax.top);
    return softmax;
}

static double share_of(const OpBound *bound, Softmax softmax, int64_t n, int64_t l) {
    return exp(score_of(bound, n, l) - softmax.top) / softmax.sum;
}

static Status seqpool_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    Shape s = bound->memory.in[0].shape;
    const real *x = bound->memory.in[0].data;
    real *y = bound->memory.out.data;
    for (int64_t n = 0; n < s.n; n++) {
        Softmax softmax = softmax_of(bound, n);
        for (int64_t c = 0; c < s.c; c++) {
            double sum = 0;
            for (int64_t l = 0; l < s.h * s.w; l++)
                sum += share_of(bound, softmax, n, l) * x[ref_at(s, n, c, 0, l)];
            y[n * s.c + c] = (real)sum;
        }
    }
    return ST_OK;
}

/* sum over channels of g x of one token: the gradient of its share. */
static double share_gradient(const OpBound *bound, int64_t n, int64_t l) {
    Shape s = bound->memory.in[0].shape;
    const real *x = bound->memory.in[0].data, *g = bound->memory.grad_out.data;
    double sum = 0;
    for (int64_t c = 0; c < s.c; c++)
        sum += (double)g[n * s.c + c] * x[ref_at(s, n, c, 0, l)];
    return sum;
}

/* grad_score_l = share_l (d_l - sum over tokens of share d), d being the gradient of the share. */
static void weigh(const OpBound *bound, int64_t n, Weighed *token) {
    Shape s = bound->memory.in[0].shape;
    Softmax softmax = softmax_of(bound, n);
    double mean = 0;
    for (int64_t l = 0; l < s.h * s.w; l++) {
        token[l].share = share_of(bound, softmax, n, l);
        mean += token[l].share * share_gradient(bound, n, l);
    }
    for (int64_t l = 0; l < s.h * s.w; l++)
        token[l].grad_score = token[l].share * (share_gradient(bound, n, l) - mean);
}

/* Of weight and bias: those of a linear layer, summed over all tokens. */
static void parameters_backward(const OpBound *bound, const Weighed *token) {
    Shape s = bound->memory.in[0].shape;
    int64_t map = s.h * s.w;
    const real *x = bound->memory.in[0].data;
    real *grad_weight = bound->memory.grad_param[0].data;
    real *grad_bias = bound->memory.grad_param[1].data;
    for (int64_t c = 0; c < s.c; c++) {
        double sum = 0;
        for (int64_t i = 0; i < s.n * map; i++)
            sum += token[i].grad_score * x[ref_at(s, i / map, c, 0, i % map)];
        grad_weight[c] = (real)sum;
    }
    double sum = 0;
    for (int64_t i = 0; i < s.n * map; i++)
        sum += token[i].grad_score;
    grad_bias[0] = (real)sum;
}

static Status seqpool_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    GradMode mode = bound->plan->desc.grad_in[0];
    Shape s = bound->memory.in[0].shape;
    int64_t map = s.h * s.w;
    const real *g = bound->memory.grad_out.data, *weight = bound->memory.param[0].data;
    real *grad_x = bound->memory.grad_in[0].data;
    Weighed *token = bound->memory.scratch;
    for (int64_t n = 0; n < s.n; n++)
        weigh(bound, n, token + n * map);
    parameters_backward(bound, token);
    for (int64_t i = 0; i < s.n * map && mode != GRAD_NONE; i++)
        for (int64_t c = 0; c < s.c; c++)
            ref_put(mode, &grad_x[ref_at(s, i / map, c, 0, i % map)],
                    token[i].share * g[i / map * s.c + c] + weight[c] * token[i].grad_score);
    return ST_OK;
}

const Op REF(op_seqpool) = {
    .plan = seqpool_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = seqpool_forward,
    .backward = seqpool_backward,
};
