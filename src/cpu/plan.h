/* cpu/plan: what all ops of this backend share. An op is planned as three lists of steps: pack,
 * forward, backward. A step is a oneDNN primitive or a loop of our own, together with the places of
 * its arguments: "DNNL_ARG_SRC is the first input". Binding turns places into addresses, once a
 * executor; running a list then only executes it. So an op's file holds nothing but its plan.
 *
 * Scratch memory of a call is split in two: `temp`, in which one value at a time is handed from a
 * step to the next one, and behind it the scratchpad of the primitive that runs.
 *
 * Backward steps may overwrite grad_out (a fused ReLU masks it in place): it is dead afterwards. */
#ifndef LOCKSTEP_CPU_PLAN_H
#define LOCKSTEP_CPU_PLAN_H

#include "primitive.h"
#include "lockstep/place.h"
#include "rule.h"

typedef struct CpuDevice {
    Device base;
    dnnl_engine_t engine;
    bool wide; /* 512-bit registers: blocks of 16 channels, Winograd */
} CpuDevice;

struct Stream {
    CpuDevice *device; /* borrowed */
    dnnl_stream_t stream;
};

/* An argument of a step: `id` is DNNL_ARG_x for a primitive and unused for a loop, which gets its
 * arguments in the order of the list. */
typedef struct Arg {
    Place place;
    int id;
    size_t offset; /* bytes */
} Arg;

/* A loop of our own over the arguments `at`. */
typedef struct CpuPlan CpuPlan;
typedef Status (*Loop)(const CpuPlan *plan, void *const *at, const LaneRun *run);

enum { STEP_ARGS_MAX = 12, PHASE_STEPS_MAX = 6 };

typedef struct Step {
    Primitive primitive;
    Loop loop; /* instead of a primitive */
    int n_args;
    Arg arg[STEP_ARGS_MAX];
} Step;

typedef enum Phase { PHASE_PACK, PHASE_FORWARD, PHASE_BACKWARD, PHASES } Phase;

/* Steps with the addresses of one executor. */
typedef struct BoundList {
    int n;
    struct BoundStep {
        const Step *step; /* borrowed from the plan */
        int n_args;
        dnnl_exec_arg_t arg[STEP_ARGS_MAX];
        void *at[STEP_ARGS_MAX];
    } step[PHASE_STEPS_MAX];
} BoundList;

struct CpuPlan {
    OpPlan base;
    CpuDevice *device; /* borrowed */
    int n_steps[PHASES];
    Step step[PHASES][PHASE_STEPS_MAX];
    size_t temp_bytes;
    BoundList *pack; /* owned; its addresses are set at each call. NULL: nothing to pack */
};

struct OpBound {
    const CpuPlan *plan;
    BoundList forward, backward;
};

/* Appends the steps of one op to a fresh plan. */
typedef Status (*PlanSteps)(CpuPlan *plan);

/* Makes a plan: calls `steps`, then adds up memory. */
Status plan_make(Device *device, const Op *op, const OpDesc *desc, PlanSteps steps, OpPlan **plan);

/* Appends a step; `args` ends with a zeroed Arg. Its primitive or loop is the caller's to set. */
Step *plan_step(CpuPlan *plan, Phase phase, const Arg *args);
#define STEP(plan, phase, ...) plan_step((plan), (phase), (Arg[]){__VA_ARGS__, {0}})

/* Appends one more argument to a step. */
void step_argument(Step *step, Arg arg);

/* Room for `bytes` in the op's saved memory: its offset; and in temp, at its start. */
size_t plan_saved(CpuPlan *plan, size_t bytes);
void plan_temp(CpuPlan *plan, size_t bytes);

/* The weights argument of `step`, given as AT_WEIGHT: redirects it to a packed copy, and appends
 * the packing, where the primitive wants another form than `plain`. */
Status plan_weights(CpuPlan *plan, Step *step, const MemDesc *plain);

/* The weights' gradient of `step`, given as AT_GRAD_WEIGHT: redirects it through temp where the
 * primitive's form is another than `plain`. */
Status plan_grad_weights(CpuPlan *plan, Step *step, const MemDesc *plain);

/* The gradient of input `input` that `step` writes as `id`: redirects it through temp and appends
 * the addition where it must be added. */
Status plan_grad_in(CpuPlan *plan, Step *step, int id, int input);

/* Masks grad_out in place where a ReLU is fused and not part of the op's own primitive: append
 * first. Reads the output. */
Status plan_grad_relu(CpuPlan *plan);

/* The steps of pooling (pool.c), and of an element-wise function of one input (pointwise.c). */
Status plan_pool(CpuPlan *plan, bool average);
Status plan_pointwise(CpuPlan *plan, Pointwise function, double factor);

/* Descriptors of the op's activations, in forms that fit each other. */
MemDesc plan_md_in(const CpuPlan *plan);
MemDesc plan_md_out(const CpuPlan *plan);

/* Members of Op, the same for all kinds. */
void plan_free(OpPlan *plan);
Status plan_pack(Stream *stream, const OpPlan *plan, const Tensor param[LAYER_PARAMS_MAX],
                 void *packed);
Status plan_bind(const OpPlan *plan, const OpMemory *memory, OpBound **bound);
void plan_unbind(OpBound *bound);
Status plan_forward(Stream *stream, OpBound *bound, const LaneRun *run);
Status plan_backward(Stream *stream, OpBound *bound, const LaneRun *run);

/* Defines `cpu_KIND`, the Op whose steps KIND_steps appends. */
#define CPU_OP(kind)                                                                               \
    static Status kind##_plan(Device *device, const OpDesc *desc, OpPlan **plan) {                 \
        return plan_make(device, &cpu_##kind, desc, kind##_steps, plan);                           \
    }                                                                                              \
    const Op cpu_##kind = {.plan = kind##_plan,                                                    \
                           .unplan = plan_free,                                                    \
                           .pack = plan_pack,                                                      \
                           .bind = plan_bind,                                                      \
                           .unbind = plan_unbind,                                                  \
                           .forward = plan_forward,                                                \
                           .backward = plan_backward}

#define LAYER(lower, UPPER) extern const Op cpu_##lower;
#include "lockstep/layers.def"
#undef LAYER

/* Flat ranges (flat.c): members of DeviceOps. */
Status cpu_to_fixed(Stream *stream, int64_t *sum, const void *value, int64_t count, double scale,
                    double bound, bool add, int64_t *bad);
Status cpu_to_real(Stream *stream, void *sum, const void *value, int64_t count, bool add);
Status cpu_norm(Stream *stream, double *partial, const int64_t *fixed, const void *gradient,
                int64_t count, double scale);
Status cpu_update(Stream *stream, const Update *update, const UpdateRange *range);

/* Compiles a loop for each width of registers. Results have the same bits in each: no contraction
 * to fused multiply-adds (-ffp-contract=off), no reassociation. */
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))

#endif
