/* ref/muon: the update of a matrix by Muon, one loop a sum. See update.h. */
#include <math.h>
#include <string.h>

#include "ref.h"
#include "lockstep/update_math.h"

/* X is m x n, m <= n: the direction, transposed where it is higher than wide. */
typedef struct Matrix {
    int64_t rows, cols, m, n;
    real *x, *next;  /* [m][n] */
    real *a, *other; /* [m][m] */
} Matrix;

static int64_t place(const Matrix *matrix, int64_t i) {
    int64_t row = i / matrix->cols, column = i % matrix->cols;
    return matrix->rows <= matrix->cols ? i : column * matrix->n + row;
}

static double length(const real *value, int64_t count) {
    double squares = 0;
    for (int64_t i = 0; i < count; i++)
        squares += (double)value[i] * (double)value[i];
    return sqrt(squares);
}

static void direct(const Matrix *matrix, const Update *update, const UpdateTerms *terms,
                   const UpdateRange *range) {
    const real *gradient = range->real;
    real *momentum = range->slot[0];
    for (int64_t i = 0; i < range->count; i++) {
        real zero = 0;
        real g = range->fixed ? update_gradient_fixed(range->fixed[i], update->grad_scale)
                              : update_gradient_real(gradient[i], update->grad_scale);
        matrix->x[place(matrix, i)] =
            update_muon_direction(terms, g, momentum ? &momentum[i] : &zero);
    }
}

/* to[i][j] = alpha sum_k a[i][k] b(k, j) + beta c[i][j]; b(k, j) is b[j][k] where `transposed`. */
static void product(int64_t m, int64_t n, int64_t inner, double alpha, const real *a, const real *b,
                    bool transposed, double beta, const real *c, real *to) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t k = 0; k < inner; k++)
                sum += (double)a[i * inner + k] *
                       (double)(transposed ? b[j * inner + k] : b[k * n + j]);
            to[i * n + j] = (real)(alpha * sum + (beta != 0 ? beta * (double)c[i * n + j] : 0));
        }
}

static void iterate(Matrix *matrix) {
    int64_t m = matrix->m, n = matrix->n;
    product(m, m, n, 1, matrix->x, matrix->x, true, 0, NULL, matrix->a);
    product(m, m, m, muon_c, matrix->a, matrix->a, false, muon_b, matrix->a, matrix->other);
    product(m, n, m, 1, matrix->other, matrix->x, false, muon_a, matrix->x, matrix->next);
    real *x = matrix->x;
    matrix->x = matrix->next;
    matrix->next = x;
}

Status REF(muon)(Stream *stream, const Update *update, const UpdateRange *range, int64_t rows,
                 int64_t cols, void *scratch) {
    (void)stream;
    UpdateTerms terms = update_terms(update, range->decay);
    int64_t m = rows < cols ? rows : cols, n = rows < cols ? cols : rows, count = range->count;
    Matrix matrix = {.rows = rows, .cols = cols, .m = m, .n = n, .x = scratch};
    real *weight = range->weight;
    matrix.next = matrix.x + count;
    matrix.a = matrix.next + count;
    matrix.other = matrix.a + m * m;
    direct(&matrix, update, &terms, range);
    double shrink = 1 / (length(matrix.x, count) + muon_eps);
    for (int64_t i = 0; i < count; i++)
        matrix.x[i] *= (real)shrink;
    for (int64_t step = 0; step < update->muon_steps; step++)
        iterate(&matrix);
    double norm = update->muon_rescale ? length(weight, count) : 0;
    real factor = (real)(norm != 0 ? sqrt((double)rows) / norm : 1);
    for (int64_t i = 0; i < count; i++)
        update_muon(&terms, factor, matrix.x[place(&matrix, i)], &weight[i]);
    return ST_OK;
}
