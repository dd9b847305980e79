/* cpu/update: the optimizers on ranges of the flat buffers, span by span as in flat.c; Lookahead;
 * and LARS and LAMB of a tensor, which take a pass for its norms first. */
#include <string.h>

#include "flat.h"
#include "gradient.h"
#include "lockstep/update_math.h"

/* n elements from element `at` of a slot on, zeros where there is none and behind them; and back.
 */
SPAN_FN void slot_load(size_t n, int64_t at, const void *slot, float to[SPAN]) {
    memset(to, 0, SPAN * sizeof *to);
    if (slot)
        memcpy(to, (const float *)slot + at, n * sizeof *to);
}

SPAN_FN void slot_store(size_t n, int64_t at, void *slot, const float from[SPAN]) {
    if (slot)
        memcpy((float *)slot + at, from, n * sizeof *from);
}

SPAN_FN void weight_and_gradient(size_t n, int64_t at, const Update *update,
                                 const UpdateRange *range, float w[SPAN], float g[SPAN]) {
    double exact[SPAN];
    gradient_span(n, range->fixed ? range->fixed + at : NULL,
                  range->fixed ? NULL : (const float *)range->real + at, update->grad_scale, exact);
    for (int i = 0; i < SPAN; i++)
        g[i] = (float)exact[i];
    memcpy(w, (const float *)range->weight + at, n * sizeof *w);
}

/* One span of n elements: gradient, update of its kind, moving average. */
SPAN_FN void update_span(size_t n, int64_t at, const Update *update, const UpdateTerms *terms,
                         const UpdateRange *range) {
    float g[SPAN], w[SPAN] = {0}, e[SPAN] = {0}, m[SPAN], v[SPAN], a[SPAN];
    weight_and_gradient(n, at, update, range, w, g);
    slot_load(n, at, range->slot[0], m);
    slot_load(n, at, range->slot[1], v);
    slot_load(n, at, range->slot[2], a);
    switch (update->kind) {
    case OPTIMIZER_SGD:
        for (int i = 0; i < SPAN; i++)
            update_sgd(terms, g[i], &w[i], &m[i]);
        break;
    case OPTIMIZER_ADAM:
    case OPTIMIZER_ADAMW:
        for (int i = 0; i < SPAN; i++)
            update_adam(terms, g[i], &w[i], &m[i], &v[i]);
        break;
    case OPTIMIZER_RMSPROP:
        for (int i = 0; i < SPAN; i++)
            update_rmsprop(terms, g[i], &w[i], &m[i], &v[i], &a[i]);
        break;
    case OPTIMIZER_LARS:
        for (int i = 0; i < SPAN; i++)
            update_lars(terms, g[i], &w[i], &m[i]);
        break;
    case OPTIMIZER_LAMB:
        for (int i = 0; i < SPAN; i++)
            update_lamb(terms, update_lamb_direction(terms, g[i], w[i], &m[i], &v[i]), &w[i]);
        break;
    case OPTIMIZER_MUON: /* of matrices */
    case OPTIMIZER_NONE:
        break;
    }
    memcpy((float *)range->weight + at, w, n * sizeof *w);
    slot_store(n, at, range->slot[0], m);
    slot_store(n, at, range->slot[1], v);
    slot_store(n, at, range->slot[2], a);
    if (range->ema) {
        float *ema = (float *)range->ema + at;
        memcpy(e, ema, n * sizeof *e);
        for (int i = 0; i < SPAN; i++)
            update_ema(terms, w[i], &e[i]);
        memcpy(ema, e, n * sizeof *e);
    }
}

CLONES static void update_range(const Update *update, const UpdateTerms *terms,
                                const UpdateRange *range) {
    int64_t i = 0;
    for (; i + SPAN <= range->count; i += SPAN)
        update_span(SPAN, i, update, terms, range);
    update_span((size_t)(range->count - i), i, update, terms, range);
}

