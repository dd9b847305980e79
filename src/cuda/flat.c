/* cuda/flat: work on ranges of the flat buffers, and batches of images from records that stay in
 * device memory. The arithmetic is in kernels/flat.cu and kernels/images.cu. */
#include "cuda.h"

Status cuda_to_fixed(Stream *stream, int64_t *sum, const void *value, int64_t count, double scale,
                     double bound, bool add, int64_t *bad) {
    TRY(cuda_enter(stream->device));
    TRY_CUDA(gpu_to_fixed(sum, value, count, scale, bound, add, bad, stream->stream));
    return ST_OK;
}

Status cuda_to_shifted(Stream *stream, int64_t *sum, int32_t *low, const void *value, int64_t count,
                       const Shifts *shifts, double scale, double bound, bool add, int64_t *bad,
                       void *peak) {
    TRY(cuda_enter(stream->device));
    TRY_CUDA(gpu_to_shifted(sum, low, value, count, shifts, scale, bound, add, bad, peak,
                            stream->stream));
    return ST_OK;
}

static Status sum_fixed(Stream *stream, int64_t *sum, const Terms *terms, int64_t count,
                        double scale, double bound, int64_t *bad) {
    TRY(cuda_enter(stream->device));
    TRY_CUDA(gpu_sum_fixed(sum, terms, count, scale, bound, bad, stream->stream));
    return ST_OK;
}

static Status sum_shifted(Stream *stream, int64_t *sum, int32_t *low, const Terms *terms,
                          int64_t count, const Shifts *shifts, double scale, double bound,
                          int64_t *bad) {
    TRY(cuda_enter(stream->device));
    TRY_CUDA(gpu_sum_shifted(sum, low, terms, count, shifts, scale, bound, bad, stream->stream));
    return ST_OK;
}

static Status sum_real(Stream *stream, void *sum, const Terms *terms, int64_t count) {
    TRY(cuda_enter(stream->device));
    TRY_CUDA(gpu_sum_real(sum, terms, count, stream->stream));
    return ST_OK;
}

const TermOps cuda_terms = {.fixed = sum_fixed, .shifted = sum_shifted, .real = sum_real};

Status cuda_widen(Stream *stream, int64_t *sum, const int32_t *low, int64_t count,
                  const Shifts *shifts) {
    TRY(cuda_enter(stream->device));
    TRY_CUDA(gpu_widen(sum, low, count, shifts, stream->stream));
    return ST_OK;
}

Status cuda_to_real(Stream *stream, void *sum, const void *value, int64_t count, bool add) {
    TRY(cuda_enter(stream->device));
    TRY_CUDA(gpu_to_real(sum, value, count, add, stream->stream));
    return ST_OK;
}

/* The partial sums of CUDA_TEMP_BYTES / 8 chunks go at a time: those of 5 10^8 parameters. */
Status cuda_norm(Stream *stream, double *partial, const int64_t *fixed, const void *gradient,
                 int64_t count, double scale) {
    const int64_t chunks_max = CUDA_TEMP_BYTES / (int64_t)sizeof *partial;
    const float *real = gradient;
    TRY(cuda_enter(stream->device));
    for (int64_t begin = 0; begin < count; begin += chunks_max * NORM_CHUNK) {
        int64_t left = count - begin;
        int64_t part = left < chunks_max * NORM_CHUNK ? left : chunks_max * NORM_CHUNK;
        int64_t chunks = (part + NORM_CHUNK - 1) / NORM_CHUNK;
        TRY_CUDA(gpu_norm(stream->temp, fixed ? fixed + begin : NULL, fixed ? NULL : real + begin,
                          part, scale, stream->stream));
        TRY(cuda_download(stream, partial + begin / NORM_CHUNK, stream->temp,
                          (size_t)chunks * sizeof *partial));
    }
    return ST_OK;
}

Status cuda_update(Stream *stream, const Update *update, const UpdateRange *range) {
    TRY(cuda_enter(stream->device));
    TRY_CUDA(gpu_update(update, range, stream->stream));
    return ST_OK;
}

Status cuda_lookahead(Stream *stream, void *slow, void *fast, int64_t count, double alpha) {
    TRY(cuda_enter(stream->device));
    TRY_CUDA(gpu_lookahead(slow, fast, count, (float)alpha, stream->stream));
    return ST_OK;
}

Status cuda_convert(Stream *stream, void *to, DType to_type, const void *from, DType from_type,
                    int64_t count) {
    TRY(cuda_enter(stream->device));
    TRY_CUDA(gpu_cast(to, to_type, from, from_type, count, stream->stream));
    return ST_OK;
}

Status cuda_digest(Stream *stream, Digest *digest, const void *value, int64_t count) {
    TRY(cuda_enter(stream->device));
    TRY_CUDA(gpu_digest(stream->temp, value, count, stream->stream));
    return cuda_download(stream, digest, stream->temp, sizeof *digest);
}

Status cuda_copy(Stream *stream, void *to, const void *from, size_t bytes) {
    TRY(cuda_enter(stream->device));
    TRY_CUDA(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream->stream));
    return ST_OK;
}

static Status load_images(Stream *stream, const Tensor *images, const uint8_t *records,
                          const ImageDraws *drawn, const ImageDraws *partner,
                          const ImageRule *rule) {
    Shape s = images->shape;
    if (images->layout != LAYOUT_NHWC || s.c > IMAGE_CHANNELS_MAX || s.h > IMAGE_SIDE_MAX ||
        s.w > IMAGE_SIDE_MAX)
        return FAIL(ST_INTERNAL, "the GPU makes images in N, H, W, C only, of at most %d x %d x %d",
                    IMAGE_CHANNELS_MAX, IMAGE_SIDE_MAX, IMAGE_SIDE_MAX);
    TRY(cuda_enter(stream->device));
    int64_t channels = (int64_t)(images->bytes / dtype_size(images->dtype)) / (s.n * s.h * s.w);
    TRY_CUDA(gpu_load_images(images->data, images->dtype, s, channels, records, *drawn, *partner,
                             *rule, stream->stream));
    return ST_OK;
}

const ImageOps cuda_images = {.load = load_images};
