/* cpu/device: the oneDNN backend: opening, memory, streams and copies. Device memory is host
 * memory; a stream executes in the calling thread. Parallelism comes from lanes alone: nothing here
 * forks. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flat.h"
#include "lockstep/host.h"
#include "plan.h"
#include "processor.h"
#include "rows.h"
#include "winograd.h"

static void device_close(Device *base) {
    CpuDevice *device = (CpuDevice *)base;
    if (device->engine)
        dnnl_engine_destroy(device->engine);
    free(device);
}

static void stream_close(Stream *stream) {
    dnnl_stream_destroy(stream->stream);
    free(stream);
}

static Status stream_open(Device *device, Stream **out) {
    omp_set_num_threads(1);
    Stream *stream = calloc(1, sizeof *stream);
    TRY_ALLOC(stream);
    stream->device = (CpuDevice *)device;
    dnnl_status_t result =
        dnnl_stream_create(&stream->stream, stream->device->engine, dnnl_stream_in_order);
    if (result != dnnl_success)
        free(stream);
    TRY_DNNL(result);
    *out = stream;
    return ST_OK;
}

static Status stream_sync(Stream *stream, double seconds) {
    (void)seconds; /* calls return when their work is done */
    TRY_DNNL(dnnl_stream_wait(stream->stream));
    return ST_OK;
}

/* In plain layout a copy. In the others each run of memory holds `block` channels of a pixel. */
static Status upload_images(Stream *stream, const Tensor *images, const float *host) {
    (void)stream;
    Shape s = images->shape;
    int64_t map = s.h * s.w, done = 0, n = 0;
    float piece[ROW_PIECE];
    if (images->layout == LAYOUT_PLAIN) {
        row_close(images->dtype, images->data, shape_count(s), host);
        return ST_OK;
    }
    int64_t block = images->layout == LAYOUT_BLOCKED16  ? 16
                    : images->layout == LAYOUT_BLOCKED8 ? 8
                                                        : s.c;
    for (int64_t first = 0; first < s.n * s.c; first += block, host += block * map)
        for (int64_t i = 0; i < map; i++)
            for (int64_t c = 0; c < block; c++) {
                piece[n++] = host[c * map + i];
                if (n < row_piece(shape_count(s), done))
                    continue;
                row_close(images->dtype, row_at(images->dtype, images->data, done), n, piece);
                done += n;
                n = 0;
            }
    return ST_OK;
}

static Status write_tensor(Stream *stream, const Tensor *tensor, const double *host) {
    (void)stream;
    Shape s = tensor->shape;
    DType type = tensor->dtype;
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t c = 0; c < s.c; c++)
            for (int64_t h = 0; h < s.h; h++)
                for (int64_t w = 0; w < s.w; w++) {
                    int64_t i = rule_index(tensor->layout, s, n, c, h, w);
                    float value = (float)*host++;
                    row_close(type, row_at(type, tensor->data, i), 1, &value);
                }
    return ST_OK;
}

static Status read_tensor(Stream *stream, double *host, const Tensor *tensor) {
    (void)stream;
    Shape s = tensor->shape;
    DType type = tensor->dtype;
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t c = 0; c < s.c; c++)
            for (int64_t h = 0; h < s.h; h++)
                for (int64_t w = 0; w < s.w; w++) {
                    int64_t i = rule_index(tensor->layout, s, n, c, h, w);
                    float room;
                    *host++ = *row_read(type, row_at(type, tensor->data, i), 1, &room);
                }
    return ST_OK;
}

static bool wants_nhwc(const Layer *layer, bool wide) {
    const ConvArgs *conv = &layer->args.conv;
    if (layer->kind == LAYER_CONV)
        return rule_groups_want_nhwc(conv->groups, layer->in[0].c, conv->channels, conv->kernel,
                                     wide);
    return layer_type(layer->kind)->along_channels;
}

