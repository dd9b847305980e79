/* cuda/plan: see plan.h. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 256 };

static size_t aligned(size_t bytes) {
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* ---- Planning ---- */

Step *plan_step(CudaPlan *plan, Phase phase, Graph *graph, Launch launch, const Arg *args) {
    Step *step = &plan->step[phase][plan->n_steps[phase]++];
    step->graph = graph;
    step->launch = launch;
    for (const Arg *arg = args; arg->place != AT_NOTHING; arg++)
        step->arg[step->n_args++] = *arg;
    if (graph)
        plan_need_workspace(plan, graph_info(graph)->workspace);
    return step;
}

bool plan_has_engine(Status status) {
    if (status != ST_OK)
        status_clear();
    return status == ST_OK;
}

size_t plan_saved(CudaPlan *plan, size_t bytes) {
    size_t offset = plan->base.saved_bytes;
    plan->base.saved_bytes += aligned(bytes);
    return offset;
}

size_t plan_packed(CudaPlan *plan, size_t bytes) {
    size_t offset = plan->base.packed_bytes;
    plan->base.packed_bytes += aligned(bytes);
    return offset;
}

void plan_need_temp(CudaPlan *plan, size_t bytes) {
    plan->temp_bytes = bytes > plan->temp_bytes ? bytes : plan->temp_bytes;
}

void plan_need_workspace(CudaPlan *plan, size_t bytes) {
    plan->workspace_bytes = bytes > plan->workspace_bytes ? bytes : plan->workspace_bytes;
}

int64_t plan_count(const CudaPlan *plan) {
    return shape_count(plan->base.desc.out.shape);
}

int64_t plan_rows(const CudaPlan *plan) {
    Shape s = plan->base.desc.out.shape;
    return s.n * s.h * s.w;
}

int64_t plan_channels(const CudaPlan *plan) {
    return plan->base.desc.out.shape.c;
}

DType plan_type(const CudaPlan *plan) {
    return plan->device->activation;
}

/* ---- Weights ---- */

/* Extents of a weight in fp32 [o][i][hw]: the linear layer's hw is its input's map. */
typedef struct Extents {
    int64_t o, i, hw;
} Extents;

static Extents weight_extents(const CudaPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    Shape in = desc->in[0].shape;
    int64_t kernel = desc->layer->args.conv.kernel;
    bool conv = desc->layer->kind == LAYER_CONV;
    return (Extents){desc->out.shape.c, in.c, conv ? kernel * kernel : in.h * in.w};
}

static Status pack_weight(const CudaPlan *plan, Stream *stream, void *const *at,
                          const LaneRun *run) {
    (void)run;
    Extents e = weight_extents(plan);
    TRY_CUDA(
        gpu_to_nhwc(at[1], plan_type(plan), e.i, at[0], DT_F32, e.o, e.i, e.hw, stream->stream));
    return ST_OK;
}

static Status unpack_grad_weight(const CudaPlan *plan, Stream *stream, void *const *at,
                                 const LaneRun *run) {
    (void)run;
    Extents e = weight_extents(plan);
    TRY_CUDA(
        gpu_to_nchw(at[1], DT_F32, at[0], plan_type(plan), e.i, e.o, e.i, e.hw, stream->stream));
    return ST_OK;
}

/* Whether the op's form of the weight is the master weight's. */
static bool weight_is_plain(const CudaPlan *plan) {
    Extents e = weight_extents(plan);
    return plan_type(plan) == DT_F32 && (e.hw == 1 || e.i == 1);
}

static size_t weight_bytes(const CudaPlan *plan) {
    Extents e = weight_extents(plan);
    return (size_t)(e.o * e.i * e.hw) * dtype_size(plan_type(plan));
}

Arg plan_weight(CudaPlan *plan, GraphRole role) {
    if (weight_is_plain(plan))
        return (Arg){AT_WEIGHT, role, 0};
    if (plan->n_steps[PHASE_PACK] == 0) {
        plan_packed(plan, weight_bytes(plan));
        LAUNCH_STEP(plan, PHASE_PACK, pack_weight, {AT_WEIGHT, 0, 0}, {AT_PACKED, 0, 0});
    }
    return (Arg){AT_PACKED, role, 0};
}

