/* cpu/dropout: y = x / (1 - rate) where the element is kept, 0 where not; a copy outside training.
 *
 * Forward draws the mask once, a byte an element, and keeps it in `saved` in memory order. A mask
 * counts elements in N, C, H, W order whatever the layout: in another layout it is drawn in temp
 * and brought into memory order from there.
 *
 * The two loops over elements are cut into spans, as in flat.c: loops of constant length over
 * arrays that cannot overlap become whole vectors. */
#include <string.h>

#include "clones.h"
#include "dropout_bf16.h"
#include "dropout_f32.h"
#include "lockstep/dropout.h"
#include "rows.h"

enum { SPAN = 16 };

#define SPAN_FN static inline __attribute__((always_inline))

/* Memory order as four nested loops; stride: in the mask. */
typedef struct Walk {
    int64_t count[4], stride[4];
} Walk;

static Walk walk_of(Shape s, int layout) {
    int64_t map = s.h * s.w, image = s.c * map, block = layout == LAYOUT_BLOCKED16 ? 16 : 8;
    if (layout == LAYOUT_NHWC)
        return (Walk){{1, s.n, map, s.c}, {0, image, 1, map}};
    return (Walk){{s.n, s.c / block, map, block}, {image, block * map, 1, map}};
}

/* to[rows][n] from columns `stride` apart, of which the first cache keeps a line each. */
SPAN_FN void turn_span(int64_t n, int64_t rows, int64_t row_stride, int64_t stride,
                       const uint8_t *from, int64_t to_stride, uint8_t *to) {
    for (int64_t row = 0; row < rows; row++)
        for (int64_t i = 0; i < n; i++)
            to[row * to_stride + i] = from[row * row_stride + i * stride];
}

/* A mask from logical order to that of memory. */
static void reorder(Walk walk, const uint8_t *from, uint8_t *to) {
    int64_t rows = walk.count[2], width = walk.count[3], stride = walk.stride[3];
    for (int64_t a = 0; a < walk.count[0]; a++)
        for (int64_t b = 0; b < walk.count[1]; b++, to += rows * width) {
            const uint8_t *map = from + a * walk.stride[0] + b * walk.stride[1];
            int64_t d = 0;
            for (; d + SPAN <= width; d += SPAN)
                turn_span(SPAN, rows, walk.stride[2], stride, map + d * stride, width, to + d);
            turn_span(width - d, rows, walk.stride[2], stride, map + d * stride, width, to + d);
        }
}

/* keep[4 RNG_WIDE] from element 4 `first` on: dropout_block and dropout_keeps side by side. */
SPAN_FN void draw_wide(DropoutKey key, uint32_t first, uint8_t *keep) {
    uint32_t word[4][RNG_WIDE], four[RNG_WIDE];
    rng_wide(key.key, first, key.place, key.step_low, key.step_high, word);
    for (int i = 0; i < RNG_WIDE; i++)
        four[i] = (uint32_t)dropout_keeps(key, word[0][i]) |
                  (uint32_t)dropout_keeps(key, word[1][i]) << 8 |
                  (uint32_t)dropout_keeps(key, word[2][i]) << 16 |
                  (uint32_t)dropout_keeps(key, word[3][i]) << 24;
    for (int i = 0; i < RNG_WIDE; i++) /* whatever the order of bytes */
        for (int k = 0; k < 4; k++)
            keep[4 * i + k] = (uint8_t)(four[i] >> 8 * k);
}

/* keep[count]: the mask of this lane and step, in logical order. */
CLONES static void draw(DropoutKey key, int64_t count, uint8_t *keep) {
    enum { WIDE = 4 * RNG_WIDE };
    int64_t first = 0;
    uint8_t rest[WIDE];
    for (; first + WIDE <= count; first += WIDE)
        draw_wide(key, (uint32_t)(first / 4), keep + first);
    draw_wide(key, (uint32_t)(first / 4), rest);
    memcpy(keep + first, rest, (size_t)(count - first));
}

