/* cpu/plan: see plan.h. */
#include "plan.h"

#include <omp.h>
#include <stdlib.h>

enum { ALIGN = 64 };

static size_t aligned(size_t bytes) {
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* ---- Planning ---- */

Step *plan_step(CpuPlan *plan, Phase phase, const Arg *args) {
    Step *step = &plan->step[phase][plan->n_steps[phase]++];
    for (const Arg *arg = args; arg->place != AT_NOTHING; arg++)
        step_argument(step, *arg);
    return step;
}

void step_argument(Step *step, Arg arg) {
    step->arg[step->n_args++] = arg;
}

size_t plan_saved(CpuPlan *plan, size_t bytes) {
    size_t offset = plan->base.saved_bytes;
    plan->base.saved_bytes += aligned(bytes);
    return offset;
}

void plan_temp(CpuPlan *plan, size_t bytes) {
    plan->temp_bytes = bytes > plan->temp_bytes ? bytes : plan->temp_bytes;
}

static Arg *arg_at(Step *step, Place place) {
    for (int i = 0; i < step->n_args; i++)
        if (step->arg[i].place == place)
            return &step->arg[i];
    return NULL;
}

Status plan_weights(CpuPlan *plan, Step *step, const MemDesc *plain) {
    Arg *weights = arg_at(step, AT_WEIGHT);
    MemDesc wanted = primitive_md(&step->primitive, weights->id);
    if (md_equal(&wanted, plain))
        return ST_OK;
    weights->place = AT_PACKED;
    for (int i = 0; i < plan->n_steps[PHASE_PACK]; i++) {
        const Step *pack = &plan->step[PHASE_PACK][i];
        MemDesc packed = primitive_md(&pack->primitive, DNNL_ARG_TO);
        if (md_equal(&packed, &wanted)) {
            weights->offset = pack->arg[1].offset;
            return ST_OK;
        }
    }
    weights->offset = plan->base.packed_bytes;
    plan->base.packed_bytes += aligned(md_bytes(&wanted));
    Step *pack = STEP(plan, PHASE_PACK, {AT_WEIGHT, DNNL_ARG_FROM, 0},
                      {AT_PACKED, DNNL_ARG_TO, weights->offset});
    return primitive_reorder(plan->device->engine, plain, &wanted, false, &pack->primitive);
}

Status plan_grad_weights(CpuPlan *plan, Step *step, const MemDesc *plain) {
    Arg *gradient = arg_at(step, AT_GRAD_WEIGHT);
    MemDesc written = primitive_md(&step->primitive, gradient->id);
    if (md_equal(&written, plain))
        return ST_OK;
    gradient->place = AT_TEMP;
    plan_temp(plan, md_bytes(&written));
    Step *unpack =
        STEP(plan, PHASE_BACKWARD, {AT_TEMP, DNNL_ARG_FROM, 0}, {AT_GRAD_WEIGHT, DNNL_ARG_TO, 0});
    return primitive_reorder(plan->device->engine, &written, plain, false, &unpack->primitive);
}

Status plan_grad_in(CpuPlan *plan, Step *step, int id, int input) {
    Place place = input == 0 ? AT_GRAD_IN : AT_GRAD_IN2;
    if (plan->base.desc.grad_in[input] != GRAD_ADD)
        return ST_OK;
    MemDesc md = primitive_md(&step->primitive, id);
    arg_at(step, place)->place = AT_TEMP;
    plan_temp(plan, md_bytes(&md));
    Step *add = STEP(plan, PHASE_BACKWARD, {place, DNNL_ARG_SRC_0, 0}, {AT_TEMP, DNNL_ARG_SRC_1, 0},
                     {place, DNNL_ARG_DST, 0});
    return primitive_add(plan->device->engine, &md, false, &add->primitive);
}

Status plan_grad_relu(CpuPlan *plan) {
    if (!plan->base.desc.training || !plan->base.desc.relu)
        return ST_OK;
    MemDesc md = plan_md_out(plan);
    Step *mask = STEP(plan, PHASE_BACKWARD, {AT_OUT, DNNL_ARG_DST, 0},
                      {AT_GRAD_OUT, DNNL_ARG_DIFF_DST, 0}, {AT_GRAD_OUT, DNNL_ARG_DIFF_SRC, 0});
    return primitive_pointwise_backward(plan->device->engine, POINTWISE_RELU, 0, &md,
                                        &mask->primitive);
}

MemDesc plan_md_in(const CpuPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    return md_activation(desc->in[0].shape, rule_layout_beside(&desc->in[0], desc->out.layout));
}

MemDesc plan_md_out(const CpuPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    return md_activation(desc->out.shape, rule_layout_beside(&desc->out, desc->in[0].layout));
}

/* Scratchpad: as much as the greediest primitive wants. */
static size_t scratchpad_bytes(const CpuPlan *plan) {
    size_t most = 0;
    for (int phase = 0; phase < PHASES; phase++) {
        for (int i = 0; i < plan->n_steps[phase]; i++) {
            const Primitive *primitive = &plan->step[phase][i].primitive;
            size_t bytes = primitive->handle ? primitive_bytes(primitive, DNNL_ARG_SCRATCHPAD) : 0;
            most = bytes > most ? bytes : most;
        }
    }
    return most;
}

/* ---- Binding ---- */

static Status bind_argument(const CpuPlan *plan, struct BoundStep *bound, Arg arg, int i,
                            const OpMemory *memory) {
    char *base = place_memory(memory, arg.place);
    bound->at[i] = base ? base + arg.offset : NULL;
    if (bound->step->loop)
        return ST_OK;
    MemDesc md = primitive_md(&bound->step->primitive, arg.id);
    bound->arg[i].arg = arg.id;
    TRY_DNNL(dnnl_memory_create(&bound->arg[i].memory, &md, plan->device->engine, bound->at[i]));
    return ST_OK;
}

/* Binds the steps of a phase. On failure the caller frees what was bound. */
static Status bind_list(const CpuPlan *plan, Phase phase, const OpMemory *memory, BoundList *list) {
    for (int s = 0; s < plan->n_steps[phase]; s++) {
        const Step *step = &plan->step[phase][s];
        struct BoundStep *bound = &list->step[list->n++];
        bound->step = step;
        for (int i = 0; i < step->n_args; i++, bound->n_args++)
            TRY(bind_argument(plan, bound, step->arg[i], i, memory));
        if (!step->loop && primitive_bytes(&step->primitive, DNNL_ARG_SCRATCHPAD) > 0) {
            Arg pad = {AT_WORKSPACE, DNNL_ARG_SCRATCHPAD, aligned(plan->temp_bytes)};
            TRY(bind_argument(plan, bound, pad, bound->n_args, memory));
            bound->n_args++;
        }
    }
    return ST_OK;
}

static void unbind_list(BoundList *list) {
    for (int s = 0; s < list->n; s++)
        for (int i = 0; i < list->step[s].n_args; i++)
            if (list->step[s].arg[i].memory)
                dnnl_memory_destroy(list->step[s].arg[i].memory);
}

Status plan_make(Device *device, const Op *op, const OpDesc *desc, PlanSteps steps, OpPlan **out) {
    Status status = ST_OK;
    omp_set_num_threads(1); /* primitives are made for as many threads as are set here */
    CpuPlan *plan = calloc(1, sizeof *plan);
    TRY_ALLOC(plan);
    plan->base.op = op;
    plan->base.desc = *desc;
    plan->device = (CpuDevice *)device;
    TRY_DONE(steps(plan));
    plan->base.scratch_bytes = aligned(plan->temp_bytes) + scratchpad_bytes(plan);
    if (plan->n_steps[PHASE_PACK] > 0) {
        plan->pack = calloc(1, sizeof *plan->pack);
        status = plan->pack ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
        TRY_DONE(status);
        TRY_DONE(bind_list(plan, PHASE_PACK, &(OpMemory){0}, plan->pack));
    }
    *out = &plan->base;
    plan = NULL;
done:
    if (plan)
        plan_free(&plan->base);
    return status;
}

void plan_free(OpPlan *base) {
    CpuPlan *plan = (CpuPlan *)base;
    if (plan->pack)
        unbind_list(plan->pack);
    free(plan->pack);
    for (int phase = 0; phase < PHASES; phase++)
        for (int i = 0; i < plan->n_steps[phase]; i++)
            primitive_free(&plan->step[phase][i].primitive);
    free(plan);
}

Status plan_bind(const OpPlan *base, const OpMemory *memory, OpBound **out) {
    Status status = ST_OK;
    OpBound *bound = calloc(1, sizeof *bound);
    TRY_ALLOC(bound);
    bound->plan = (const CpuPlan *)base;
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
    unbind_list(&bound->forward);
    unbind_list(&bound->backward);
    free(bound);
}

/* ---- Running ---- */

static Status run_list(Stream *stream, const CpuPlan *plan, const BoundList *list,
                       const LaneRun *run) {
    omp_set_num_threads(1); /* oneDNN asks again at each execution; costs nanoseconds */
    for (int i = 0; i < list->n; i++) {
        const struct BoundStep *bound = &list->step[i];
        if (bound->step->loop)
            TRY(bound->step->loop(plan, bound->at, run));
        else
            TRY_DNNL(dnnl_primitive_execute(bound->step->primitive.handle, stream->stream,
                                            bound->n_args, bound->arg));
    }
    return ST_OK;
}

Status plan_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    return run_list(stream, bound->plan, &bound->forward, run);
}

Status plan_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    return run_list(stream, bound->plan, &bound->backward, run);
}

Status plan_pack(Stream *stream, const OpPlan *base, const Tensor param[LAYER_PARAMS_MAX],
                 void *packed) {
    const CpuPlan *plan = (const CpuPlan *)base;
    OpMemory memory = {.param = {param[0]}, .packed = packed};
    if (!plan->pack)
        return ST_OK;
    for (int s = 0; s < plan->pack->n; s++) {
        const struct BoundStep *bound = &plan->pack->step[s];
        for (int i = 0; i < bound->n_args; i++) {
            Arg arg = bound->step->arg[i];
            TRY_DNNL(dnnl_memory_set_data_handle(
                bound->arg[i].memory, (char *)place_memory(&memory, arg.place) + arg.offset));
        }
    }
    return run_list(stream, plan, plan->pack, NULL);
}
