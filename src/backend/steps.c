/* steps: see steps.h. */
#include "lockstep/steps.h"

#include <stdlib.h>
#include <string.h>

/* Steps with the addresses of one executor. */
typedef struct BoundStep {
    const Step *step; /* borrowed from the plan */
    void *bound;      /* the backend's, of work */
    void *at[STEP_ARGS_MAX];
} BoundStep;

typedef struct BoundPass {
    int n;
    BoundStep *step; /* [n] owned */
} BoundPass;

struct OpBound {
    const StepPlan *plan;
    BoundPass pass[PASSES]; /* but packing, which belongs to the plan */
};

static size_t aligned(size_t bytes) {
    return (bytes + STEPS_ALIGN - 1) / STEPS_ALIGN * STEPS_ALIGN;
}

/* ---- Planning ---- */

static void free_work(const StepPlan *plan, Step *step) {
    if (step->work)
        plan->backend->free_work(plan->device, step->work);
    step->work = NULL;
}

static Step *append(StepPlan *plan, Pass pass) {
    Step *step = &plan->surplus;
    if (plan->n_steps[pass] < PASS_STEPS_MAX)
        step = &plan->step[pass][plan->n_steps[pass]++];
    else
        plan->fault = "PASS_STEPS_MAX";
    free_work(plan, step);
    *step = (Step){0};
    return step;
}

void steps_argument(StepPlan *plan, Step *step, Arg arg) {
    if (arg.operand.index < 0 || arg.operand.index >= operand_limit(arg.operand.kind))
        plan->fault = "LAYER_INPUTS_MAX, LAYER_PARAMS_MAX or LAYER_RUNNING_MAX";
    else if (step->n_args == STEP_ARGS_MAX)
        plan->fault = "STEP_ARGS_MAX";
    else
        step->arg[step->n_args++] = arg;
}

Step *steps_work(StepPlan *plan, Pass pass, void *work, const Arg *args) {
    Step *step = append(plan, pass);
    step->work = work;
    for (const Arg *arg = args; arg->operand.kind != OPERAND_NONE; arg++)
        steps_argument(plan, step, *arg);
    steps_need_workspace(plan, plan->backend->workspace(work));
    return step;
}

Step *steps_call(StepPlan *plan, Pass pass, StepFn function, const Operand *operands) {
    Step *step = append(plan, pass);
    step->function = function;
    for (const Operand *operand = operands; operand->kind != OPERAND_NONE; operand++)
        steps_argument(plan, step, (Arg){*operand, 0});
    return step;
}

Arg *steps_find(Step *step, Operand operand) {
    for (int i = 0; i < step->n_args; i++) {
        if (operand_same(step->arg[i].operand, operand))
            return &step->arg[i];
    }
    return NULL;
}

Operand steps_saved(StepPlan *plan, size_t bytes) {
    Operand room = AT_SAVED(plan->base.saved_bytes);
    plan->base.saved_bytes += aligned(bytes);
    return room;
}

Operand steps_packed(StepPlan *plan, size_t bytes) {
    Operand room = {OPERAND_PACKED, 0, plan->base.packed_bytes};
    plan->base.packed_bytes += aligned(bytes);
    return room;
}

void steps_need_temp(StepPlan *plan, size_t bytes) {
    plan->temp_bytes = bytes > plan->temp_bytes ? bytes : plan->temp_bytes;
}

void steps_need_workspace(StepPlan *plan, size_t bytes) {
    plan->workspace_bytes = bytes > plan->workspace_bytes ? bytes : plan->workspace_bytes;
}

/* ---- Binding ---- */

static void *address(const StepPlan *plan, Operand operand, const OpMemory *memory) {
    char *base = operand_memory(memory, operand.kind, operand.index);
    size_t behind = operand.kind == OPERAND_WORKSPACE ? aligned(plan->temp_bytes) : 0;
    return base ? base + behind + operand.offset : NULL;
}

static void find_addresses(const StepPlan *plan, const OpMemory *memory, BoundStep *bound) {
    for (int i = 0; i < bound->step->n_args; i++)
        bound->at[i] = address(plan, bound->step->arg[i].operand, memory);
}

/* On failure the caller frees what was bound. */
static Status bind_pass(const StepPlan *plan, Pass pass, const OpMemory *memory, BoundPass *list) {
    int n = plan->n_steps[pass];
    list->step = calloc((size_t)n + 1, sizeof *list->step);
    TRY_ALLOC(list->step);
    for (list->n = 0; list->n < n; list->n++) {
        BoundStep *bound = &list->step[list->n];
        bound->step = &plan->step[pass][list->n];
        find_addresses(plan, memory, bound);
        if (bound->step->work)
            TRY(plan->backend->bind(plan, bound->step, bound->at,
                                    address(plan, AT_WORKSPACE, memory), &bound->bound));
    }
    return ST_OK;
}

