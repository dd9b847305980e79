/* device: the interface between the trainer and what computes. Three backends stand behind it: ref
 * (plain C loops, the truth in tests), cpu (oneDNN) and cuda (cuDNN).
 *
 * How work flows. A Program (program.h) is a model planned for one batch size. For each of its ops
 * the device makes an OpPlan once: primitives, algorithms, sizes of memory wanted; plans are
 * immutable and shared by all compute threads or streams of the rank. A Executor is one place where
 * a lane can be computed: one stream and one set of buffers; an OpPlan is bound to each executor's
 * memory once (OpBound), so that the step loop neither allocates nor looks anything up. forward and
 * backward only enqueue on the stream; on the CPU the stream executes in the calling thread. Device
 * memory is touched by device functions alone.
 *
 * Which gradients assign and which add. Parameter gradients always assign: a parameter belongs to
 * one layer. An activation read by several layers gets its gradient from each of them;
 * OpDesc.grad_in says for each input whether this op's backward assigns it, adds to it, or leaves
 * it out; where inputs of an op are one tensor, the first of them may assign and the others add.
 *
 * Same bits. Layout and algorithm follow from (shapes, batch, instruction set, library version)
 * alone; or from choices that were made once by timing and are given to `tune` as text.
 *
 * All functions are Local. Errors: ST_DEVICE (library or memory), ST_INTERNAL. */
#ifndef LOCKSTEP_DEVICE_H
#define LOCKSTEP_DEVICE_H

#include "lockstep/digest.h"
#include "lockstep/finish.h"
#include "lockstep/layer.h"
#include "lockstep/image_rule.h"
#include "lockstep/shifts.h"
#include "lockstep/terms.h"
#include "lockstep/update.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Device Device; /* opened by a backend, which embeds this struct first */
typedef struct Stream Stream; /* backend's own */
typedef struct OpPlan OpPlan; /* likewise */
typedef struct OpBound OpBound;
typedef struct Recording Recording;
typedef struct Finish Finish; /* likewise */
typedef struct Mark Mark;     /* likewise: a place in a stream's work (CUDA: a cudaEvent_t) */

typedef enum GradMode { GRAD_NONE, GRAD_ASSIGN, GRAD_ADD } GradMode;

/* What an op is planned for. Tensors carry shape (n = batch), dtype and layout, no data. */
typedef struct OpDesc {
    const Layer *layer; /* kind and arguments; borrowed */
    int index;          /* of the layer in the model: part of dropout's counter (dropout.h) */
    int ordinal;        /* among the layers of its kind, from 0: lane_mask */
    bool training;      /* false: forward only, running statistics, no dropout */
    bool add;           /* the sum with in[1] is fused behind it (Device.fuses_add) */
    bool relu;          /* a ReLU is fused behind it (Device.fuses_relu), after that sum */
    bool keeps_form;    /* a weight's gradient may stay in another form: OpPlan.grad_form */
    int n_in;           /* a fused addition's summand is the last of them */
    Tensor in[LAYER_INPUTS_MAX], out;
    GradMode grad_in[LAYER_INPUTS_MAX];
} OpDesc;

/* OpPlan.backward_reads_in of an op whose backward reads in[k]; several are or-ed. */
#define READS_IN(k) (1u << (k))

/* A backend embeds this first in its own plan. */
struct OpPlan {
    const struct Op *op;
    OpDesc desc;
    /* Kept by an executor from forward to backward: pooling indices, batch mean ... */
    size_t saved_bytes;
    /* Needed during one call only: one buffer an executor, as large as the largest. */
    size_t scratch_bytes;
    /* Weights in the form the op wants, one copy a program. */
    size_t packed_bytes;
    /* Doubles that forward, and backward, of an op over the whole step leave in OpMemory.shared;
     * the caller puts their sums over all lanes of the step there before forward_rest, and
     * backward_rest, do what is left. 0: forward and backward are all there is. */
    int shared;
    /* Which activations must live until backward: bit k stands for in[k]. A fused addition's
     * summand need not, for no gradient depends on it. */
    unsigned backward_reads_in;
    bool backward_reads_out;
    /* Of OpMemory.grad_param, with OpDesc.keeps_form. */
    TermForm grad_form[LAYER_PARAMS_MAX];
    /* For the log: the device's library has no engine for some of it, which kernels of lockstep's
     * own compute instead. */
    bool own_kernels;
    /* For `bench`: what computes forward, in words of the device or its library; NULL: not told. */
    const char *arithmetic;
};

