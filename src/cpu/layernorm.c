/* cpu/layernorm: rows of C elements, one a position. Training keeps each row's mean and biased
 * variance in `saved` for backward. */
#include "plan.h"

static Status layernorm_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    Shape s = desc->in[0].shape;
    double eps = desc->layer->args.layernorm.eps;
    int64_t rows = s.n * s.h * s.w;
    MemDesc md = md_typed(md_plain(2, (int64_t[]){rows, s.c}), plan_type(plan));
    Operand mean = AT_NOTHING, variance = AT_NOTHING;
    dnnl_primitive_t forward, backward;
    if (desc->training) {
        mean = steps_saved(plan, (size_t)rows * sizeof(float));
        variance = steps_saved(plan, (size_t)rows * sizeof(float));
    }
    TRY(primitive_layernorm_forward(plan_engine(plan), &md, eps, desc->training, &forward));
    Step *forward_step = PRIMITIVE_STEP(plan, PASS_FORWARD, forward, {AT_IN(0), DNNL_ARG_SRC},
                                        {AT_OUT, DNNL_ARG_DST}, {AT_PARAM(WEIGHT), DNNL_ARG_SCALE},
                                        {AT_PARAM(BIAS), DNNL_ARG_SHIFT});
    if (!desc->training)
        return ST_OK;
    steps_argument(plan, forward_step, (Arg){mean, DNNL_ARG_MEAN});
    steps_argument(plan, forward_step, (Arg){variance, DNNL_ARG_VARIANCE});

    /* In a net that starts with it nothing reads the input's gradient, but oneDNN writes it. */
    bool wanted = desc->grad_in[0] != GRAD_NONE;
    plan->base.backward_reads_in = READS_IN(0);
    TRY(primitive_layernorm_backward(plan_engine(plan), &md, eps, forward, &backward));
    Step *backward_step = PRIMITIVE_STEP(
        plan, PASS_BACKWARD, backward, {AT_IN(0), DNNL_ARG_SRC}, {mean, DNNL_ARG_MEAN},
        {variance, DNNL_ARG_VARIANCE}, {AT_GRAD_OUT, DNNL_ARG_DIFF_DST},
        {AT_PARAM(WEIGHT), DNNL_ARG_SCALE}, {AT_GRAD_PARAM(WEIGHT), DNNL_ARG_DIFF_SCALE},
        {AT_GRAD_PARAM(BIAS), DNNL_ARG_DIFF_SHIFT},
        {wanted ? AT_GRAD_IN(0) : AT_GRAD_OUT, DNNL_ARG_DIFF_SRC});
    steps_argument(plan, backward_step, (Arg){AT_PARAM(BIAS), DNNL_ARG_SHIFT});
    return wanted ? plan_grad_in(plan, backward_step, 0) : ST_OK;
}

CPU_OP(layernorm);