static void unbind_pass(const StepPlan *plan, BoundPass *list) {
    for (int i = 0; i < list->n; i++) {
        if (list->step[i].bound)
            plan->backend->unbind(list->step[i].bound);
    }
    free(list->step);
}

Status steps_bind(const OpPlan *base, const OpMemory *memory, OpBound **out) {
    const StepPlan *plan = (const StepPlan *)base;
    Status status = ST_OK;
    OpBound *bound = calloc(1, sizeof *bound);
    TRY_ALLOC(bound);
    bound->plan = plan;
    int end = base->desc.training ? PASSES : PASS_BACKWARD;
    for (int pass = PASS_FORWARD; pass < end; pass++)
        TRY_DONE(bind_pass(plan, (Pass)pass, memory, &bound->pass[pass]));
    *out = bound;
    bound = NULL;
done:
    if (bound)
        steps_unbind(bound);
    return status;
}

void steps_unbind(OpBound *bound) {
    for (int pass = PASS_FORWARD; pass < PASSES; pass++)
        unbind_pass(bound->plan, &bound->pass[pass]);
    free(bound);
}

/* ---- The plan ---- */

static Status bind_packing(StepPlan *plan) {
    for (int i = 0; i < plan->n_steps[PASS_PACK]; i++) {
        if (plan->step[PASS_PACK][i].work && !plan->backend->rebind)
            return FAIL(ST_INTERNAL, "this backend packs by functions only");
    }
    plan->pack = calloc(1, sizeof *plan->pack);
    TRY_ALLOC(plan->pack);
    return bind_pass(plan, PASS_PACK, &(OpMemory){0}, plan->pack);
}

Status steps_plan(const StepBackend *backend, Device *device, const Op *op, const OpDesc *desc,
                  ListSteps list, OpPlan **out) {
    Status status = ST_OK;
    StepPlan *plan = calloc(1, sizeof *plan);
    TRY_ALLOC(plan);
    plan->base.op = op;
    plan->base.desc = *desc;
    plan->backend = backend;
    plan->device = device;
    TRY_DONE(list(plan));
    if (plan->fault)
        status = FAIL(ST_INTERNAL, "the steps of an op do not keep %s", plan->fault);
    TRY_DONE(status);
    plan->base.scratch_bytes = aligned(plan->temp_bytes) + aligned(plan->workspace_bytes);
    if (plan->n_steps[PASS_PACK] > 0)
        TRY_DONE(bind_packing(plan));
    *out = &plan->base;
    plan = NULL;
done:
    if (plan)
        steps_unplan(&plan->base);
    return status;
}

void steps_unplan(OpPlan *base) {
    StepPlan *plan = (StepPlan *)base;
    if (plan->pack)
        unbind_pass(plan, plan->pack);
    free(plan->pack);
    for (int pass = 0; pass < PASSES; pass++) {
        for (int i = 0; i < plan->n_steps[pass]; i++)
            free_work(plan, &plan->step[pass][i]);
    }
    free_work(plan, &plan->surplus);
    free(plan);
}

/* ---- Running ---- */

static Status run_pass(Stream *stream, const StepPlan *plan, const BoundPass *list,
                       const LaneRun *run) {
    StepCall call = {.stream = stream, .plan = plan, .run = run};
    TRY(plan->backend->begin(stream, run));
    for (int i = 0; i < list->n; i++) {
        const BoundStep *bound = &list->step[i];
        if (bound->step->work) {
            TRY(plan->backend->run(stream, bound->step->work, bound->bound));
            continue;
        }
        call.step = bound->step;
        call.at = bound->at;
        TRY(bound->step->function(&call));
    }
    return ST_OK;
}

Status steps_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    return run_pass(stream, bound->plan, &bound->pass[PASS_FORWARD], run);
}

Status steps_forward_rest(Stream *stream, OpBound *bound, const LaneRun *run) {
    return run_pass(stream, bound->plan, &bound->pass[PASS_FORWARD_REST], run);
}

Status steps_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    return run_pass(stream, bound->plan, &bound->pass[PASS_BACKWARD], run);
}

Status steps_backward_rest(Stream *stream, OpBound *bound, const LaneRun *run) {
    return run_pass(stream, bound->plan, &bound->pass[PASS_BACKWARD_REST], run);
}

Status steps_pack(Stream *stream, const OpPlan *base, const Tensor param[LAYER_PARAMS_MAX],
                  void *packed) {
    const StepPlan *plan = (const StepPlan *)base;
    OpMemory memory = {.packed = packed};
    if (!plan->pack)
        return ST_OK;
    memcpy(memory.param, param, sizeof memory.param);
    for (int i = 0; i < plan->pack->n; i++) {
        BoundStep *bound = &plan->pack->step[i];
        find_addresses(plan, &memory, bound);
        if (bound->step->work)
            TRY(plan->backend->rebind(bound->bound, bound->at));
    }
    return run_pass(stream, plan, plan->pack, NULL);
}