/* The memory an op of one executor works on. Gradients mirror activations in shape and layout.
 * Parameters, running statistics and labels are LAYOUT_PLAIN. Unused tensors have data NULL. */
typedef struct OpMemory {
    Tensor in[LAYER_INPUTS_MAX], out;
    Tensor grad_in[LAYER_INPUTS_MAX], grad_out;
    /* real[count]: views of the flat weights and of the executor's flat gradient, which may be of
     * OpPlan.grad_form. */
    Tensor param[LAYER_PARAMS_MAX], grad_param[LAYER_PARAMS_MAX];
    /* Evaluation: mean and variance to normalise with. */
    Tensor running[LAYER_RUNNING_MAX];
    /* Training bn writes batch mean and unbiased variance (0 of a single value) here. */
    Tensor stats[LAYER_RUNNING_MAX];
    /* softmax_ce: int32[batch]; and what it writes: the loss of each image, real[batch], and the
     * class of its largest logit, the lowest of equals, int32[batch]. */
    Tensor labels, loss, predicted;
    /* softmax_ce in training, of mixed images: SecondLabel[batch]. data NULL: no image has one. */
    Tensor second;
    void *saved, *scratch, *packed;
    double *shared; /* device memory, [OpPlan.shared] */
} OpMemory;

/* What changes from one lane of one step to the next. */
typedef struct LaneRun {
    uint64_t seed;
    int64_t step; /* from 0: the step that is being computed */
    int32_t lane; /* of the run, not of the rank */
    /* 1 / images of the global step: softmax_ce's gradient of one image's loss. */
    double loss_scale;
    /* Tests only: keep-masks (1 keep, in logical N, C, H, W order) instead of Philox for the first
     * dropout layers, [n_dropout_masks], NULL for those that draw theirs. */
    int n_dropout_masks;
    const uint8_t *const *dropout_mask;
} LaneRun;

/* The keep-mask given to the dropout layer of that OpDesc.ordinal, or NULL. */
static inline const uint8_t *lane_mask(const LaneRun *run, int ordinal) {
    return ordinal < run->n_dropout_masks ? run->dropout_mask[ordinal] : NULL;
}

/* One layer kind on one backend. Functions a kind does not need are NULL (pack; backward in a
 * backend without training). */
typedef struct Op {
    /* Plans `desc`; *plan's first member is filled. */
    Status (*plan)(Device *device, const OpDesc *desc, OpPlan **plan);
    void (*unplan)(OpPlan *plan);
    /* Brings the master weights into the op's own form (layout, precision) in `packed`: called
     * after every update of the weights, once for all executors. */
    Status (*pack)(Stream *stream, const OpPlan *plan, const Tensor param[LAYER_PARAMS_MAX],
                   void *packed);
    Status (*bind)(const OpPlan *plan, const OpMemory *memory, OpBound **bound);
    void (*unbind)(OpBound *bound);
    Status (*forward)(Stream *stream, OpBound *bound, const LaneRun *run);
    /* May overwrite grad_out: nothing but backward_rest reads it afterwards. */
    Status (*backward)(Stream *stream, OpBound *bound, const LaneRun *run);
    /* Where OpPlan.shared is not 0; otherwise never called, and may be NULL. */
    Status (*forward_rest)(Stream *stream, OpBound *bound, const LaneRun *run);
    Status (*backward_rest)(Stream *stream, OpBound *bound, const LaneRun *run);
} Op;

/* Choices of algorithms, and how they came about. */
typedef struct Tuning {
    char *choices;   /* text, one line an op; the caller frees it */
    int64_t timed;   /* ops that were timed */
    int64_t gained;  /* of these, where another algorithm than the rule's was the fastest */
    int64_t missing; /* ops that the rule decided: the text says nothing of them, or time was up */
    bool foreign; /* the text is of another device, library or arithmetic: the rule decided all */
} Tuning;

/* What the rule of layouts sees of an op of a program: its first layer, and which of the program's
 * tensors it reads and writes. */
typedef struct OpTensors {
    const Layer *layer; /* borrowed */
    int n_in, in[LAYER_INPUTS_MAX];
    int out; /* -1: none (the loss) */
} OpTensors;

