/* cpu/maxpool: the largest of each window; of equals the first in row-major order, which alone gets
 * the gradient, and NaN is larger than all. Windows of 2 x 2 that do not overlap, in fp32, are
 * loops of our own, whatever the layout: `saved` has a byte for each output, the number of its
 * place in the window. All else is oneDNN's, which keeps it there likewise. */
#include <string.h>

#include "clones.h"
#include "pool.h"

enum { SIDE = 2, PLACES = SIDE * SIDE, PIECE = 8 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* PIECE channels at once: vectors of any processor. */
typedef float Floats __attribute__((vector_size(PIECE * sizeof(float))));
typedef int32_t Ints __attribute__((vector_size(PIECE * sizeof(int32_t))));
typedef uint8_t Bytes __attribute__((vector_size(PIECE)));

/* Both maps as planes of pixels that have `channels` values side by side each. */
typedef struct Planes {
    int64_t count, channels, in_h, in_w, out_h, out_w;
} Planes;

static Planes planes_of(const OpDesc *desc) {
    Shape in = desc->in[0].shape, out = desc->out.shape;
    int layout = desc->in[0].layout;
    int64_t channels = layout == LAYOUT_NHWC ? in.c : layout == LAYOUT_BLOCKED16 ? 16 : 8;
    return (Planes){in.n * in.c / channels, channels, in.h, in.w, out.h, out.w};
}

/* One pixel of outputs, `count` channels of it, at most PIECE: of `above`, and of `below` a row
 * further down, two pixels each, `next` values apart. */
ALWAYS_INLINE void largest(size_t count, int64_t next, const float *above, const float *below,
                           float *out, uint8_t *place) {
    Floats best = {0}, x = {0};
    Ints at = {0};
    memcpy(&best, above, count * sizeof *out);
    for (int i = 1; i < PLACES; i++) {
        memcpy(&x, (i < SIDE ? above : below) + i % SIDE * next, count * sizeof *out);
        Ints wins = (x > best) | ((x != x) & (best == best));
        best = (Floats)(((Ints)x & wins) | ((Ints)best & ~wins));
        at = (wins & i) | (at & ~wins);
    }
    Bytes places = __builtin_convertvector(at, Bytes);
    memcpy(out, &best, count * sizeof *out);
    memcpy(place, &places, count);
}

CLONES static void forward_planes(const Planes *planes, const float *in, float *out,
                                  uint8_t *place) {
    int64_t channels = planes->channels, row = planes->in_w * channels;
    for (int64_t p = 0; p < planes->count; p++, in += planes->in_h * row)
        for (int64_t y = 0; y < planes->out_h; y++) {
            const float *above = in + SIDE * y * row;
            for (int64_t x = 0; x < planes->out_w; x++, above += SIDE * channels) {
                for (int64_t c = 0; c < channels; c += PIECE) {
                    const float *from = above + c;
                    if (channels - c >= PIECE) /* whole vectors, in registers */
                        largest(PIECE, channels, from, from + row, out + c, place + c);
                    else
                        largest((size_t)(channels - c), channels, from, from + row, out + c,
                                place + c);
                }
                out += channels;
                place += channels;
            }
        }
}

ALWAYS_INLINE void hand_back(size_t count, int64_t next, bool add, const float *grad,
                             const uint8_t *place, float *above, float *below) {
    Floats value = {0}, sum = {0};
    Bytes places = {0};
    memcpy(&value, grad, count * sizeof *grad);
    memcpy(&places, place, count);
    Ints at = __builtin_convertvector(places, Ints);
    for (int i = 0; i < PLACES; i++) {
        float *to = (i < SIDE ? above : below) + i % SIDE * next;
        Floats one = (Floats)((Ints)value & (at == i));
        if (add)
            memcpy(&sum, to, count * sizeof *to);
        sum = add ? sum + one : one;
        memcpy(to, &sum, count * sizeof *to);
    }
}

CLONES static void backward_planes(const Planes *planes, bool add, const float *grad,
                                   const uint8_t *place, float *in) {
    int64_t channels = planes->channels, row = planes->in_w * channels;
    for (int64_t p = 0; p < planes->count; p++, in += planes->in_h * row)
        for (int64_t y = 0; y < planes->out_h; y++) {
            float *above = in + SIDE * y * row;
            for (int64_t x = 0; x < planes->out_w; x++, above += SIDE * channels) {
                for (int64_t c = 0; c < channels; c += PIECE) {
                    float *to = above + c;
                    if (channels - c >= PIECE)
                        hand_back(PIECE, channels, add, grad + c, place + c, to, to + row);
                    else
                        hand_back((size_t)(channels - c), channels, add, grad + c, place + c, to,
                                  to + row);
                }
                grad += channels;
                place += channels;
            }
        }
}

/* Zeros where no window is: the last row and column of maps of odd size. */
static void clear_rest(const Planes *planes, float *in) {
    int64_t pixel = planes->channels, row = planes->in_w * pixel;
    int64_t high = SIDE * planes->out_h, wide = SIDE * planes->out_w * pixel;
    for (int64_t p = 0; p < planes->count; p++, in += planes->in_h * row) {
        for (int64_t y = 0; y < high; y++)
            memset(in + y * row + wide, 0, (size_t)(row - wide) * sizeof *in);
        memset(in + high * row, 0, (size_t)((planes->in_h - high) * row) * sizeof *in);
    }
}

/* Operands: input, output, places. */
static Status forward(const StepCall *call) {
    Planes planes = planes_of(&call->plan->base.desc);
    forward_planes(&planes, call->at[0], call->at[1], call->at[2]);
    return ST_OK;
}

/* Operands: the output's gradient, places, the input's gradient. */
static Status backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    Planes planes = planes_of(desc);
    bool add = desc->grad_in[0] == GRAD_ADD;
    if (!add)
        clear_rest(&planes, call->at[2]);
    backward_planes(&planes, add, call->at[0], call->at[1], call->at[2]);
    return ST_OK;
}

static bool is_own(const StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const PoolArgs *args = &desc->layer->args.pool;
    Shape out = desc->out.shape;
    return plan_type(plan) == DT_F32 && desc->in[0].layout != LAYOUT_PLAIN &&
           args->kernel == SIDE && args->pad == 0 && (args->stride == SIDE || out.h * out.w == 1);
}

static Status maxpool_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    if (!is_own(plan))
        return pool_steps(plan, false);
    Operand places = steps_saved(plan, (size_t)shape_count(desc->out.shape));
    LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT, places);
    if (desc->training && desc->grad_in[0] != GRAD_NONE)
        LOOP_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, places, AT_GRAD_IN(0));
    return ST_OK;
}

CPU_OP(maxpool);
