/* cpu/dropout: y = x / (1 - rate) where the element is kept, 0 where not; a copy outside training.
 *
 * Forward draws the mask once, a byte an element in logical order, and keeps it in `saved`. The
 * mask counts elements in N, C, H, W order whatever the layout, so the loop that applies it walks
 * memory in its order and the mask in strides. */
#include "plan.h"

#include <string.h>

#include "lockstep/dropout.h"
#include "rows.h"

/* Memory order as four nested loops; stride: in the mask. */
typedef struct Walk {
    int64_t count[4], stride[4];
} Walk;

static Walk walk_of(Shape s, int layout) {
    int64_t map = s.h * s.w, image = s.c * map, block = layout == LAYOUT_BLOCKED16 ? 16 : 8;
    if (layout == LAYOUT_NHWC)
        return (Walk){{1, s.n, map, s.c}, {0, image, 1, map}};
    if (layout == LAYOUT_PLAIN)
        return (Walk){{1, 1, 1, s.n * image}, {0, 0, 0, 1}};
    return (Walk){{s.n, s.c / block, map, block}, {image, block * map, 1, map}};
}

/* What is done to each element: y = factor x, or y += factor x. */
typedef struct Apply {
    DType type; /* of x and y */
    const uint8_t *keep;
    float scale;
    bool add;
} Apply;

/* One run of memory; `stride` is 1 in plain layout. */
static void apply_row(const Apply *apply, const uint8_t *keep, int64_t count, int64_t stride,
                      const void *from, void *to) {
    float x_room[ROW_PIECE], y_room[ROW_PIECE];
    for (int64_t first = 0; first < count; first += ROW_PIECE) {
        int64_t n = row_piece(count, first);
        void *row = row_at(apply->type, to, first);
        const float *x = row_read(apply->type, row_at(apply->type, from, first), n, x_room);
        float *y = row_open(apply->type, row, n, apply->add, y_room);
        for (int64_t i = 0; i < n; i++) {
            float value = keep[(first + i) * stride] ? x[i] * apply->scale : 0;
            y[i] = apply->add ? y[i] + value : value;
        }
        row_close(apply->type, row, n, y);
    }
}

static void apply_all(const Apply *apply, Walk walk, const char *x, char *y) {
    size_t row = (size_t)walk.count[3] * dtype_size(apply->type);
    for (int64_t a = 0; a < walk.count[0]; a++)
        for (int64_t b = 0; b < walk.count[1]; b++)
            for (int64_t c = 0; c < walk.count[2]; c++, x += row, y += row)
                apply_row(apply,
                          apply->keep + a * walk.stride[0] + b * walk.stride[1] +
                              c * walk.stride[2],
                          walk.count[3], walk.stride[3], x, y);
}

/* at: from, to, mask. */
static void apply_mask(const StepCall *call, bool add) {
    const OpDesc *desc = &call->plan->base.desc;
    Apply apply = {.type = plan_type(call->plan),
                   .keep = call->at[2],
                   .scale = (float)dropout_scale(desc->layer->args.dropout.rate),
                   .add = add};
    apply_all(&apply, walk_of(desc->out.shape, desc->out.layout), call->at[0], call->at[1]);
}

/* keep[count]: the mask of this lane and step. */
static void draw(DropoutKey key, int64_t count, uint8_t *keep) {
    for (int64_t block = 0; block < (count + 3) / 4; block++) {
        RngBlock words = dropout_block(key, block);
        for (int64_t i = 0; i < 4 && 4 * block + i < count; i++)
            keep[4 * block + i] = (uint8_t)dropout_keeps(key, words.word[i]);
    }
}

static Status copy(const StepCall *call) {
    Shape shape = call->plan->base.desc.out.shape;
    memcpy(call->at[1], call->at[0],
           (size_t)shape_count(shape) * dtype_size(plan_type(call->plan)));
    return ST_OK;
}

static Status forward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    const LaneRun *run = call->run;
    void *const *at = call->at;
    double rate = desc->layer->args.dropout.rate;
    int64_t count = shape_count(desc->out.shape);
    const uint8_t *given = lane_mask(run, desc->ordinal);
    if (given)
        memcpy(at[2], given, (size_t)count);
    else
        draw(dropout_key(run->seed, run->step, run->lane, desc->index, rate), count, at[2]);
    apply_mask(call, false);
    return ST_OK;
}

static Status backward(const StepCall *call) {
    apply_mask(call, call->plan->base.desc.grad_in[0] == GRAD_ADD);
    return ST_OK;
}

static Status dropout_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    if (!desc->training) {
        LOOP_STEP(plan, PASS_FORWARD, copy, AT_IN(0), AT_OUT);
        return ST_OK;
    }
    Operand mask = steps_saved(plan, (size_t)shape_count(desc->out.shape));
    LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT, mask);
    if (desc->grad_in[0] != GRAD_NONE)
        LOOP_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0), mask);
    return ST_OK;
}

CPU_OP(dropout);
