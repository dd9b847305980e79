/* cpu/muon: the update of a matrix by Muon on the calling thread. See update.h. The products are
 * oneDNN's sgemm, which is what its matmul runs for such shapes, takes transposed factors and adds
 * a multiple of what is there; all else is loops of our own, with sums in a fixed order. */
#include <math.h>
#include <string.h>

#include "clones.h"
#include "flat.h"
#include "lockstep/update_math.h"
#include "primitive.h"

enum { SUMS = 16 };

/* The square root of the sum of squares: SUMS running sums, then those in order. */
CLONES static double length(const float *value, int64_t count) {
    double sum[SUMS] = {0}, total = 0;
    int64_t i = 0;
    for (; i + SUMS <= count; i += SUMS)
        for (int s = 0; s < SUMS; s++)
            sum[s] += (double)value[i + s] * (double)value[i + s];
    for (int s = 0; i < count; i++, s++)
        sum[s] += (double)value[i] * (double)value[i];
    for (int s = 0; s < SUMS; s++)
        total += sum[s];
    return sqrt(total);
}

CLONES static void scale(int64_t count, float factor, float *value) {
    for (int64_t i = 0; i < count; i++)
        value[i] *= factor;
}

/* x[i] is the direction of element i. */
CLONES static void direct(const Update *update, const UpdateTerms *terms, const UpdateRange *range,
                          float *x) {
    const float *real = range->real;
    float *momentum = range->slot[0];
    for (int64_t i = 0; i < range->count; i++) {
        float m = momentum ? momentum[i] : 0;
        float g = range->fixed ? update_gradient_fixed(range->fixed[i], update->grad_scale)
                               : update_gradient_real(real[i], update->grad_scale);
        x[i] = update_muon_direction(terms, g, &m);
        if (momentum)
            momentum[i] = m;
    }
}

CLONES static void step(const UpdateTerms *terms, float factor, int64_t count, const float *x,
                        float *weight) {
    for (int64_t i = 0; i < count; i++)
        update_muon(terms, factor, x[i], &weight[i]);
}

/* X is rows x cols; the sums go over the longer side: A = X X^T and X = a X + B X, or A = X^T X and
 * X = a X + X B, of the transposed matrices' products the transposed ones. *x and *next change
 * places. */
static Status iterate(int64_t rows, int64_t cols, float **x, float **next, float *a, float *b) {
    bool wide = rows <= cols;
    int64_t m = wide ? rows : cols, n = wide ? cols : rows, count = rows * cols;
    float *to = *next;
    TRY_DNNL(
        dnnl_sgemm(wide ? 'N' : 'T', wide ? 'T' : 'N', m, m, n, 1, *x, cols, *x, cols, 0, a, m));
    memcpy(b, a, (size_t)(m * m) * sizeof *b);
    TRY_DNNL(dnnl_sgemm('N', 'N', m, m, m, (float)muon_c, a, m, a, m, (float)muon_b, b, m));
    memcpy(to, *x, (size_t)count * sizeof *to);
    if (wide)
        TRY_DNNL(dnnl_sgemm('N', 'N', m, n, m, 1, b, m, *x, cols, (float)muon_a, to, cols));
    else
        TRY_DNNL(dnnl_sgemm('N', 'N', n, m, m, 1, *x, cols, b, m, (float)muon_a, to, cols));
    *next = *x;
    *x = to;
    return ST_OK;
}

Status cpu_muon(Stream *stream, const Update *update, const UpdateRange *range, int64_t rows,
                int64_t cols, void *scratch) {
    (void)stream;
    UpdateTerms terms = update_terms(update, range->decay);
    int64_t m = rows < cols ? rows : cols, count = range->count;
    float *x = scratch, *next = x + count, *a = next + count, *b = a + m * m;
    direct(update, &terms, range, x);
    scale(count, (float)(1 / (length(x, count) + muon_eps)), x);
    for (int64_t i = 0; i < update->muon_steps; i++)
        TRY(iterate(rows, cols, &x, &next, a, b));
    double norm = update->muon_rescale ? length(range->weight, count) : 0;
    float factor = (float)(norm != 0 ? sqrt((double)rows) / norm : 1);
    step(&terms, factor, count, x, range->weight);
    return ST_OK;
}