SPAN_FN void lookahead_span(size_t n, float alpha, float *slow, float *fast) {
    float s[SPAN] = {0}, f[SPAN] = {0};
    memcpy(s, slow, n * sizeof *s);
    memcpy(f, fast, n * sizeof *f);
    for (int i = 0; i < SPAN; i++)
        update_lookahead(alpha, &s[i], &f[i]);
    memcpy(slow, s, n * sizeof *s);
    memcpy(fast, f, n * sizeof *f);
}

CLONES static void lookahead_range(int64_t count, float alpha, float *slow, float *fast) {
    int64_t i = 0;
    for (; i + SPAN <= count; i += SPAN)
        lookahead_span(SPAN, alpha, slow + i, fast + i);
    lookahead_span((size_t)(count - i), alpha, slow + i, fast + i);
}

Status cpu_lookahead(Stream *stream, void *slow, void *fast, int64_t count, double alpha) {
    (void)stream;
    lookahead_range(count, (float)alpha, slow, fast);
    return ST_OK;
}

Status cpu_update(Stream *stream, const Update *update, const UpdateRange *range) {
    (void)stream;
    UpdateTerms terms = update_terms(update, range->decay);
    update_range(update, &terms, range);
    return ST_OK;
}

/* u[i] of lamb. */
SPAN_FN void direction_span(size_t n, int64_t at, const Update *update, const UpdateTerms *terms,
                            const UpdateRange *range, float *u) {
    float g[SPAN], w[SPAN] = {0}, m[SPAN], v[SPAN], out[SPAN];
    weight_and_gradient(n, at, update, range, w, g);
    slot_load(n, at, range->slot[0], m);
    slot_load(n, at, range->slot[1], v);
    for (int i = 0; i < SPAN; i++)
        out[i] = update_lamb_direction(terms, g[i], w[i], &m[i], &v[i]);
    slot_store(n, at, range->slot[0], m);
    slot_store(n, at, range->slot[1], v);
    memcpy(u + at, out, n * sizeof *u);
}

CLONES static void lamb_directions(const Update *update, const UpdateTerms *terms,
                                   const UpdateRange *range, float *u) {
    int64_t i = 0;
    for (; i + SPAN <= range->count; i += SPAN)
        direction_span(SPAN, i, update, terms, range, u);
    direction_span((size_t)(range->count - i), i, update, terms, range, u);
}

SPAN_FN void lamb_span(size_t n, const UpdateTerms *terms, const float *u, float *weight) {
    float x[SPAN] = {0}, w[SPAN] = {0};
    memcpy(x, u, n * sizeof *x);
    memcpy(w, weight, n * sizeof *w);
    for (int i = 0; i < SPAN; i++)
        update_lamb(terms, x[i], &w[i]);
    memcpy(weight, w, n * sizeof *w);
}

CLONES static void lamb_steps(int64_t count, const UpdateTerms *terms, const float *u,
                              float *weight) {
    int64_t i = 0;
    for (; i + SPAN <= count; i += SPAN)
        lamb_span(SPAN, terms, u + i, weight + i);
    lamb_span((size_t)(count - i), terms, u + i, weight + i);
}

/* Norms are one sum each, in one order, whoever computes them. */
Status cpu_layerwise(Stream *stream, const Update *update, const UpdateRange *range,
                     void *scratch) {
    (void)stream;
    UpdateTerms terms = update_terms(update, range->decay);
    UpdateRange tensor = *range;
    int64_t count = range->count;
    double weights = cpu_squares(count, NULL, range->weight, 1), others;
    if (update->kind == OPTIMIZER_LAMB) {
        lamb_directions(update, &terms, range, scratch);
        others = cpu_squares(count, NULL, scratch, 1);
    } else {
        others = cpu_squares(count, range->fixed, range->real, update->grad_scale);
    }
    terms.lr = (float)update_trusted_rate(update, range->decay, weights, others);
    tensor.ema = NULL; /* as device.h has it */
    if (update->kind == OPTIMIZER_LAMB)
        lamb_steps(count, &terms, scratch, range->weight);
    else
        update_range(update, &terms, &tensor);
    return ST_OK;
}