/* Order between streams. */
typedef struct MarkOps {
    Status (*open)(Device *device, Mark **mark);
    void (*close)(Mark *mark);
    /* Sets the mark behind all that is enqueued so far. */
    Status (*set)(Stream *stream, Mark *mark);
    /* Keeps what is enqueued later until the mark's work is done: at once if it was never set. */
    Status (*wait)(Stream *stream, Mark *mark);
    /* Seconds from one mark to a later one, both reached. */
    Status (*elapsed)(const Mark *from, const Mark *to, double *seconds);
    /* As sync, but returns when the mark's work is done; the mark was the last to be set on this
     * stream. */
    Status (*reach)(Stream *stream, Mark *mark, double seconds);
} MarkOps;

/* A device on which the gradients of a rank's lanes stay until all are there: as
 * DeviceOps.to_fixed, to_shifted and to_real of each of count elements of all terms, the first one
 * assigned and the others added in their order, but in one pass. */
typedef struct TermOps {
    Status (*fixed)(Stream *stream, int64_t *sum, const Terms *terms, int64_t count, double scale,
                    double bound, int64_t *bad);
    Status (*shifted)(Stream *stream, int64_t *sum, int32_t *low, const Terms *terms, int64_t count,
                      const Shifts *shifts, double scale, double bound, int64_t *bad);
    Status (*real)(Stream *stream, void *sum, const Terms *terms, int64_t count);
} TermOps;

/* A device that makes images itself. */
typedef struct ImageOps {
    /* images[n] from the uint8 records at `records`, which stay in device memory, as what is drawn
     * (device memory) says; unless partner's placement is NULL, mixed with its image n where
     * Placement.mix of the first says so. */
    Status (*load)(Stream *stream, const Tensor *images, const uint8_t *records,
                   const ImageDraws *drawn, const ImageDraws *partner, const ImageRule *rule);
} ImageOps;

/* A device that pays for each call it is given can keep a sequence of them and run it as one. What
 * forward and backward enqueue between begin and end is not run but kept; replay runs it, on the
 * same memory, for the lane that `lane` last named. Only ops may be recorded, packing of what has
 * parameters, and a step's end, no copies. */
typedef struct RecordingOps {
    Status (*lane)(Stream *stream, const LaneRun *run);
    Status (*begin)(Stream *stream);
    Status (*end)(Stream *stream, Recording **recording);
    Status (*replay)(Stream *stream, Recording *recording);
    void (*forget)(Recording *recording); /* accepts NULL */
} RecordingOps;

/* A device that ends a step without the host (finish.h). */
typedef struct FinishOps {
    Status (*open)(Device *device, const FinishPlan *plan, Finish **finish);
    void (*close)(Finish *finish); /* accepts NULL */
    /* Judges the sums, and makes the norm of what is counted where gradients are clipped: *norm, to
     * be read after sync. turn[n_ranges]; alpha as in DeviceOps.lookahead. */
    Status (*judge)(Stream *stream, Finish *finish, const FinishTurn *turn, double alpha,
                    double *norm);
    /* Updates weights, moving average, slow weights and running statistics, unless the sums that
     * were judged last are bad. Can be recorded. */
    Status (*update)(Stream *stream, Finish *finish);
} FinishOps;

/* Choices of algorithms by timing instead of by rule. */
typedef struct TuningOps {
    /* To be called before programs are built. Without a text each op that is planned from now on is
     * timed with the first few algorithms that the rule allows, for about `seconds` in all; the
     * fastest is chosen. With the text of an earlier `end` that decides: what it does not name, the
     * rule. ST_CHECKPOINT where it is no such text. */
    Status (*begin)(Device *device, const char *choices, double seconds);
    /* Ends the timing and gives all choices made or followed so far. ST_CHECKPOINT where the text
     * names an algorithm that cannot be had. */
    Status (*end)(Device *device, Tuning *tuning);
} TuningOps;

/* How the programs of a device came to their plans. */
typedef struct Planning {
    char *text;          /* all plans in use, for a later `begin`; the caller frees it */
    int64_t made, taken; /* plans that were made, and those that were kept from earlier */
} Planning;

/* A device whose library takes long to plan can keep plans: it has a cache of its own, on disk, and
 * takes and gives them as text. Plans are the library's word for what the rule or a choice comes
 * to: whether one is made or taken changes no bit. */
typedef struct PlanningOps {
    /* Optional, before programs are built: what an earlier `end` gave. What is damaged in it, or of
     * another device, is passed over with a line in the log. */
    Status (*begin)(Device *device, const char *text);
    /* After that. Warns where the library lacks what it plans with, so that kernels of the
     * backend's own compute in its place; one process a host says so. */
    Status (*end)(Device *device, Planning *planning);
} PlanningOps;

