/* cpu/dropout: y = x / (1 - rate) where the element is kept, 0 where not; a copy outside training.
 *
 * Forward draws the mask once, a byte an element in logical order, and keeps it in `saved`. The
 * mask counts elements in N, C, H, W order whatever the layout, so the loop that applies it walks
 * memory in its order and the mask in strides. */
#include "plan.h"

#include <string.h>

#include "lockstep/dropout.h"

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

/* One run of memory; `stride` is 1 in plain layout. */
static inline void apply_row(int64_t count, int64_t stride, float scale, const uint8_t *keep,
                             const float *x, bool add, float *y) {
    for (int64_t i = 0; i < count; i++) {
        float value = keep[i * stride] ? x[i] * scale : 0;
        y[i] = add ? y[i] + value : value;
    }
}

/* y = factor x, or y += factor x. */
static void apply(Walk walk, float scale, const uint8_t *keep, const float *x, bool add, float *y) {
    int64_t row = walk.count[3];
    for (int64_t a = 0; a < walk.count[0]; a++)
        for (int64_t b = 0; b < walk.count[1]; b++)
            for (int64_t c = 0; c < walk.count[2]; c++, x += row, y += row)
                apply_row(row, walk.stride[3], scale,
                          keep + a * walk.stride[0] + b * walk.stride[1] + c * walk.stride[2], x,
                          add, y);
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
    memcpy(call->at[1], call->at[0], (size_t)shape_count(shape) * sizeof(float));
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
    apply(walk_of(desc->out.shape, desc->out.layout), (float)dropout_scale(rate), at[2], at[0],
          false, at[1]);
    return ST_OK;
}

static Status backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    void *const *at = call->at;
    apply(walk_of(desc->out.shape, desc->out.layout),
          (float)dropout_scale(desc->layer->args.dropout.rate), at[2], at[0],
          desc->grad_in[0] == GRAD_ADD, at[1]);
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
