/* matmul: C = A B, batch by batch. */
#include "desc.h"

void run_matmul(Execution *e, const Operation *op) {
    View a = execution_load(e, op, P_X), b = execution_load(e, op, P_W);
    View c = execution_start(e, op, P_Y);
    int64_t m = a.tensor->dim[1], k = a.tensor->dim[2], n = b.tensor->dim[2];
    for (int64_t batch = 0; batch < a.tensor->dim[0]; batch++) {
        const float *left = a.value + batch * m * k, *right = b.value + batch * k * n;
        for (int64_t i = 0; i < m * n; i++) {
            double sum = 0;
            for (int64_t j = 0; j < k; j++)
                sum += (double)execution_rounded(e, left[i / n * k + j]) *
                       execution_rounded(e, right[j * n + i % n]);
            c.value[batch * m * n + i] = (float)execution_sum(e, sum);
        }
    }
    execution_store(e, op, c);
}
