/* ref/flat: work on ranges of the flat buffers: conversion to fixed point, native sums, partial
 * norms, the optimizers, digests. */
#include <math.h>
#include <string.h>

#include "ref.h"
#include "lockstep/digest.h"
#include "lockstep/update_math.h"

Status REF(to_fixed)(Stream *stream, int64_t *sum, const void *value, int64_t count, double scale,
                     double bound, bool add, int64_t *bad) {
    (void)stream;
    const real *from = value;
    for (int64_t i = 0; i < count; i++) {
        bool good = fabs((double)from[i]) < bound; /* false for NaN */
        int64_t fixed = good ? (int64_t)nearbyint((double)from[i] * scale) : 0;
        *bad += !good;
        sum[i] = (add ? sum[i] : 0) + fixed;
    }
    return ST_OK;
}

Status REF(to_shifted)(Stream *stream, int64_t *sum, int32_t *low, const void *value, int64_t count,
                       const Shifts *shifts, double scale, double bound, bool add, int64_t *bad,
                       void *peak) {
    (void)stream;
    const real *from = value;
    real *largest = peak;
    for (int64_t i = 0; i < count; i++) {
        int32_t param = shifts->param[i / SHIFT_BLOCK];
        int64_t unit = INT64_C(1) << shifts->shift[param];
        double size = fabs((double)from[i]);
        bool good = size < bound; /* false for NaN */
        int64_t units = good ? (int64_t)nearbyint((double)from[i] * (scale / (double)unit)) : 0;
        *bad += !good;
        if (good && (double)largest[param] < size)
            largest[param] = (real)size;
        sum[i] = (add ? sum[i] : 0) + units * unit;
        if (low)
            low[i] = (int32_t)(sum[i] / unit);
    }
    return ST_OK;
}

Status REF(widen)(Stream *stream, int64_t *sum, const int32_t *low, int64_t count,
                  const Shifts *shifts) {
    (void)stream;
    for (int64_t i = 0; i < count; i++)
        sum[i] = low[i] * (INT64_C(1) << shifts->shift[shifts->param[i / SHIFT_BLOCK]]);
    return ST_OK;
}

Status REF(to_real)(Stream *stream, void *sum, const void *value, int64_t count, bool add) {
    (void)stream;
    const real *from = value;
    real *to = sum;
    for (int64_t i = 0; i < count; i++)
        to[i] = add ? to[i] + from[i] : from[i];
    return ST_OK;
}

Status REF(norm)(Stream *stream, double *partial, const int64_t *fixed, const void *gradient,
                 int64_t count, double scale) {
    (void)stream;
    const real *from = gradient;
    for (int64_t begin = 0; begin < count; begin += NORM_CHUNK) {
        int64_t end = begin + NORM_CHUNK < count ? begin + NORM_CHUNK : count;
        double sum = 0;
        for (int64_t i = begin; i < end; i++) {
            double g = (fixed ? (double)fixed[i] : (double)from[i]) * scale;
            sum += g * g;
        }
        partial[begin / NORM_CHUNK] = sum;
    }
    return ST_OK;
}

Status REF(update)(Stream *stream, const Update *update, const UpdateRange *range) {
    (void)stream;
    UpdateTerms terms = update_terms(update, range->decay);
    const real *gradient = range->real;
    real *weight = range->weight, *first = range->slot[0], *second = range->slot[1];
    real *third = range->slot[2], *ema = range->ema;
    for (int64_t i = 0; i < range->count; i++) {
        real zero[2] = {0, 0}; /* of a state that the optimizer has not */
        real *w = &weight[i], *m = first ? &first[i] : &zero[0];
        real g = range->fixed ? update_gradient_fixed(range->fixed[i], update->grad_scale)
                              : update_gradient_real(gradient[i], update->grad_scale);
        switch (update->kind) {
        case OPTIMIZER_SGD:
            update_sgd(&terms, g, w, m);
            break;
        case OPTIMIZER_ADAM:
        case OPTIMIZER_ADAMW:
            update_adam(&terms, g, w, m, &second[i]);
            break;
        case OPTIMIZER_RMSPROP:
            update_rmsprop(&terms, g, w, m, &second[i], third ? &third[i] : &zero[1]);
            break;
        case OPTIMIZER_LARS:
            update_lars(&terms, g, w, m);
            break;
        case OPTIMIZER_LAMB:
            update_lamb(&terms, update_lamb_direction(&terms, g, *w, m, &second[i]), w);
            break;
        case OPTIMIZER_MUON: /* of matrices */
        case OPTIMIZER_NONE:
            break;
        }
        if (ema)
            update_ema(&terms, weight[i], &ema[i]);
    }
    return ST_OK;
}

Status REF(lookahead)(Stream *stream, void *slow, void *fast, int64_t count, double alpha) {
    (void)stream;
    real *s = slow, *f = fast;
    for (int64_t i = 0; i < count; i++)
        update_lookahead((real)alpha, &s[i], &f[i]);
    return ST_OK;
}

Status REF(digest)(Stream *stream, Digest *digest, const void *value, int64_t count) {
    (void)stream;
    const real *from = value;
    *digest = (Digest){.hash = 0};
    for (int64_t i = 0; i < count; i++) {
        uint64_t bits = 0; /* of a float: the low half */
        memcpy(&bits, &from[i], sizeof from[i]);
        digest->hash += digest_term(i, bits);
        digest->bad += !isfinite(from[i]);
    }
    return ST_OK;
}
