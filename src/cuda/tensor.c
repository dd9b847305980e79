/* cuda/tensor: layouts, and copies of tensors whose form on the GPU is another than the host's. */
#include <inttypes.h>
#include <stdlib.h>

#include "cuda.h"
#include "lockstep/bf16.h"

Status cuda_layouts(Device *base, const OpTensors *ops, int n_ops, Tensor *tensors, int n_tensors) {
    (void)ops;
    (void)n_ops;
    const CudaDevice *device = (const CudaDevice *)base;
    for (int i = 0; i < n_tensors; i++) {
        Shape s = tensors[i].shape;
        tensors[i].dtype = device->activation;
        tensors[i].layout = s.h * s.w > 1 ? LAYOUT_NHWC : LAYOUT_PLAIN;
        tensors[i].bytes = (size_t)shape_count(s) * dtype_size(device->activation);
    }
    return ST_OK;
}

/* As many images at a time as temp holds. */
Status cuda_upload_images(Stream *stream, const Tensor *images, const float *host) {
    Shape s = images->shape;
    int64_t pixels = s.c * s.h * s.w;
    int64_t most = CUDA_TEMP_BYTES / (pixels * (int64_t)sizeof *host);
    if (most < 1)
        return FAIL(ST_DEVICE, "an image of %" PRId64 " values is too large to upload", pixels);
    for (int64_t first = 0; first < s.n; first += most) {
        int64_t count = s.n - first < most ? s.n - first : most;
        char *to = (char *)images->data + (size_t)(first * pixels) * dtype_size(images->dtype);
        TRY(cuda_upload(stream, stream->temp, host + first * pixels,
                        (size_t)(count * pixels) * sizeof *host));
        TRY_CUDA(gpu_to_nhwc(to, images->dtype, s.c, stream->temp, DT_F32, count, s.c, s.h * s.w,
                             stream->stream));
    }
    return ST_OK;
}

/* ---- For tests and tools ---- */

enum { TOOL_SECONDS = 300 };

/* Where an element stands in memory; `pixel` counts h and w. */
static int64_t element(const Tensor *tensor, int64_t n, int64_t c, int64_t pixel) {
    Shape s = tensor->shape;
    int64_t map = s.h * s.w;
    return tensor->layout == LAYOUT_NHWC ? (n * map + pixel) * s.c + c
                                         : (n * s.c + c) * map + pixel;
}

Status cuda_write_tensor(Stream *stream, const Tensor *tensor, const double *host) {
    Shape s = tensor->shape;
    void *form = malloc(tensor->bytes);
    TRY_ALLOC(form);
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t c = 0; c < s.c; c++)
            for (int64_t i = 0; i < s.h * s.w; i++, host++) {
                int64_t at = element(tensor, n, c, i);
                if (tensor->dtype == DT_BF16)
                    ((uint16_t *)form)[at] = bf16_from_float((float)*host);
                else
                    ((float *)form)[at] = (float)*host;
            }
    Status status = cuda_upload(stream, tensor->data, form, tensor->bytes);
    free(form);
    TRY(status);
    return cuda_sync(stream, TOOL_SECONDS);
}

Status cuda_read_tensor(Stream *stream, double *host, const Tensor *tensor) {
    Shape s = tensor->shape;
    void *form = malloc(tensor->bytes);
    TRY_ALLOC(form);
    Status status = cuda_download(stream, form, tensor->data, tensor->bytes);
    if (status == ST_OK)
        status = cuda_sync(stream, TOOL_SECONDS);
    for (int64_t n = 0; status == ST_OK && n < s.n; n++)
        for (int64_t c = 0; c < s.c; c++)
            for (int64_t i = 0; i < s.h * s.w; i++) {
                int64_t at = element(tensor, n, c, i);
                *host++ = tensor->dtype == DT_BF16 ? bf16_to_float(((const uint16_t *)form)[at])
                                                   : ((const float *)form)[at];
            }
    free(form);
    return status;
}
