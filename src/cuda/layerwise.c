/* cuda/layerwise: LARS and LAMB of a tensor, as a sequence of kernels: nothing waits for the host.
 * The arithmetic is in kernels/layerwise.cu. */
#include "cuda.h"

#include <inttypes.h>

Status cuda_layerwise(Stream *stream, const Update *update, const UpdateRange *range,
                      void *scratch) {
    bool lamb = update->kind == OPTIMIZER_LAMB;
    int64_t count = range->count, chunks = (count + NORM_CHUNK - 1) / NORM_CHUNK;
    double *weights = stream->temp, *others = weights + chunks;
    float *rate = (float *)(others + chunks);
    if ((2 * chunks + 1) * (int64_t)sizeof *weights > CUDA_TEMP_BYTES)
        return FAIL(ST_DEVICE, "a tensor of %" PRId64 " elements is too large for lars and lamb",
                    count);
    TRY(cuda_enter(stream->device));
    TRY_CUDA(gpu_norm(weights, NULL, range->weight, count, 1, stream->stream));
    if (lamb) {
        TRY_CUDA(gpu_lamb_direction(update, range, scratch, stream->stream));
        TRY_CUDA(gpu_norm(others, NULL, scratch, count, 1, stream->stream));
    } else {
        TRY_CUDA(
            gpu_norm(others, range->fixed, range->real, count, update->grad_scale, stream->stream));
    }
    TRY_CUDA(gpu_trusted_rate(update, range->decay, weights, others, chunks, rate, stream->stream));
    TRY_CUDA(lamb ? gpu_lamb(update, range, scratch, rate, stream->stream)
                  : gpu_lars(update, range, rate, stream->stream));
    return ST_OK;
}
