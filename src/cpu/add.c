/* cpu/add: the sum of two inputs of one shape, a ReLU fused behind it. Both get the gradient of the
 * output: assigned by a copy, added in place; in bf16 both in one pass of our own, masked by the
 * ReLU on its way. */
#include "clones.h"
#if FOR_X86
#include "bf16_vector.h"
#endif
#include "plan.h"

static Status add_gradient(StepPlan *plan, const MemDesc *md, int input) {
    dnnl_primitive_t step;
    if (plan->base.desc.grad_in[input] == GRAD_ASSIGN) {
        TRY(primitive_reorder(plan_engine(plan), md, md, false, &step));
        PRIMITIVE_STEP(plan, PASS_BACKWARD, step, {AT_GRAD_OUT, DNNL_ARG_FROM},
                       {AT_GRAD_IN(input), DNNL_ARG_TO});
    } else if (plan->base.desc.grad_in[input] == GRAD_ADD) {
        TRY(primitive_add(plan_engine(plan), md, false, &step));
        PRIMITIVE_STEP(plan, PASS_BACKWARD, step, {AT_GRAD_IN(input), DNNL_ARG_SRC_0},
                       {AT_GRAD_OUT, DNNL_ARG_SRC_1}, {AT_GRAD_IN(input), DNNL_ARG_DST});
    }
    return ST_OK;
}

#if FOR_X86

/* Of both inputs, NULL where nobody wants it; `value`: the output where a ReLU is fused. If the
 * inputs are one, its gradient is assigned first. */
typedef struct Gradients {
    const uint16_t *value, *out;
    uint16_t *in[2];
    GradMode mode[2];
} Gradients;

VECTOR_IN void gradients_at(const Gradients *g, int64_t i, __mmask16 lanes) {
    __m512 dy = vector_load(g->out + i, lanes);
    if (g->value) {
        __m512 y = vector_load(g->value + i, lanes);
        dy = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(y, _mm512_setzero_ps(), _CMP_GT_OQ), dy);
    }
    for (int input = 0; input < 2; input++)
        if (g->mode[input] == GRAD_ASSIGN)
            vector_store(g->in[input] + i, dy, lanes);
    for (int input = 0; input < 2; input++)
        if (g->mode[input] == GRAD_ADD)
            vector_store(g->in[input] + i, vector_load(g->in[input] + i, lanes) + dy, lanes);
}

VECTOR_FN static void gradients(int64_t count, const Gradients *g) {
    int64_t i = 0;
    for (; i + VECTOR <= count; i += VECTOR)
        gradients_at(g, i, ALL_LANES);
    gradients_at(g, i, vector_lanes(count - i));
}

/* Operands: output, its gradient, those of both inputs that are wanted. */
static Status backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    Gradients g = {.value = desc->relu ? call->at[0] : NULL, .out = call->at[1]};
    int at = 2;
    for (int input = 0; input < 2; input++) {
        g.mode[input] = desc->grad_in[input];
        if (g.mode[input] != GRAD_NONE)
            g.in[input] = call->at[at++];
    }
    gradients(shape_count(desc->out.shape), &g);
    return ST_OK;
}

static void add_gradients(StepPlan *plan) {
    Step *step = LOOP_STEP(plan, PASS_BACKWARD, backward, AT_OUT, AT_GRAD_OUT);
    for (int input = 0; input < 2; input++)
        if (plan->base.desc.grad_in[input] != GRAD_NONE)
            steps_argument(plan, step, (Arg){AT_GRAD_IN(input), 0});
}

#endif

static Status add_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    MemDesc md = plan_md_out(plan);
    dnnl_primitive_t forward;
    TRY(primitive_add(plan_engine(plan), &md, desc->relu, &forward));
    PRIMITIVE_STEP(plan, PASS_FORWARD, forward, {AT_IN(0), DNNL_ARG_SRC_0},
                   {AT_IN(1), DNNL_ARG_SRC_1}, {AT_OUT, DNNL_ARG_DST});
    plan->base.backward_reads_out = desc->relu;
#if FOR_X86
    if (desc->training && plan_vectors(plan)) {
        add_gradients(plan);
        return ST_OK;
    }
#endif
    TRY(plan_grad_relu(plan));
    for (int input = 0; desc->training && input < 2; input++)
        TRY(add_gradient(plan, &md, input));
    return ST_OK;
}

CPU_OP(add);
