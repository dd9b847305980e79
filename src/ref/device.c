/* ref/device: opening, memory, the empty stream, copies, and what all kinds share. Device memory is
 * host memory here. */
#include <stdio.h>
#include <stdlib.h>

#include "lockstep/host.h"
#include "ref.h"

struct Stream {
    Device *device; /* borrowed */
};

static void device_close(Device *device) {
    free(device);
}

static Status stream_open(Device *device, Stream **stream) {
    *stream = malloc(sizeof **stream);
    TRY_ALLOC(*stream);
    (*stream)->device = device;
    return ST_OK;
}

static void stream_close(Stream *stream) {
    free(stream);
}

static Status stream_sync(Stream *stream, double seconds) {
    (void)stream; /* calls return when their work is done */
    (void)seconds;
    return ST_OK;
}

static Status upload_images(Stream *stream, const Tensor *images, const float *host) {
    (void)stream;
    real *to = images->data;
    for (int64_t i = 0; i < shape_count(images->shape); i++)
        to[i] = host[i];
    return ST_OK;
}

static Status write_tensor(Stream *stream, const Tensor *tensor, const double *host) {
    (void)stream;
    real *to = tensor->data;
    for (int64_t i = 0; i < shape_count(tensor->shape); i++)
        to[i] = (real)host[i];
    return ST_OK;
}

static Status read_tensor(Stream *stream, double *host, const Tensor *tensor) {
    (void)stream;
    const real *from = tensor->data;
    for (int64_t i = 0; i < shape_count(tensor->shape); i++)
        host[i] = from[i];
    return ST_OK;
}

static Status layouts(Device *device, const OpTensors *ops, int n_ops, Tensor *tensors,
                      int n_tensors) {
    (void)device;
    (void)ops;
    (void)n_ops;
    for (int i = 0; i < n_tensors; i++) {
        tensors[i].layout = LAYOUT_PLAIN;
        tensors[i].bytes = (size_t)shape_count(tensors[i].shape) * dtype_size(tensors[i].dtype);
    }
    return ST_OK;
}

static bool is_plain(const Tensor *tensor) {
    return tensor->layout == LAYOUT_PLAIN && tensor->dtype == REF_DTYPE;
}

Status REF(plan_new)(const Op *op, const OpDesc *desc, size_t saved_bytes, OpPlan **plan) {
    bool plain = true;
    for (int i = 0; i < desc->n_in; i++)
        plain = plain && is_plain(&desc->in[i]);
    if (!plain)
        return FAIL(ST_DEVICE, "the reference backend computes only %s in plain layout",
                    REF_DTYPE == DT_F64 ? "float64" : "float32");
    *plan = calloc(1, sizeof **plan);
    TRY_ALLOC(*plan);
    (*plan)->op = op;
    (*plan)->desc = *desc;
    (*plan)->saved_bytes = saved_bytes;
    (*plan)->backward_reads_out = desc->relu;
    return ST_OK;
}

void REF(unplan)(OpPlan *plan) {
    free(plan);
}

Status REF(bind)(const OpPlan *plan, const OpMemory *memory, OpBound **bound) {
    *bound = malloc(sizeof **bound);
    TRY_ALLOC(*bound);
    (*bound)->plan = plan;
    (*bound)->memory = *memory;
    return ST_OK;
}

void REF(unbind)(OpBound *bound) {
    free(bound);
}

static const DeviceOps device_ops = {
    .name = "ref",
    .close = device_close,
    .alloc = host_alloc,
    .release = host_release,
    .stream_open = stream_open,
    .stream_close = stream_close,
    .sync = stream_sync,
    .upload = host_upload,
    .download = host_download,
    .upload_images = upload_images,
    .write_tensor = write_tensor,
    .read_tensor = read_tensor,
    .layouts = layouts,
    .ops =
        {
#define LAYER(lower, UPPER) [LAYER_##UPPER] = &REF(op_##lower),
#include "lockstep/layers.def"
#undef LAYER
        },
    .to_fixed = REF(to_fixed),
    .to_shifted = REF(to_shifted),
    .widen = REF(widen),
    .to_real = REF(to_real),
    .norm = REF(norm),
    .update = REF(update),
    .muon = REF(muon),
    .layerwise = REF(layerwise),
    .lookahead = REF(lookahead),
    .digest = REF(digest),
};

#ifdef REF_DOUBLE
Status device_open_ref64(const DeviceOptions *options, Device **device) {
#else
Status device_open_ref(const DeviceOptions *options, Device **device) {
#endif
    TRY(host_accepts(options, false));
    *device = calloc(1, sizeof **device);
    TRY_ALLOC(*device);
    (*device)->ops = &device_ops;
    (*device)->real = REF_DTYPE;
    (*device)->fuses_relu =
        1u << LAYER_CONV | 1u << LAYER_BN | 1u << LAYER_LINEAR | 1u << LAYER_ADD;
    snprintf((*device)->description, sizeof(*device)->description, "plain C loops, %s",
             REF_DTYPE == DT_F64 ? "float64" : "float32");
    snprintf((*device)->instruction_set, sizeof(*device)->instruction_set, "baseline");
    return ST_OK;
}