typedef struct DeviceOps {
    const char *name; /* "ref", "cpu", "cuda" */
    void (*close)(Device *device);

    Status (*alloc)(Device *device, size_t bytes, void **memory); /* 64-byte aligned, zeroed */
    void (*release)(Device *device, void *memory);                /* accepts NULL */
    Status (*stream_open)(Device *device, Stream **stream);
    void (*stream_close)(Stream *stream);
    /* Returns when all enqueued work is done; ST_DEADLINE after `seconds`. */
    Status (*sync)(Stream *stream, double seconds);
    /* Enqueued copies between host and device memory. Host memory must stay as it is until sync. */
    Status (*upload)(Stream *stream, void *device_memory, const void *host, size_t bytes);
    Status (*download)(Stream *stream, void *host, const void *device_memory, size_t bytes);
    /* A batch of images, real NCHW on the host, into an activation tensor of any layout. */
    Status (*upload_images)(Stream *stream, const Tensor *images, const float *host);
    /* For rare uses, tests and tools: copies between an activation (or its gradient) of any layout
     * and double N, C, H, W on the host. They return when the copy is done, and may allocate. */
    Status (*write_tensor)(Stream *stream, const Tensor *tensor, const double *host);
    Status (*read_tensor)(Stream *stream, double *host, const Tensor *tensor);

    /* Assigns layout and bytes, and a narrower dtype where it computes in one, to all activations
     * of one program, which come with shape and dtype; tensors[0] is the image. A pure rule over
     * the whole lists. */
    Status (*layouts)(Device *device, const OpTensors *ops, int n_ops, Tensor *tensors,
                      int n_tensors);

    const Op *ops[LAYER_KINDS]; /* NULL: not supported, reported when a program is built */

    /* What a device may have: NULL, or all of a table. Without marks a stream executes in the
     * calling thread, so the order of calls is enough; without images they come from the host. */
    const MarkOps *marks;
    const ImageOps *images;
    const RecordingOps *recording;
    const TuningOps *tuning;
    /* Optional. NULL: planning takes no time worth keeping. */
    const PlanningOps *planning;

    /* Flat ranges. to_fixed: sum[i] = (add ? sum[i] : 0) + round-to-nearest-even(value[i] * scale),
     * and *bad (device memory) grows by the number of values that are NaN or not below `bound` in
     * size; these count as 0. to_real: the same in real arithmetic for the native reduction. */
    Status (*to_fixed)(Stream *stream, int64_t *sum, const void *value, int64_t count, double scale,
                       double bound, bool add, int64_t *bad);
    Status (*to_real)(Stream *stream, void *sum, const void *value, int64_t count, bool add);
    /* As to_fixed, but each term is a multiple of 2^shift of its element's parameter:
     * round-to-nearest-even(value[i] * scale / 2^shift) * 2^shift. peak[parameter] (reals, device
     * memory) grows to the largest size of a value that is not bad. Unless `low` is NULL, low[i] =
     * sum[i] / 2^shift afterwards, modulo 2^32. widen: the way back, sum[i] = low[i] * 2^shift. */
    Status (*to_shifted)(Stream *stream, int64_t *sum, int32_t *low, const void *value,
                         int64_t count, const Shifts *shifts, double scale, double bound, bool add,
                         int64_t *bad, void *peak);
    Status (*widen)(Stream *stream, int64_t *sum, const int32_t *low, int64_t count,
                    const Shifts *shifts);
    /* partial[c] = sum of (grad * scale)^2 in double over chunk c of NORM_CHUNK elements. `partial`
     * is host memory, to be read after sync. */
    Status (*norm)(Stream *stream, double *partial, const int64_t *fixed, const void *real,
                   int64_t count, double scale);
    Status (*update)(Stream *stream, const Update *update, const UpdateRange *range);
    /* Muon's update of a matrix, rows x cols = range->count; its moving average is update's.
     * scratch: [muon_scratch reals] device memory. */
    Status (*muon)(Stream *stream, const Update *update, const UpdateRange *range, int64_t rows,
                   int64_t cols, void *scratch);
    /* LARS's or LAMB's update of a tensor of two or more dimensions, with the norms of all of
     * range; its moving average is update's. scratch: [update_scratch reals] device memory. */
    Status (*layerwise)(Stream *stream, const Update *update, const UpdateRange *range,
                        void *scratch);
    /* slow += alpha (fast - slow); fast = slow: real[count] each. */
    Status (*lookahead)(Stream *stream, void *slow, void *fast, int64_t count, double alpha);
    /* Optional: reals to bfloat16, rounded to nearest even, or back. NULL: sums travel as reals. */
    Status (*convert)(Stream *stream, void *to, DType to_type, const void *from, DType from_type,
                      int64_t count);
    /* Optional: *digest of real[count]; host memory, to be read after sync. NULL: the host looks at
     * a copy. */
    Status (*digest)(Stream *stream, Digest *digest, const void *value, int64_t count);
    /* Optional: an enqueued copy within device memory, beside which a download can go on. */
    Status (*copy)(Stream *stream, void *to, const void *from, size_t bytes);
    /* Optional. NULL: the host ends steps, with what stands above. */
    const FinishOps *finish;
    /* Optional, of a device with marks. NULL: lanes are added one by one. */
    const TermOps *terms;
} DeviceOps;

