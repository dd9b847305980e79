/* cuda/muon: the update of a matrix by Muon, as a sequence of kernels. The arithmetic is in
 * kernels/muon.cu. */
#include "cuda.h"

#include <inttypes.h>
#include <math.h>

/* *factor = over / (|value| + eps) in device memory, behind the partial sums of the stream's. */
static Status factor_of(Stream *stream, const float *value, int64_t count, double over, double eps,
                        float **factor) {
    int64_t chunks = (count + NORM_CHUNK - 1) / NORM_CHUNK;
    double *partial = stream->temp;
    if ((chunks + 1) * (int64_t)sizeof *partial > CUDA_TEMP_BYTES)
        return FAIL(ST_DEVICE, "a matrix of %" PRId64 " elements is too large for muon", count);
    *factor = (float *)(partial + chunks);
    TRY_CUDA(gpu_norm(partial, NULL, value, count, 1, stream->stream));
    TRY_CUDA(gpu_muon_factor(partial, chunks, over, eps, *factor, stream->stream));
    return ST_OK;
}

/* X is m x n; *x and *next change places. */
static Status iterate(Stream *stream, int64_t m, int64_t n, float **x, float **next, float *a,
                      float *b) {
    MuonProduct square = {
        .to = a, .a = *x, .b = *x, .transposed = true, .m = m, .n = m, .inner = n, .alpha = 1};
    MuonProduct mixed = {.to = b,
                         .a = a,
                         .b = a,
                         .c = a,
                         .transposed = true, /* it is its own transpose, to the bit */
                         .m = m,
                         .n = m,
                         .inner = m,
                         .alpha = (float)muon_c,
                         .beta = (float)muon_b};
    MuonProduct last = {.to = *next,
                        .a = b,
                        .b = *x,
                        .c = *x,
                        .m = m,
                        .n = n,
                        .inner = m,
                        .alpha = 1,
                        .beta = (float)muon_a};
    TRY_CUDA(gpu_muon_product(&square, stream->stream));
    TRY_CUDA(gpu_muon_product(&mixed, stream->stream));
    TRY_CUDA(gpu_muon_product(&last, stream->stream));
    *next = *x;
    *x = last.to;
    return ST_OK;
}

Status cuda_muon(Stream *stream, const Update *update, const UpdateRange *range, int64_t rows,
                 int64_t cols, void *scratch) {
    int64_t m = rows < cols ? rows : cols, n = rows < cols ? cols : rows, count = range->count;
    float *x = scratch, *next = x + count, *a = next + count, *b = a + m * m, *factor = NULL;
    TRY(cuda_enter(stream->device));
    TRY_CUDA(gpu_muon_direct(update, range, rows, cols, x, stream->stream));
    TRY(factor_of(stream, x, count, 1, muon_eps, &factor));
    TRY_CUDA(gpu_muon_scale(x, count, factor, stream->stream));
    for (int64_t i = 0; i < update->muon_steps; i++)
        TRY(iterate(stream, m, n, &x, &next, a, b));
    factor = NULL;
    if (update->muon_rescale)
        TRY(factor_of(stream, range->weight, count, sqrt((double)rows), 0, &factor));
    TRY_CUDA(gpu_muon_step(update, range, rows, cols, x, factor, stream->stream));
    return ST_OK;
}
