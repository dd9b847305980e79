/* cpu/positions: plus the weight, whose rows lie like an image's tokens. */
#include "tokens.h"

static int64_t image_of(const StepPlan *plan) {
    Shape s = plan->base.desc.in[0].shape;
    return s.c * s.h * s.w;
}

/* One image. */
static void add_weight(DType type, const void *from, const float *weight, int64_t n, void *to) {
    float x_room[ROW_PIECE], y_room[ROW_PIECE];
    for (int64_t first = 0; first < n; first += ROW_PIECE) {
        int64_t piece = row_piece(n, first);
        void *row = row_at(type, to, first);
        const float *x = row_read(type, row_at(type, from, first), piece, x_room);
        float *y = row_open(type, row, piece, false, y_room);
        for (int64_t i = 0; i < piece; i++)
            y[i] = x[i] + weight[first + i];
        row_close(type, row, piece, y);
    }
}

static Status forward(const StepCall *call) {
    DType type = plan_type(call->plan);
    int64_t image = image_of(call->plan);
    for (int64_t n = 0; n < call->plan->base.desc.in[0].shape.n; n++)
        add_weight(type, row_at(type, call->at[0], n * image), call->at[1], image,
                   row_at(type, call->at[2], n * image));
    return ST_OK;
}

static Status weight_gradient(const StepCall *call) {
    int64_t image = image_of(call->plan);
    token_sum(plan_type(call->plan), call->at[0], call->plan->base.desc.in[0].shape.n, image, image,
              call->at[1]);
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    token_put(plan_type(call->plan), call->at[0], shape_count(desc->in[0].shape),
              desc->grad_in[0] == GRAD_ADD, call->at[1]);
    return ST_OK;
}

static Status positions_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_PARAM(WEIGHT), AT_OUT);
    if (!desc->training)
        return ST_OK;
    LOOP_STEP(plan, PASS_BACKWARD, weight_gradient, AT_GRAD_OUT, AT_GRAD_PARAM(WEIGHT));
    if (desc->grad_in[0] != GRAD_NONE)
        LOOP_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0));
    return ST_OK;
}

CPU_OP(positions);
