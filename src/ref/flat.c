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
    real *ema = range->ema;
    for (int64_t i = 0; i < range->count; i++) {
        real zero = 0;
        real g = range->fixed ? update_gradient_fixed(range->fixed[i], update->grad_scale)
                              : update_gradient_real(gradient[i], update->grad_scale);
        if (update->kind == OPTIMIZER_SGD)
            update_sgd(&terms, g, &weight[i], first ? &first[i] : &zero);
        else if (update->kind != OPTIMIZER_NONE)
            update_adam(&terms, g, &weight[i], &first[i], &second[i]);
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