static Status layouts(Device *base, const OpTensors *ops, int n_ops, Tensor *tensors,
                      int n_tensors) {
    const CpuDevice *device = (const CpuDevice *)base;
    bool want_nhwc = false;
    Shape *shapes = calloc((size_t)n_tensors, sizeof *shapes);
    int *chosen = calloc((size_t)n_tensors, sizeof *chosen);
    Status status = ST_OK;
    if (!shapes || !chosen) {
        status = FAIL(ST_INTERNAL, "out of memory");
        goto done;
    }
    for (int i = 0; i < n_tensors; i++)
        shapes[i] = tensors[i].shape;
    for (int o = 0; o < n_ops; o++)
        want_nhwc = want_nhwc || wants_nhwc(ops[o].layer, device->wide);
    rule_layouts(shapes, n_tensors, want_nhwc, device->wide, chosen);
    for (int i = 0; i < n_tensors; i++) {
        tensors[i].layout = chosen[i];
        tensors[i].dtype = device->activation;
        tensors[i].bytes = (size_t)shape_count(shapes[i]) * dtype_size(device->activation);
    }
done:
    free(chosen);
    free(shapes);
    return status;
}

static const DeviceOps device_ops = {
    .name = "cpu",
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
#define LAYER(lower, UPPER) [LAYER_##UPPER] = &cpu_##lower,
#include "lockstep/layers.def"
#undef LAYER
        },
    .to_fixed = cpu_to_fixed,
    .to_shifted = cpu_to_shifted,
    .widen = cpu_widen,
    .to_real = cpu_to_real,
    .norm = cpu_norm,
    .update = cpu_update,
    .muon = cpu_muon,
    .layerwise = cpu_layerwise,
    .lookahead = cpu_lookahead,
};

/* Names the arithmetic, as people call it and as ranks compare it: in bf16 it is another. */
static void describe(CpuDevice *device, const Processor *processor) {
    const dnnl_version_t *version = dnnl_version();
    const WinogradPasses *own = winograd_of(device);
    bool bf16 = device->activation == DT_BF16;
    bool winograd = own || (!bf16 && primitive_has_winograd(device->engine, device->wide));
    snprintf(device->base.description, sizeof device->base.description, "oneDNN %d.%d.%d, %s, %s",
             version->major, version->minor, version->patch,
             bf16 ? processor->bf16_family : processor->family,
             bf16 ? (winograd ? "bf16 with Winograd" : "bf16")
                  : (winograd ? "Winograd" : "direct convolution (it has no Winograd here)"));
    snprintf(device->base.instruction_set, sizeof device->base.instruction_set, "%s%s%s",
             processor->name, own || bf16 ? ", " : "",
             own    ? own->name
             : bf16 ? "bf16"
                    : "");
}

Status device_open_cpu(const DeviceOptions *options, Device **out) {
    Processor processor = processor_of_onednn();
    TRY(host_accepts(options, true));
    TRY(processor_takes_one_thread());
    if (options->precision == PRECISION_BF16)
        TRY(processor_has_bf16(&processor));
    omp_set_num_threads(1);
    CpuDevice *device = calloc(1, sizeof *device);
    TRY_ALLOC(device);
    dnnl_status_t result = dnnl_engine_create(&device->engine, dnnl_cpu, 0);
    if (result != dnnl_success)
        free(device);
    TRY_DNNL(result);
    device->wide = processor.wide;
    device->convolutions = options->convolutions;
    device->bf16_vectors = options->precision == PRECISION_BF16 && processor.bf16_vectors;
    device->f32_vectors = options->precision != PRECISION_BF16 && processor.f32_vectors;
    device->activation = options->precision == PRECISION_BF16 ? DT_BF16 : DT_F32;
    device->base.ops = &device_ops;
    device->base.real = DT_F32;
    device->base.fuses_relu =
        1u << LAYER_CONV | 1u << LAYER_BN | 1u << LAYER_LINEAR | 1u << LAYER_ADD;
    describe(device, &processor);
    *out = &device->base;
    return ST_OK;
}