struct Device {
    const DeviceOps *ops;
    DType real;               /* DT_F32; DT_F64 in the double build of ref */
    uint32_t fuses_relu;      /* bit LAYER_x: a ReLU can be fused behind this kind */
    uint32_t fuses_add;       /* bit LAYER_x: so can the sum with another tensor of its shape */
    char description[128];    /* one line for the log: "oneDNN 2.6.3, AVX-512, Winograd" */
    char instruction_set[32]; /* what ranks compare and checkpoints carry: "avx512_core", "sm_90" */
    bool accelerator;         /* has cores of its own: one thread of a rank feeds it */
    char address[24];         /* an accelerator's on its host, by PCI: "00000000:3b:00.0" */
};

/* Arithmetic. fp32: nothing rounds its inputs; tf32 (a GPU's): convolutions and products round
 * theirs to 10 bits of mantissa; bf16: activations, their gradients and the weights they meet are
 * bfloat16, while master weights, batch-norm statistics, the loss and sums stay fp32. */
typedef enum Precision { PRECISION_FP32, PRECISION_TF32, PRECISION_BF16 } Precision;

/* How convolutions are computed where there are several ways: as the cpu backend's rule says, or,
 * for measurements that the rule is fitted to, all directly, or all by Winograd's algorithm that
 * can be. Nothing that is kept tells of it, so nothing is trained so. */
typedef enum ConvAlgorithm { CONV_BY_RULE, CONV_DIRECT, CONV_WINOGRAD } ConvAlgorithm;

/* What a device is asked for. A backend that cannot do it refuses: ST_USAGE, in the words of the
 * options that ask for it. */
typedef struct DeviceOptions {
    int local_rank; /* of this process among those of its host: GPU = local_rank % visible ones */
    Precision precision;
    bool exact;                 /* only algorithms that give the same bits in every run */
    bool autotune;              /* algorithms are to be chosen by timing (DeviceOps.tuning) */
    bool bf16_sums;             /* sums over ranks are to travel as bfloat16 (DeviceOps.convert) */
    ConvAlgorithm convolutions; /* of the cpu backend */
} DeviceOptions;

enum { CUDA_LIBRARIES = 3, CUDA_VERSION_TEXT = 16 };

/* The libraries of the CUDA backend. */
typedef struct CudaVersions {
    const char *name[CUDA_LIBRARIES]; /* "CUDA" (its runtime), "cuDNN", "NCCL" */
    char built[CUDA_LIBRARIES][CUDA_VERSION_TEXT], loaded[CUDA_LIBRARIES][CUDA_VERSION_TEXT];
    char driver[CUDA_VERSION_TEXT]; /* the newest CUDA that it can run; "": there is no driver */
    int gpus;                       /* that this process sees */
} CudaVersions;

/* The backends. Each opens for this process alone. */
Status device_open_ref(const DeviceOptions *options, Device **device);
/* ref in double precision, for finite differences. */
Status device_open_ref64(const DeviceOptions *options, Device **device);
Status device_open_cpu(const DeviceOptions *options, Device **device);

/* Loads the CUDA backend, a shared object beside the program. ST_DEVICE with one sentence that says
 * why where there is none, or no GPU it can use. */
Status device_open_cuda(const DeviceOptions *options, Device **device);

/* Loads it as well, but needs neither GPU nor driver. */
Status device_cuda_versions(CudaVersions *versions);

/* Whether this thread's GPU may read the memory of the one at that Device.address, by CUDA's word;
 * false where this process does not see it. */
bool device_cuda_reaches(const char *address);

#ifdef __cplusplus
}
#endif
#endif
