/* cuda/plan: what all ops of this backend share. An op is planned as three lists of steps: pack,
 * forward, backward. A step is a cuDNN graph or a launch of our own kernels, together with the
 * places of its arguments: "ROLE_X is the first input". Binding turns places into addresses, once a
 * executor; running a list only enqueues. So an op's file holds nothing but its plan.
 *
 * cuDNN where it has an engine, our own kernel where not: which of the two is part of the plan and
 * follows from shape, precision, library version and GPU model, like the engine itself.
 *
 * Scratch memory of a call is split in two: `temp`, in which one value at a time is handed from a
 * step to the next one, and behind it the workspace of the step that runs. Backward steps may
 * overwrite grad_out (a fused ReLU masks it in place): it is dead afterwards. */
#ifndef LOCKSTEP_CUDA_PLAN_H
#define LOCKSTEP_CUDA_PLAN_H

#include "cuda.h"
#include "lockstep/place.h"

/* An argument of a step: `role` is a graph's and unused for a launch, which gets its arguments in
 * the order of the list. */
typedef struct Arg {
    Place place;
    GraphRole role;
    size_t offset; /* bytes */
} Arg;

/* Enqueues kernels of our own on the arguments `at`. */
typedef struct CudaPlan CudaPlan;
typedef Status (*Launch)(const CudaPlan *plan, Stream *stream, void *const *at, const LaneRun *run);

enum { STEP_ARGS_MAX = 12, PHASE_STEPS_MAX = 6 };

typedef struct Step {
    Graph *graph;
    Launch launch; /* instead of a graph */
    int n_args;
    Arg arg[STEP_ARGS_MAX];
} Step;

typedef enum Phase { PHASE_PACK, PHASE_FORWARD, PHASE_BACKWARD, PHASES } Phase;

/* Steps with the addresses of one executor. */
typedef struct BoundList {
    int n;
    struct BoundStep {
        const Step *step; /* borrowed from the plan */
        GraphCall *call;
        void *at[STEP_ARGS_MAX];
    } step[PHASE_STEPS_MAX];
} BoundList;

struct CudaPlan {
    OpPlan base;
    CudaDevice *device; /* borrowed */
    int n_steps[PHASES];
    Step step[PHASES][PHASE_STEPS_MAX];
    size_t temp_bytes, workspace_bytes;
};

struct OpBound {
    const CudaPlan *plan;
    BoundList forward, backward;
};

/* Appends the steps of one op to a fresh plan. */
typedef Status (*PlanSteps)(CudaPlan *plan);

/* Makes a plan: calls `steps`, then adds up memory. */
Status plan_make(Device *device, const Op *op, const OpDesc *desc, PlanSteps steps, OpPlan **plan);

/* Appends a step; `args` ends with a zeroed Arg. Its graph (which passes to the step) or its launch
 * is the second argument, the other one NULL. */
Step *plan_step(CudaPlan *plan, Phase phase, Graph *graph, Launch launch, const Arg *args);
#define GRAPH_STEP(plan, phase, graph, ...)                                                        \
    plan_step(plan, phase, graph, NULL, (const Arg[]){__VA_ARGS__, {0}})
#define LAUNCH_STEP(plan, phase, launch, ...)                                                      \
    plan_step(plan, phase, NULL, launch, (const Arg[]){__VA_ARGS__, {0}})

/* Whether planning a graph went well. Where cuDNN has no engine the error is forgotten: the caller
 * has another way, and sets OpPlan.own_kernels if that is not cuDNN's. */
bool plan_has_engine(Status status);

/* Room for `bytes` in the op's saved memory, in its packed weights: its offset. */
size_t plan_saved(CudaPlan *plan, size_t bytes);
size_t plan_packed(CudaPlan *plan, size_t bytes);
void plan_need_temp(CudaPlan *plan, size_t bytes);
void plan_need_workspace(CudaPlan *plan, size_t bytes);

/* Where convolutions and products find the weight: the master weight itself, or, where the op's
 * form differs (other order or type), a copy that a packing step makes: [o][hw][i] of the
 * activations' type from fp32 [o][i][hw]. */
Arg plan_weight(CudaPlan *plan, GraphRole role);

/* Where a step puts the weight's gradient, and, called after that step, what brings it from there
 * to fp32 [o][i][hw]. Their extents follow from the layer. */
Arg plan_grad_weight(CudaPlan *plan, GraphRole role);
void plan_finish_grad_weight(CudaPlan *plan);

/* Where a step puts the gradient of the (first) input, and, called after that step, the addition
 * where it must be added. An op that writes a gradient nobody wants writes it to temp. */
Arg plan_grad_in(CudaPlan *plan, GraphRole role);
void plan_finish_grad_in(CudaPlan *plan);

/* Masks grad_out in place where a ReLU is fused: append first. Reads the output. */
void plan_grad_relu(CudaPlan *plan);

/* The bias' gradient: the sum of grad_out over images and map. */
void plan_grad_bias(CudaPlan *plan);

/* The steps of pooling (pool.c), and of an element-wise function of one input (pointwise.c). */
Status plan_pool(CudaPlan *plan, bool average);
Status plan_pointwise(CudaPlan *plan, GraphPointwise function);

/* Elements, images x map, and channels of the output; and the type of activations. */
int64_t plan_count(const CudaPlan *plan);
int64_t plan_rows(const CudaPlan *plan);
int64_t plan_channels(const CudaPlan *plan);
DType plan_type(const CudaPlan *plan);

/* Members of Op, the same for all kinds. */
void plan_free(OpPlan *plan);
Status plan_pack(Stream *stream, const OpPlan *plan, const Tensor param[LAYER_PARAMS_MAX],
                 void *packed);
Status plan_bind(const OpPlan *plan, const OpMemory *memory, OpBound **bound);
void plan_unbind(OpBound *bound);
Status plan_forward(Stream *stream, OpBound *bound, const LaneRun *run);
Status plan_backward(Stream *stream, OpBound *bound, const LaneRun *run);

/* Defines `cuda_KIND`, the Op whose steps KIND_steps appends. */
#define CUDA_OP(kind)                                                                              \
    static Status kind##_plan(Device *device, const OpDesc *desc, OpPlan **plan) {                 \
        return plan_make(device, &cuda_##kind, desc, kind##_steps, plan);                          \
    }                                                                                              \
    const Op cuda_##kind = {.plan = kind##_plan,                                                   \
                            .unplan = plan_free,                                                   \
                            .pack = plan_pack,                                                     \
                            .bind = plan_bind,                                                     \
                            .unbind = plan_unbind,                                                 \
                            .forward = plan_forward,                                               \
                            .backward = plan_backward}

#define LAYER(lower, UPPER) extern const Op cuda_##lower;
#include "lockstep/layers.def"
#undef LAYER

#endif