Arg plan_grad_weight(CudaPlan *plan, GraphRole role) {
    if (weight_is_plain(plan))
        return (Arg){AT_GRAD_WEIGHT, role, 0};
    plan_need_temp(plan, weight_bytes(plan));
    return (Arg){AT_TEMP, role, 0};
}

void plan_finish_grad_weight(CudaPlan *plan) {
    if (!weight_is_plain(plan))
        LAUNCH_STEP(plan, PHASE_BACKWARD, unpack_grad_weight, {AT_TEMP, 0, 0},
                    {AT_GRAD_WEIGHT, 0, 0});
}

/* ---- Gradients ---- */

static Status add_temp(const CudaPlan *plan, Stream *stream, void *const *at, const LaneRun *run) {
    (void)run;
    TRY_CUDA(gpu_scale(at[1], at[0], 1, plan_type(plan), shape_count(plan->base.desc.in[0].shape),
                       true, stream->stream));
    return ST_OK;
}

Arg plan_grad_in(CudaPlan *plan, GraphRole role) {
    if (plan->base.desc.grad_in[0] == GRAD_ASSIGN)
        return (Arg){AT_GRAD_IN, role, 0};
    plan_need_temp(plan, plan->base.desc.in[0].bytes);
    return (Arg){AT_TEMP, role, 0};
}

void plan_finish_grad_in(CudaPlan *plan) {
    if (plan->base.desc.grad_in[0] == GRAD_ADD)
        LAUNCH_STEP(plan, PHASE_BACKWARD, add_temp, {AT_TEMP, 0, 0}, {AT_GRAD_IN, 0, 0});
}

static Status mask_gradient(const CudaPlan *plan, Stream *stream, void *const *at,
                            const LaneRun *run) {
    (void)run;
    TRY_CUDA(gpu_relu_backward(at[0], at[0], at[1], plan_type(plan), plan_count(plan), false,
                               stream->stream));
    return ST_OK;
}

void plan_grad_relu(CudaPlan *plan) {
    if (!plan->base.desc.relu)
        return;
    plan->base.backward_reads_out = true;
    if (plan->base.desc.training)
        LAUNCH_STEP(plan, PHASE_BACKWARD, mask_gradient, {AT_GRAD_OUT, 0, 0}, {AT_OUT, 0, 0});
}

static Status sum_gradient(const CudaPlan *plan, Stream *stream, void *const *at,
                           const LaneRun *run) {
    (void)run;
    TRY_CUDA(gpu_sum_rows(at[0], at[1], NULL, plan_type(plan), plan_rows(plan), plan_channels(plan),
                          at[2], stream->stream));
    return ST_OK;
}

void plan_grad_bias(CudaPlan *plan) {
    plan_need_workspace(plan, gpu_rows_scratch(plan_rows(plan), plan_channels(plan)));
    LAUNCH_STEP(plan, PHASE_BACKWARD, sum_gradient, {AT_GRAD_BIAS, 0, 0}, {AT_GRAD_OUT, 0, 0},
                {AT_WORKSPACE, 0, 0});
}

Status plan_make(Device *device, const Op *op, const OpDesc *desc, PlanSteps steps, OpPlan **out) {
    CudaPlan *plan = calloc(1, sizeof *plan);
    TRY_ALLOC(plan);
    plan->base.op = op;
    plan->base.desc = *desc;
    plan->device = (CudaDevice *)device;
    Status status = steps(plan);
    if (status != ST_OK) {
        status_trace(__FILE__, __LINE__);
        plan_free(&plan->base);
        return status;
    }
    plan->temp_bytes = aligned(plan->temp_bytes);
    plan->base.scratch_bytes = plan->temp_bytes + aligned(plan->workspace_bytes);
    *out = &plan->base;
    return ST_OK;
}

