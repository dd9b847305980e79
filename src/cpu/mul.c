/* cpu/mul: the product of two inputs. Of one shape: oneDNN's. A gate, C x 1 x 1, meets the other
 * input in loops of our own, row by row, for oneDNN multiplies and sums such pairs element by
 * element. */
#include "channels.h"
#include "span.h"

/* ---- Of one shape ---- */

/* grad_in[k] = grad_out times the other input. */
static Status product_gradient(StepPlan *plan, const MemDesc *md, int k) {
    GradMode mode = plan->base.desc.grad_in[k];
    dnnl_primitive_t step;
    if (mode == GRAD_NONE)
        return ST_OK;
    plan->base.backward_reads_in |= READS_IN(1 - k);
    TRY(primitive_mul(plan_engine(plan), md, mode == GRAD_ADD, &step));
    PRIMITIVE_STEP(plan, PASS_BACKWARD, step, {AT_GRAD_OUT, DNNL_ARG_SRC_0},
                   {AT_IN(1 - k), DNNL_ARG_SRC_1}, {AT_GRAD_IN(k), DNNL_ARG_DST});
    return ST_OK;
}

static Status product_steps(StepPlan *plan) {
    MemDesc md = plan_md_out(plan);
    dnnl_primitive_t forward;
    TRY(primitive_mul(plan_engine(plan), &md, false, &forward));
    PRIMITIVE_STEP(plan, PASS_FORWARD, forward, {AT_IN(0), DNNL_ARG_SRC_0},
                   {AT_IN(1), DNNL_ARG_SRC_1}, {AT_OUT, DNNL_ARG_DST});
    for (int k = 0; plan->base.desc.training && k < 2; k++)
        TRY(product_gradient(plan, &md, k));
    return ST_OK;
}

/* ---- A gate ---- */

/* y = x gate, or y += x gate: n channels of a block's rows, which begin at element `at`; those of
 * the gate at `channel`. */
SPAN_FN void apply_span(bool half, size_t n, RowGrid grid, const void *x, int64_t at,
                        const void *gate, int64_t channel, bool add, void *y) {
    Span factor = span_load(half, n, gate, channel);
    for (int64_t i = 0; i < grid.map; i++, at += grid.row) {
        Span value = span_load(half, n, x, at);
        for (int c = 0; c < SPAN; c++)
            value.at[c] = value.at[c] * factor.at[c];
        span_store(half, n, y, at, value, add);
    }
}

CLONES static void apply_gate(RowGrid grid, const void *x, const void *gate, bool add, void *y) {
    for (int64_t b = 0; b < grid.images * grid.blocks; b++)
        EACH_SPAN(grid.type, grid.row,
                  apply_span(half, n, grid, x, b * grid.map * grid.row + k, gate, b * grid.row + k,
                             add, y));
}

/* grad_gate = sum over the map of x grad, or it is added; n channels as above. */
SPAN_FN void sum_span(bool half, size_t n, RowGrid grid, const void *x, const void *grad,
                      int64_t at, bool add, void *grad_gate, int64_t channel) {
    Span sum = {{0}};
    for (int64_t i = 0; i < grid.map; i++, at += grid.row) {
        Span value = span_load(half, n, x, at), slope = span_load(half, n, grad, at);
        for (int c = 0; c < SPAN; c++)
            sum.at[c] += value.at[c] * slope.at[c];
    }
    span_store(half, n, grad_gate, channel, sum, add);
}

CLONES static void sum_gate(RowGrid grid, const void *x, const void *grad, bool add,
                            void *grad_gate) {
    for (int64_t b = 0; b < grid.images * grid.blocks; b++)
        EACH_SPAN(grid.type, grid.row,
                  sum_span(half, n, grid, x, grad, b * grid.map * grid.row + k, add, grad_gate,
                           b * grid.row + k));
}

static Status gate_forward(const StepCall *call) {
    apply_gate(row_grid(&call->plan->base.desc.out), call->at[0], call->at[1], false, call->at[2]);
    return ST_OK;
}

static Status map_backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    bool add = desc->grad_in[call->step->arg[2].operand.index] == GRAD_ADD;
    apply_gate(row_grid(&desc->out), call->at[0], call->at[1], add, call->at[2]);
    return ST_OK;
}

static Status gate_backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    bool add = desc->grad_in[call->step->arg[2].operand.index] == GRAD_ADD;
    sum_gate(row_grid(&desc->out), call->at[1], call->at[0], add, call->at[2]);
    return ST_OK;
}

static Status gate_steps(StepPlan *plan, int gate) {
    const OpDesc *desc = &plan->base.desc;
    int map = 1 - gate;
    LOOP_STEP(plan, PASS_FORWARD, gate_forward, AT_IN(map), AT_IN(gate), AT_OUT);
    if (desc->training && desc->grad_in[map] != GRAD_NONE) {
        plan->base.backward_reads_in |= READS_IN(gate);
        LOOP_STEP(plan, PASS_BACKWARD, map_backward, AT_GRAD_OUT, AT_IN(gate), AT_GRAD_IN(map));
    }
    if (desc->training && desc->grad_in[gate] != GRAD_NONE) {
        plan->base.backward_reads_in |= READS_IN(map);
        LOOP_STEP(plan, PASS_BACKWARD, gate_backward, AT_GRAD_OUT, AT_IN(map), AT_GRAD_IN(gate));
    }
    return ST_OK;
}

static Status mul_steps(StepPlan *plan) {
    int gate = layer_mul_gate(plan->base.desc.layer);
    return gate < 0 ? product_steps(plan) : gate_steps(plan, gate);
}

CPU_OP(mul);