/* n elements: y = scale x where kept, else 0 whatever x is; with `add` that is added to y. */
SPAN_FN void apply_span(size_t n, const uint8_t *keep, float scale, bool add, const float *x,
                        float *y) {
    uint8_t kept[SPAN] = {0};
    float from[SPAN] = {0}, to[SPAN] = {0};
    memcpy(kept, keep, n);
    memcpy(from, x, n * sizeof *from);
    if (add)
        memcpy(to, y, n * sizeof *to);
    for (int i = 0; i < SPAN; i++) {
        float value = kept[i] ? from[i] * scale : 0;
        to[i] = add ? to[i] + value : value;
    }
    memcpy(y, to, n * sizeof *to);
}

CLONES static void apply_row(int64_t count, const uint8_t *keep, float scale, bool add,
                             const float *x, float *y) {
    int64_t i = 0;
    for (; i + SPAN <= count; i += SPAN)
        apply_span(SPAN, keep + i, scale, add, x + i, y + i);
    apply_span((size_t)(count - i), keep + i, scale, add, x + i, y + i);
}

/* at: from, to, mask. */
static void apply_mask(const StepCall *call, bool add) {
    const OpDesc *desc = &call->plan->base.desc;
    DType type = plan_type(call->plan);
    float x_room[ROW_PIECE], y_room[ROW_PIECE];
    float scale = (float)dropout_scale(desc->layer->args.dropout.rate);
    int64_t count = shape_count(desc->out.shape);
    for (int64_t first = 0; first < count; first += ROW_PIECE) {
        int64_t n = row_piece(count, first);
        void *row = row_at(type, call->at[1], first);
        const float *x = row_read(type, row_at(type, call->at[0], first), n, x_room);
        float *y = row_open(type, row, n, add, y_room);
        apply_row(n, (const uint8_t *)call->at[2] + first, scale, add, x, y);
        row_close(type, row, n, y);
    }
}

static Status copy(const StepCall *call) {
    Shape shape = call->plan->base.desc.out.shape;
    memcpy(call->at[1], call->at[0],
           (size_t)shape_count(shape) * dtype_size(plan_type(call->plan)));
    return ST_OK;
}

/* at: from, to, mask; temp where memory is in another order than masks are. */
static Status forward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    const LaneRun *run = call->run;
    int64_t count = shape_count(desc->out.shape);
    bool reorders = desc->out.layout != LAYOUT_PLAIN;
    uint8_t *logical = call->at[reorders ? 3 : 2];
    const uint8_t *given = lane_mask(run, desc->ordinal);
    if (given)
        memcpy(logical, given, (size_t)count);
    else
        draw(dropout_key(run->seed, run->step, run->lane, desc->index,
                         desc->layer->args.dropout.rate),
             count, logical);
    if (reorders)
        reorder(walk_of(desc->out.shape, desc->out.layout), logical, call->at[2]);
    apply_mask(call, false);
    return ST_OK;
}

static Status backward(const StepCall *call) {
    apply_mask(call, call->plan->base.desc.grad_in[0] == GRAD_ADD);
    return ST_OK;
}

static Status dropout_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    size_t count = (size_t)shape_count(desc->out.shape);
    if (!desc->training) {
        LOOP_STEP(plan, PASS_FORWARD, copy, AT_IN(0), AT_OUT);
        return ST_OK;
    }
    if (plan_vectors(plan))
        return dropout_bf16_steps(plan);
    if (((const CpuDevice *)plan->device)->f32_vectors)
        return dropout_f32_steps(plan);
    Operand mask = steps_saved(plan, count);
    if (desc->out.layout != LAYOUT_PLAIN)
        steps_need_temp(plan, count);
    LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT, mask, AT_TEMP);
    if (desc->grad_in[0] != GRAD_NONE)
        LOOP_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0), mask);
    return ST_OK;
}

CPU_OP(dropout);
