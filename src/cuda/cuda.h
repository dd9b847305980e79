/* cuda/cuda: the GPU of a rank and its streams.
 *
 * A rank uses one GPU: its local rank modulo the GPUs it can see. CUDA keeps the current device per
 * thread, and a stream is used by other threads than the one that opened it, so each function that
 * enqueues work calls cuda_enter first.
 *
 * Copies go through pinned memory of the stream: a ring of staging bytes, so that the host's own
 * buffers may be any memory, copies never wait for the host, and a download reaches its place at
 * sync. When the ring is full, the copy that does not fit waits for the earlier ones. */
#ifndef LOCKSTEP_CUDA_CUDA_H
#define LOCKSTEP_CUDA_CUDA_H

#include "check.h"
#include "graph.h"
#include "kernels.h"
#include "lockstep/device.h"

/* Values of Tensor.layout on this backend besides LAYOUT_PLAIN: N, H, W, C. A map of 1 x 1 looks
 * the same in both and is always called plain. */
enum { LAYOUT_NHWC = 1 };

enum {
    CUDA_TEMP_BYTES = 8 << 20,      /* of Stream.temp */
    CUDA_STAGING_BYTES = 16 << 20,  /* pinned, of a stream */
    CUDA_WORKSPACE_MAX = 256 << 20, /* that an engine may ask for */
    CUDA_OLDEST_GPU = 80            /* compute capability, times 10 */
};

typedef struct Tune Tune;

typedef struct CudaDevice {
    Device base;
    int index;   /* of the GPU among those this process sees; -1: plans only */
    bool speaks; /* the first process of its host, which says what is of the host */
    Precision precision;
    DType activation; /* DT_F32, or DT_BF16 with precision bf16 */
    GraphTarget target;
    Tune *tune; /* owned: tune.h; NULL: the rule alone chooses engines */
} CudaDevice;

/* A download on its way: `bytes` at `staged` go to `host` at sync. */
typedef struct PendingCopy {
    void *host;
    const void *staged;
    size_t bytes;
} PendingCopy;

/* Three of each evaluation batch are on their way at once (src/engine/evaluate.c). */
enum { PENDING_COPIES_MAX = 128 };

struct Stream {
    CudaDevice *device; /* borrowed */
    cudaStream_t stream;
    cudnnHandle_t cudnn;
    bool recording; /* between record_begin and record_end */
    char *staging;  /* pinned, [CUDA_STAGING_BYTES] */
    size_t staging_used;
    int n_pending;
    PendingCopy pending[PENDING_COPIES_MAX];
    void *temp;     /* device memory, [CUDA_TEMP_BYTES], for one call at a time */
    KernelRun *run; /* device memory: what kernels read of the lane that is computed */
    KernelRun last; /* the same as was last enqueued; seed, step and lane 0 at first */
    /* n_pending and staging_used when a mark was last set: what is before them is done with it */
    int copies_before;
    size_t staged_before;
};

/* What the shared object shows: its entry, and what tools that plan without a GPU call. All other
 * names stay inside. */
#define CUDA_SHOWN __attribute__((visibility("default")))

static inline const char *cuda_precision_name(Precision precision) {
    return precision == PRECISION_BF16 ? "bf16" : precision == PRECISION_TF32 ? "tf32" : "fp32";
}

/* Makes the device the calling thread's current one (stream.c). */
Status cuda_enter(const CudaDevice *device);

/* Memory, streams and copies (stream.c): members of DeviceOps. */
Status cuda_alloc(Device *device, size_t bytes, void **memory);
void cuda_release(Device *device, void *memory);
Status cuda_stream_open(Device *device, Stream **stream);
void cuda_stream_close(Stream *stream);
Status cuda_sync(Stream *stream, double seconds);
Status cuda_reach(Stream *stream, Mark *mark, double seconds); /* of MarkOps */
Status cuda_upload(Stream *stream, void *device_memory, const void *host, size_t bytes);
Status cuda_download(Stream *stream, void *host, const void *device_memory, size_t bytes);

/* Tensors (tensor.c): members of DeviceOps. */
Status cuda_upload_images(Stream *stream, const Tensor *images, const float *host);
Status cuda_write_tensor(Stream *stream, const Tensor *tensor, const double *host);
Status cuda_read_tensor(Stream *stream, double *host, const Tensor *tensor);
Status cuda_layouts(Device *device, const OpTensors *ops, int n_ops, Tensor *tensors,
                    int n_tensors);

/* Recordings (recording.c), and naming the lane that is computed, for what is not recorded. */
extern const RecordingOps cuda_recording;
Status cuda_lane(Stream *stream, const LaneRun *run);

/* Flat ranges (flat.c): members of DeviceOps. norm's `partial` and
 * `digest` are host memory, there after sync. */
Status cuda_to_fixed(Stream *stream, int64_t *sum, const void *value, int64_t count, double scale,
                     double bound, bool add, int64_t *bad);
Status cuda_to_shifted(Stream *stream, int64_t *sum, int32_t *low, const void *value, int64_t count,
                       const Shifts *shifts, double scale, double bound, bool add, int64_t *bad,
                       void *peak);
Status cuda_widen(Stream *stream, int64_t *sum, const int32_t *low, int64_t count,
                  const Shifts *shifts);
Status cuda_to_real(Stream *stream, void *sum, const void *value, int64_t count, bool add);
Status cuda_norm(Stream *stream, double *partial, const int64_t *fixed, const void *gradient,
                 int64_t count, double scale);
Status cuda_update(Stream *stream, const Update *update, const UpdateRange *range);
Status cuda_muon(Stream *stream, const Update *update, const UpdateRange *range, int64_t rows,
                 int64_t cols, void *scratch); /* wholes.c */
Status cuda_layerwise(Stream *stream, const Update *update, const UpdateRange *range,
                      void *scratch); /* likewise */
Status cuda_lookahead(Stream *stream, void *slow, void *fast, int64_t count, double alpha);
Status cuda_convert(Stream *stream, void *to, DType to_type, const void *from, DType from_type,
                    int64_t count);
Status cuda_digest(Stream *stream, Digest *digest, const void *value, int64_t count);
Status cuda_copy(Stream *stream, void *to, const void *from, size_t bytes);

extern const FinishOps cuda_finish; /* finish.c */
extern const ImageOps cuda_images;  /* from records in device memory (flat.c) */
extern const MarkOps cuda_marks;    /* mark.c */
extern const TermOps cuda_terms;    /* flat.c */

/* The entry of the shared object: what device_open_cuda calls. */
Status cuda_open(const DeviceOptions *options, Device **device);

/* What device_cuda_versions calls. */
void cuda_versions(CudaVersions *versions);

/* What device_cuda_reaches calls. */
bool cuda_reaches(const char *address);

/* A device for planning alone: the GPU that `properties` (cuDNN's JSON) describes need not be
 * there. Programs can be built on it; nothing runs. `planned` as in GraphTarget. */
Status cuda_open_plans(const char *properties, const DeviceOptions *options,
                       void (*planned)(void *context, const char *name, const Graph *graph),
                       void *context, Device **device);

#endif
