/* ref/attention: for each head, z[l,m] = scale sum over d of q[l,d] k[m,d], p = softmax over m of
 * z, y[l,d] = sum over m of p[l,m] v[m,d]. With mask_diagonal z[l,l] counts as minus infinity; with
 * temperature scale is exp(weight). */
#include <math.h>

#include "ref.h"

enum { QUERY, KEY, VALUE };

/* scratch: p and, in backward, the gradient of z, each [n][heads][tokens][tokens]. */
static int64_t score_count(const OpDesc *desc) {
    Shape s = desc->in[0].shape;
    return s.n * desc->layer->args.attention.heads * s.h * s.w * s.h * s.w;
}

static Status attention_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    TRY(REF(plan_new)(&REF(op_attention), desc, 0, plan));
    (*plan)->scratch_bytes = 2 * (size_t)score_count(desc) * sizeof(double);
    (*plan)->backward_reads_in = READS_IN(0);
    return ST_OK;
}

/* One head of one image. */
typedef struct Head {
    const OpBound *bound;
    int64_t n, head, tokens, size; /* of its values: D */
    double scale;
    double *p, *grad_z; /* [tokens][tokens] */
} Head;

static Head head_of(const OpBound *bound, int64_t n, int64_t head) {
    const AttentionArgs *args = &bound->plan->desc.layer->args.attention;
    Shape s = bound->memory.in[0].shape;
    int64_t tokens = s.h * s.w, size = s.c / 3 / args->heads;
    double scale = 1 / sqrt((double)size);
    if (args->temperature)
        scale = exp(((const real *)bound->memory.param[0].data)[0]);
    double *p = (double *)bound->memory.scratch + (n * args->heads + head) * tokens * tokens;
    return (Head){bound, n, head, tokens, size, scale, p, p + score_count(&bound->plan->desc)};
}

/* Index in the input of element d of token l's query, key or value. */
static int64_t in_at(const Head *h, int what, int64_t l, int64_t d) {
    Shape s = h->bound->memory.in[0].shape;
    return ref_at(s, h->n, what * (s.c / 3) + h->head * h->size + d, 0, l);
}

static int64_t out_at(const Head *h, int64_t l, int64_t d) {
    return ref_at(h->bound->memory.out.shape, h->n, h->head * h->size + d, 0, l);
}

static double score(const Head *h, int64_t l, int64_t m) {
    const real *x = h->bound->memory.in[0].data;
    double sum = 0;
    for (int64_t d = 0; d < h->size; d++)
        sum += (double)x[in_at(h, QUERY, l, d)] * x[in_at(h, KEY, m, d)];
    return h->scale * sum;
}

static bool is_masked(const Head *h, int64_t l, int64_t m) {
    return h->bound->plan->desc.layer->args.attention.mask_diagonal && l == m;
}

static void find_shares(const Head *h) {
    for (int64_t l = 0; l < h->tokens; l++) {
        double *p = h->p + l * h->tokens, top = -INFINITY, sum = 0;
        for (int64_t m = 0; m < h->tokens; m++) {
            p[m] = is_masked(h, l, m) ? -INFINITY : score(h, l, m);
            top = fmax(top, p[m]);
        }
        for (int64_t m = 0; m < h->tokens; m++)
            sum += p[m] = exp(p[m] - top);
        for (int64_t m = 0; m < h->tokens; m++)
            p[m] /= sum;
    }
}

static void head_forward(const Head *h) {
    const real *x = h->bound->memory.in[0].data;
    real *y = h->bound->memory.out.data;
    find_shares(h);
    for (int64_t l = 0; l < h->tokens; l++)
        for (int64_t d = 0; d < h->size; d++) {
            double sum = 0;
            for (int64_t m = 0; m < h->tokens; m++)
                sum += h->p[l * h->tokens + m] * x[in_at(h, VALUE, m, d)];
            y[out_at(h, l, d)] = (real)sum;
        }
}

static Status attention_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    for (int64_t n = 0; n < bound->memory.out.shape.n; n++)
        for (int64_t i = 0; i < bound->plan->desc.layer->args.attention.heads; i++) {
            Head head = head_of(bound, n, i);
            head_forward(&head);
        }
    return ST_OK;
}

/* grad_z[l,m] = p (d[l,m] - sum over m of p d), d = sum over the head's values of g v being the
 * gradient of p. Returns sum of grad_z z: the gradient of the temperature. */
static double find_score_gradients(const Head *h) {
    const real *x = h->bound->memory.in[0].data, *g = h->bound->memory.grad_out.data;
    double total = 0;
    for (int64_t l = 0; l < h->tokens; l++) {
        double *p = h->p + l * h->tokens, *grad_z = h->grad_z + l * h->tokens, mean = 0;
        for (int64_t m = 0; m < h->tokens; m++) {
            grad_z[m] = 0;
            for (int64_t d = 0; d < h->size; d++)
                grad_z[m] += (double)g[out_at(h, l, d)] * x[in_at(h, VALUE, m, d)];
            mean += p[m] * grad_z[m];
        }
        for (int64_t m = 0; m < h->tokens; m++) {
            grad_z[m] = p[m] * (grad_z[m] - mean);
            total += is_masked(h, l, m) ? 0 : grad_z[m] * score(h, l, m);
        }
    }
    return total;
}

/* Of element d of token l's query, key and value. */
static void token_backward(const Head *h, int64_t l, int64_t d) {
    GradMode mode = h->bound->plan->desc.grad_in[0];
    const real *x = h->bound->memory.in[0].data, *g = h->bound->memory.grad_out.data;
    real *grad_x = h->bound->memory.grad_in[0].data;
    double query = 0, key = 0, value = 0;
    for (int64_t m = 0; m < h->tokens; m++) {
        query += h->scale * h->grad_z[l * h->tokens + m] * x[in_at(h, KEY, m, d)];
        key += h->scale * h->grad_z[m * h->tokens + l] * x[in_at(h, QUERY, m, d)];
        value += h->p[m * h->tokens + l] * g[out_at(h, m, d)];
    }
    ref_put(mode, &grad_x[in_at(h, QUERY, l, d)], query);
    ref_put(mode, &grad_x[in_at(h, KEY, l, d)], key);
    ref_put(mode, &grad_x[in_at(h, VALUE, l, d)], value);
}

static Status attention_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const OpDesc *desc = &bound->plan->desc;
    double total = 0;
    for (int64_t n = 0; n < bound->memory.out.shape.n; n++)
        for (int64_t i = 0; i < desc->layer->args.attention.heads; i++) {
            Head head = head_of(bound, n, i);
            find_shares(&head);
            total += find_score_gradients(&head);
            if (desc->grad_in[0] == GRAD_NONE)
                continue;
            for (int64_t l = 0; l < head.tokens; l++)
                for (int64_t d = 0; d < head.size; d++)
                    token_backward(&head, l, d);
        }
    if (desc->layer->args.attention.temperature)
        ((real *)bound->memory.grad_param[0].data)[0] = (real)total;
    return ST_OK;
}

const Op REF(op_attention) = {
    .plan = attention_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = attention_forward,
    .backward = attention_backward,
};
