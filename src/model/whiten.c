/* Whitening filters: what they give is, over the patches that they are made of, uncorrelated and of
 * one size, but for eps.
 *
 * As in Jordan's airbench94 (https://github.com/KellerJordan/cifar10-airbench), after tysam-code's
 * hlb-CIFAR10: eigenvectors of the uncentred covariance, those of the largest eigenvalues first,
 * each divided by sqrt(eigenvalue + eps), then the negatives of all. */
#include <math.h>
#include <stdlib.h>

#include "lockstep/eigen.h"
#include "lockstep/model.h"

Status model_whiten(const ParamView *view, double *moments, float *weights) {
    Status status = ST_OK;
    int n = (int)(view->count / view->spec.dim[0]);
    double *values = malloc((size_t)n * sizeof *values);
    double *vectors = malloc((size_t)(n * n) * sizeof *vectors);
    float *filter = weights + view->offset;
    if (!values || !vectors)
        TRY_DONE(FAIL(ST_INTERNAL, "out of memory"));
    eigen_symmetric(n, moments, values, vectors);
    for (int i = 0; i < n; i++) {
        /* Of no variance at all, but for rounding, it may be below 0. */
        double deviation = sqrt((values[i] > 0 ? values[i] : 0) + view->spec.init_arg);
        for (int j = 0; j < n; j++) {
            filter[i * n + j] = (float)(vectors[i * n + j] / deviation);
            filter[(n + i) * n + j] = -filter[i * n + j];
        }
    }
done:
    free(values);
    free(vectors);
    return status;
}
