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

/* In plain layout a memcpy. In the others each run of memory holds `block` channels of a pixel. */
static Status upload_images(Stream *stream, const Tensor *images, const float *host) {
    (void)stream;
    Shape s = images->shape;
    int64_t map = s.h * s.w;
    float *to = images->data;
    if (images->layout == LAYOUT_PLAIN) {
        memcpy(to, host, (size_t)shape_count(s) * sizeof(float));
        return ST_OK;
    }
    int64_t block = images->layout == LAYOUT_BLOCKED16  ? 16
                    : images->layout == LAYOUT_BLOCKED8 ? 8
                                                        : s.c;
    for (int64_t first = 0; first < s.n * s.c; first += block, host += block * map)
        for (int64_t i = 0; i < map; i++)
            for (int64_t c = 0; c < block; c++)
                *to++ = host[c * map + i];
    return ST_OK;
}

static Status write_tensor(Stream *stream, const Tensor *tensor, const double *host) {
    (void)stream;
    Shape s = tensor->shape;
    float *to = tensor->data;
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t c = 0; c < s.c; c++)
            for (int64_t h = 0; h < s.h; h++)
                for (int64_t w = 0; w < s.w; w++)
                    to[rule_index(tensor->layout, s, n, c, h, w)] = (float)*host++;
    return ST_OK;
}

static Status read_tensor(Stream *stream, double *host, const Tensor *tensor) {
    (void)stream;
    Shape s = tensor->shape;
    const float *from = tensor->data;
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t c = 0; c < s.c; c++)
            for (int64_t h = 0; h < s.h; h++)
                for (int64_t w = 0; w < s.w; w++)
                    *host++ = from[rule_index(tensor->layout, s, n, c, h, w)];
    return ST_OK;
}

static Status layouts(Device *device, const OpTensors *ops, int n_ops, Tensor *tensors,
                      int n_tensors) {
    (void)ops;
    (void)n_ops;
    Shape *shapes = calloc((size_t)n_tensors, sizeof *shapes);
    int *chosen = calloc((size_t)n_tensors, sizeof *chosen);
    Status status = ST_OK;
    if (!shapes || !chosen) {
        status = FAIL(ST_INTERNAL, "out of memory");
        goto done;
    }
    for (int i = 0; i < n_tensors; i++)
        shapes[i] = tensors[i].shape;
    rule_layouts(shapes, n_tensors, ((CpuDevice *)device)->wide, chosen);
    for (int i = 0; i < n_tensors; i++) {
        tensors[i].layout = chosen[i];
        tensors[i].bytes = (size_t)shape_count(shapes[i]) * sizeof(float);
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
    .to_real = cpu_to_real,
    .norm = cpu_norm,
    .update = cpu_update,
};

/* The instruction set that oneDNN takes, ONEDNN_MAX_CPU_ISA applied: `name` is what ranks compare,
 * `family` what people call it. */
typedef struct InstructionSet {
    dnnl_cpu_isa_t isa;
    const char *name, *family;
} InstructionSet;

static InstructionSet instruction_set(void) {
    static const InstructionSet known[] = {
        {dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx", "AVX-512"},
        {dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16", "AVX-512"},
        {dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni", "AVX-512"},
        {dnnl_cpu_isa_avx512_core, "avx512_core", "AVX-512"},
        {dnnl_cpu_isa_avx2_vnni, "avx2_vnni", "AVX2"},
        {dnnl_cpu_isa_avx2, "avx2", "AVX2"},
        {dnnl_cpu_isa_avx, "avx", "AVX"},
        {dnnl_cpu_isa_sse41, "sse41", "SSE4.1"},
    };
    dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].isa == isa)
            return known[i];
    return (InstructionSet){isa, "unknown", "an unknown instruction set"};
}

Status device_open_cpu(const DeviceOptions *options, Device **out) {
    TRY(host_accepts(options));
    omp_set_num_threads(1);
    CpuDevice *device = calloc(1, sizeof *device);
    TRY_ALLOC(device);
    dnnl_status_t result = dnnl_engine_create(&device->engine, dnnl_cpu, 0);
    if (result != dnnl_success)
        free(device);
    TRY_DNNL(result);
    InstructionSet set = instruction_set();
    const dnnl_version_t *version = dnnl_version();
    device->wide = (set.isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
    device->base.ops = &device_ops;
    device->base.real = DT_F32;
    device->base.fuses_relu =
        1u << LAYER_CONV | 1u << LAYER_BN | 1u << LAYER_LINEAR | 1u << LAYER_ADD;
    snprintf(device->base.description, sizeof device->base.description, "oneDNN %d.%d.%d, %s, %s",
             version->major, version->minor, version->patch, set.family,
             primitive_has_winograd(device->engine, device->wide)
                 ? "Winograd"
                 : "direct convolution (it has no Winograd here)");
    snprintf(device->base.instruction_set, sizeof device->base.instruction_set, "%s", set.name);
    *out = &device->base;
    return ST_OK;
}
