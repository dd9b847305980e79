/* ref/layerwise: LARS and LAMB of a tensor: what the step is divided by, then the step. See
 * update.h. */
#include "ref.h"
#include "lockstep/update_math.h"

static real gradient_at(const Update *update, const UpdateRange *range, int64_t i) {
    return range->fixed ? update_gradient_fixed(range->fixed[i], update->grad_scale)
                        : update_gradient_real(((const real *)range->real)[i], update->grad_scale);
}

static double square(real x) {
    return (double)x * (double)x;
}

Status REF(layerwise)(Stream *stream, const Update *update, const UpdateRange *range,
                      void *scratch) {
    (void)stream;
    UpdateTerms terms = update_terms(update, range->decay);
    bool lamb = update->kind == OPTIMIZER_LAMB;
    real *weight = range->weight, *first = range->slot[0], *second = range->slot[1];
    real *direction = scratch; /* of lamb */
    double weights = 0, others = 0;
    for (int64_t i = 0; i < range->count; i++) {
        real g = gradient_at(update, range, i);
        if (lamb)
            direction[i] = update_lamb_direction(&terms, g, weight[i], &first[i], &second[i]);
        weights += square(weight[i]);
        others += square(lamb ? direction[i] : g);
    }
    terms.lr = (real)update_trusted_rate(update, range->decay, weights, others);
    for (int64_t i = 0; i < range->count; i++) {
        real zero = 0;
        if (lamb)
            update_lamb(&terms, direction[i], &weight[i]);
        else
            update_lars(&terms, gradient_at(update, range, i), &weight[i],
                        first ? &first[i] : &zero);
    }
    return ST_OK;
}