void plan_free(OpPlan *base) {
    CudaPlan *plan = (CudaPlan *)base;
    for (int phase = 0; phase < PHASES; phase++)
        for (int i = 0; i < plan->n_steps[phase]; i++)
            graph_free(&plan->device->target, plan->step[phase][i].graph);
    free(plan);
}

/* ---- Binding ---- */

static void *address(const CudaPlan *plan, Arg arg, const OpMemory *memory) {
    char *base = place_memory(memory, arg.place);
    size_t offset = arg.offset + (arg.place == AT_WORKSPACE ? plan->temp_bytes : 0);
    return base ? base + offset : NULL;
}

static Status bind_graph(const CudaPlan *plan, struct BoundStep *bound, const OpMemory *memory) {
    const Step *step = bound->step;
    void *data[GRAPH_ROLES] = {0};
    for (int i = 0; i < step->n_args; i++)
        data[step->arg[i].role] = bound->at[i];
    void *workspace = graph_info(step->graph)->workspace > 0
                          ? address(plan, (Arg){AT_WORKSPACE, 0, 0}, memory)
                          : NULL;
    return graph_bind(step->graph, data, workspace, &bound->call);
}

/* Binds the steps of a phase. On failure the caller frees what was bound. */
static Status bind_list(const CudaPlan *plan, Phase phase, const OpMemory *memory,
                        BoundList *list) {
    for (int s = 0; s < plan->n_steps[phase]; s++) {
        struct BoundStep *bound = &list->step[list->n++];
        bound->step = &plan->step[phase][s];
        for (int i = 0; i < bound->step->n_args; i++)
            bound->at[i] = address(plan, bound->step->arg[i], memory);
        if (bound->step->graph)
            TRY(bind_graph(plan, bound, memory));
    }
    return ST_OK;
}

Status plan_bind(const OpPlan *base, const OpMemory *memory, OpBound **out) {
    Status status = ST_OK;
    OpBound *bound = calloc(1, sizeof *bound);
    TRY_ALLOC(bound);
    bound->plan = (const CudaPlan *)base;
    TRY_DONE(bind_list(bound->plan, PHASE_FORWARD, memory, &bound->forward));
    if (base->desc.training)
        TRY_DONE(bind_list(bound->plan, PHASE_BACKWARD, memory, &bound->backward));
    *out = bound;
    bound = NULL;
done:
    if (bound)
        plan_unbind(bound);
    return status;
}

void plan_unbind(OpBound *bound) {
    for (int s = 0; s < bound->forward.n; s++)
        graph_unbind(bound->forward.step[s].call);
    for (int s = 0; s < bound->backward.n; s++)
        graph_unbind(bound->backward.step[s].call);
    free(bound);
}

/* ---- Running ---- */

static Status run_list(Stream *stream, const CudaPlan *plan, const BoundList *list,
                       const LaneRun *run) {
    if (run && !stream->recording)
        TRY(cuda_lane_begin(stream, run));
    TRY(cuda_enter(plan->device));
    for (int i = 0; i < list->n; i++) {
        const struct BoundStep *bound = &list->step[i];
        if (bound->step->graph)
            TRY(graph_run(stream->cudnn, bound->step->graph, bound->call));
        else
            TRY(bound->step->launch(plan, stream, bound->at, run));
    }
    return ST_OK;
}

Status plan_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    return run_list(stream, bound->plan, &bound->forward, run);
}

Status plan_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    return run_list(stream, bound->plan, &bound->backward, run);
}

/* Packing steps are launches, whose addresses cost nothing to find. */
Status plan_pack(Stream *stream, const OpPlan *base, const Tensor param[LAYER_PARAMS_MAX],
                 void *packed) {
    const CudaPlan *plan = (const CudaPlan *)base;
    OpMemory memory = {.param = {param[0], param[1]}, .packed = packed};
    BoundList list = {0};
    TRY(bind_list(plan, PHASE_PACK, &memory, &list));
    return run_list(stream, plan, &list, NULL);
}
