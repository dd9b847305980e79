/* ref/shift: channels k C to (k + 1) C of the output are x moved by move[k], with zeros where it
 * moved away. */
#include "ref.h"

/* Rows down and columns to the right: x itself, right, left, down, up. */
static const int move[5][2] = {{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}};

static Status shift_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    return REF(plan_new)(&REF(op_shift), desc, 0, plan);
}

/* What moves to (h, w) by move[k], or -1. */
static int64_t source(Shape s, int k, int64_t n, int64_t c, int64_t h, int64_t w) {
    int64_t from_h = h - move[k][0], from_w = w - move[k][1];
    if (from_h < 0 || from_h >= s.h || from_w < 0 || from_w >= s.w)
        return -1;
    return ref_at(s, n, c, from_h, from_w);
}

static Status shift_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    Shape s = bound->memory.in[0].shape, out = bound->memory.out.shape;
    const real *x = bound->memory.in[0].data;
    real *y = bound->memory.out.data;
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t c = 0; c < out.c; c++)
            for (int64_t h = 0; h < s.h; h++)
                for (int64_t w = 0; w < s.w; w++) {
                    int64_t from = source(s, (int)(c / s.c), n, c % s.c, h, w);
                    y[ref_at(out, n, c, h, w)] = from < 0 ? 0 : x[from];
                }
    return ST_OK;
}

/* Each position gets the gradients of the five places it went to. */
static Status shift_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    GradMode mode = bound->plan->desc.grad_in[0];
    Shape s = bound->memory.in[0].shape, out = bound->memory.out.shape;
    const real *g = bound->memory.grad_out.data;
    real *grad_x = bound->memory.grad_in[0].data;
    for (int64_t i = 0; i < shape_count(s) && mode != GRAD_NONE; i++) {
        int64_t w = i % s.w, h = i / s.w % s.h, c = i / s.w / s.h % s.c, n = i / s.w / s.h / s.c;
        double sum = 0;
        for (int k = 0; k < 5; k++) {
            int64_t to_h = h + move[k][0], to_w = w + move[k][1];
            if (to_h >= 0 && to_h < s.h && to_w >= 0 && to_w < s.w)
                sum += g[ref_at(out, n, k * s.c + c, to_h, to_w)];
        }
        ref_put(mode, &grad_x[i], sum);
    }
    return ST_OK;
}

const Op REF(op_shift) = {
    .plan = shift_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = shift_forward,
    .backward = shift_backward,
};
