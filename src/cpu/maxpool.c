/* cpu/maxpool: the largest of each window; of equals the first in row-major order, which alone gets
 * the gradient, and NaN is larger than all. In fp32, where rule_maxpool says so, it is loops of our
 * own, whatever the layout: `saved` has a byte for each output, the number of its place in the
 * window. All else is oneDNN's, which keeps it there likewise.
 *
 * Forward goes over outputs. Backward does so where windows are tiles, else over inputs: an input
 * takes the gradients of the windows that it is in and the largest of, added in row-major order of
 * the windows, and the sum is added last to what is there. So each is written once, and the order
 * follows from the shape alone.
 *
 * A row is cut into runs, whose pixels all meet as many of the other map's, in the same places:
 * what is inside is one run, or one for each of `stride` pixels backward, and only ends differ. */
#include <string.h>

#include "clones.h"
#include "pool.h"
#include "unrolled.h"

enum { PIECE = 8, RUNS_MAX = 5 * RULE_MAXPOOL_SIDE };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* PIECE channels at once: vectors of any processor. */
typedef float Floats __attribute__((vector_size(PIECE * sizeof(float))));
typedef int32_t Ints __attribute__((vector_size(PIECE * sizeof(int32_t))));
typedef int16_t Shorts __attribute__((vector_size(PIECE * sizeof(int16_t))));
typedef uint8_t Bytes __attribute__((vector_size(PIECE)));

/* Along one side of the maps: windows of `kernel` pixels, `stride` apart, the first `pad` before
 * the first of `pixels`. */
typedef struct Side {
    int64_t pixels, windows, kernel, stride, pad;
} Side;

/* Both maps as planes of pixels that have `channels` values side by side each. */
typedef struct Planes {
    int64_t count, channels;
    Side down, across;
} Planes;

/* Of a window, the pixels of the map that are in it; of a pixel, the windows that it is in: `count`
 * from `first` on, and where in the window, the first window, the (first) pixel is. */
typedef struct Part {
    int64_t first, count, place;
} Part;

/* `length` pixels of a row, from `at` on; `part` is the first one's, and the others' are as long
 * and in the same place. */
typedef struct Run {
    int64_t at, length;
    Part part;
} Run;

/* The stride of a single window is nobody's. */
static Side side_of(const PoolArgs *args, int64_t pixels, int64_t windows) {
    int64_t stride = windows > 1 ? args->stride : args->kernel;
    return (Side){pixels, windows, args->kernel, stride, args->pad};
}

static Planes planes_of(const OpDesc *desc) {
    const PoolArgs *args = &desc->layer->args.pool;
    Shape in = desc->in[0].shape, out = desc->out.shape;
    int layout = desc->in[0].layout;
    int64_t channels = layout == LAYOUT_NHWC ? in.c : layout == LAYOUT_BLOCKED16 ? 16 : 8;
    return (Planes){.count = in.n * in.c / channels,
                    .channels = channels,
                    .down = side_of(args, in.h, out.h),
                    .across = side_of(args, in.w, out.w)};
}

static bool is_tiled(const Side *side) {
    return side->stride == side->kernel;
}

static Part pixels_of(const Side *side, int64_t window) {
    int64_t begin = window * side->stride - side->pad, end = begin + side->kernel;
    int64_t first = begin < 0 ? 0 : begin;
    return (Part){first, (end < side->pixels ? end : side->pixels) - first, first - begin};
}

static Part windows_of(const Side *side, int64_t pixel) {
    int64_t at = pixel + side->pad;
    int64_t first = at < side->kernel ? 0 : (at - side->kernel) / side->stride + 1;
    int64_t end = at / side->stride + 1;
    end = end < side->windows ? end : side->windows;
    return end > first ? (Part){first, end - first, at - first * side->stride} : (Part){0, 0, 0};
}

/* Appends pixel `at` to the last of `n` runs, or as a run of its own. */
static int run_append(Run *runs, int n, bool goes_on, int64_t at, Part part) {
    Run *last = goes_on ? &runs[n - 1] : NULL;
    if (last && last->part.count == part.count && last->part.place == part.place) {
        last->length++;
        return n;
    }
    runs[n] = (Run){at, 1, part};
    return n + 1;
}

static int forward_runs(const Side *across, Run runs[RUNS_MAX]) {
    int n = 0;
    for (int64_t x = 0; x < across->windows; x++)
        n = run_append(runs, n, x > 0, x, pixels_of(across, x));
    return n;
}

/* Pixels of a run are `stride` apart: the next one's windows are the next ones. At most 2 ceil(k /
 * s) + 1 runs for each of s pixels. */
static int backward_runs(const Side *across, Run runs[RUNS_MAX]) {
    int n = 0;
    for (int64_t begin = 0; begin < across->stride; begin++)
        for (int64_t x = begin; x < across->pixels; x += across->stride)
            n = run_append(runs, n, x > begin, x, windows_of(across, x));
    return n;
}

/* The largest so far, and its place. */
typedef struct Best {
    Floats value;
    Ints at;
} Best;

ALWAYS_INLINE void challenge(Best *best, size_t count, const float *in, int64_t at) {
    Floats x = {0};
    memcpy(&x, in, count * sizeof *in);
    Ints wins = (x > best->value) | ((x != x) & (best->value == best->value));
    best->value = (Floats)(((Ints)x & wins) | ((Ints)best->value & ~wins));
    best->at = (wins & (int32_t)at) | (best->at & ~wins);
}

/* One pixel of outputs, `count` channels of it, at most PIECE: of rows x columns pixels from `in`
 * on, of which the first is at `first` in the window. Sizes that are constants, `fixed`, are loops
 * unrolled. */
ALWAYS_INLINE void largest(size_t count, const bool fixed, int64_t rows, int64_t columns,
                           int64_t kernel, int64_t first, int64_t next_row, int64_t next,
                           const float *in, float *out, uint8_t *place) {
    Best best = {{0}, {0}};
    memcpy(&best.value, in, count * sizeof *in);
    if (fixed) {
        UNROLLED (i, rows) {
            UNROLLED (j, columns)
                if (i + j > 0)
                    challenge(&best, count, in + i * next_row + j * next, i * kernel + j);
        }
    } else {
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++)
                challenge(&best, count, in + i * next_row + j * next, i * kernel + j);
    }
    Shorts halves = __builtin_convertvector(best.at + (int32_t)first, Shorts);
    Bytes places = __builtin_convertvector(halves, Bytes); /* in two steps: by vectors */
    memcpy(out, &best.value, count * sizeof *out);
    memcpy(place, &places, count);
}

/* `count` channels at a time, from `begin` to `end`, of a run of outputs; `in` is where the first
 * one's window meets the map. */
ALWAYS_INLINE void forward_run(const Planes *planes, size_t count, int64_t begin, int64_t end,
                               const bool fixed, int64_t rows, int64_t columns, int64_t kernel,
                               int64_t first, int64_t length, const float *in, float *out,
                               uint8_t *place) {
    int64_t channels = planes->channels, next_row = planes->across.pixels * channels;
    int64_t next = planes->across.stride * channels;
    for (int64_t x = 0; x < length; x++, in += next, out += channels, place += channels)
        for (int64_t c = begin; c < end; c += (int64_t)count)
            largest(count, fixed, rows, columns, kernel, first, next_row, channels, in + c, out + c,
                    place + c);
}

#define FORWARD_RUN(fixed, rows, columns, kernel)                                                  \
    forward_run(planes, PIECE, 0, whole, fixed, rows, columns, kernel, first, run->length, in,     \
                out, place)

ALWAYS_INLINE void forward_any(const Planes *planes, Part down, const Run *run, const float *in,
                               float *out, uint8_t *place) {
    int64_t kernel = planes->down.kernel, rows = down.count, columns = run->part.count;
    int64_t first = down.place * kernel + run->part.place;
    int64_t channels = planes->channels, whole = channels / PIECE * PIECE;
    if (kernel == 2 && rows == 2 && columns == 2)
        FORWARD_RUN(true, 2, 2, 2);
    else if (kernel == 3 && rows == 3 && columns == 3)
        FORWARD_RUN(true, 3, 3, 3);
    else if (kernel == 3 && rows == 2 && columns == 3)
        FORWARD_RUN(true, 2, 3, 3);
    else if (kernel == 3 && rows == 3 && columns == 2)
        FORWARD_RUN(true, 3, 2, 3);
    else
        FORWARD_RUN(false, rows, columns, kernel);
    if (whole < channels)
        forward_run(planes, (size_t)(channels - whole), whole, channels, false, rows, columns,
                    kernel, first, run->length, in, out, place);
}

CLONES static void forward_planes(const Planes *planes, const Run *runs, int n_runs,
                                  const float *in, float *out, uint8_t *place) {
    const Side *down = &planes->down, *across = &planes->across;
    int64_t channels = planes->channels, in_row = across->pixels * channels;
    int64_t out_row = across->windows * channels;
    for (int64_t p = 0; p < planes->count; p++, in += down->pixels * in_row)
        for (int64_t y = 0; y < down->windows; y++, out += out_row, place += out_row) {
            Part rows = pixels_of(down, y);
            for (int r = 0; r < n_runs; r++)
                forward_any(planes, rows, &runs[r],
                            in + rows.first * in_row + runs[r].part.first * channels,
                            out + runs[r].at * channels, place + runs[r].at * channels);
        }
}

/* One input's gradient of a window whose places are `at`: its own if it is number `own`, else 0. */
ALWAYS_INLINE void hand(size_t count, const Floats *grad, const Ints *at, int64_t own, bool add,
                        float *to) {
    Floats value = (Floats)((Ints)*grad & (*at == (int32_t)own)), before = {0};
    if (add) {
        memcpy(&before, to, count * sizeof *to);
        value = before + value;
    }
    memcpy(to, &value, count * sizeof *to);
}

/* Backward of `largest` where windows are tiles: each of its inputs is in no other window. */
ALWAYS_INLINE void hand_back(size_t count, const bool fixed, int64_t rows, int64_t columns,
                             int64_t kernel, int64_t first, int64_t next_row, int64_t next,
                             bool add, const float *grad, const uint8_t *place, float *in) {
    Floats value = {0};
    Bytes places = {0};
    memcpy(&value, grad, count * sizeof *grad);
    memcpy(&places, place, count);
    Ints at = __builtin_convertvector(places, Ints) - (int32_t)first;
    if (fixed) {
        UNROLLED (i, rows) {
            UNROLLED (j, columns)
                hand(count, &value, &at, i * kernel + j, add, in + i * next_row + j * next);
        }
    } else {
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++)
                hand(count, &value, &at, i * kernel + j, add, in + i * next_row + j * next);
    }
}

/* Backward of `forward_run` likewise. */
ALWAYS_INLINE void tiles_run(const Planes *planes, size_t count, int64_t begin, int64_t end,
                             const bool fixed, int64_t rows, int64_t columns, int64_t kernel,
                             int64_t first, int64_t length, bool add, const float *grad,
                             const uint8_t *place, float *in) {
    int64_t channels = planes->channels, next_row = planes->across.pixels * channels;
    int64_t next = planes->across.stride * channels;
    for (int64_t x = 0; x < length; x++, in += next, grad += channels, place += channels)
        for (int64_t c = begin; c < end; c += (int64_t)count)
            hand_back(count, fixed, rows, columns, kernel, first, next_row, channels, add, grad + c,
                      place + c, in + c);
}

ALWAYS_INLINE void tiles_any(const Planes *planes, Part down, const Run *run, bool add,
                             const float *grad, const uint8_t *place, float *in) {
    int64_t kernel = planes->down.kernel, rows = down.count, columns = run->part.count;
    int64_t first = down.place * kernel + run->part.place;
    int64_t channels = planes->channels, whole = channels / PIECE * PIECE;
    if (kernel == 2 && rows == 2 && columns == 2)
        tiles_run(planes, PIECE, 0, whole, true, 2, 2, 2, 0, run->length, add, grad, place, in);
    else
        tiles_run(planes, PIECE, 0, whole, false, rows, columns, kernel, first, run->length, add,
                  grad, place, in);
    if (whole < channels)
        tiles_run(planes, (size_t)(channels - whole), whole, channels, false, rows, columns, kernel,
                  first, run->length, add, grad, place, in);
}

CLONES static void backward_tiles(const Planes *planes, const Run *runs, int n_runs, bool add,
                                  const float *grad, const uint8_t *place, float *in) {
    const Side *down = &planes->down, *across = &planes->across;
    int64_t channels = planes->channels, in_row = across->pixels * channels;
    int64_t out_row = across->windows * channels;
    for (int64_t p = 0; p < planes->count; p++, in += down->pixels * in_row)
        for (int64_t y = 0; y < down->windows; y++, grad += out_row, place += out_row) {
            Part rows = pixels_of(down, y);
            for (int r = 0; r < n_runs; r++) {
                int64_t from = runs[r].at * channels;
                float *to = in + rows.first * in_row + runs[r].part.first * channels;
                if (add)
                    tiles_any(planes, rows, &runs[r], true, grad + from, place + from, to);
                else
                    tiles_any(planes, rows, &runs[r], false, grad + from, place + from, to);
            }
        }
}

/* Zeros behind the last tiles. */
static void clear_rest(const Planes *planes, float *in) {
    Part low = pixels_of(&planes->down, planes->down.windows - 1);
    Part right = pixels_of(&planes->across, planes->across.windows - 1);
    int64_t pixel = planes->channels, row = planes->across.pixels * pixel;
    int64_t high = low.first + low.count, wide = (right.first + right.count) * pixel;
    for (int64_t p = 0; p < planes->count; p++, in += planes->down.pixels * row) {
        for (int64_t y = 0; y < high; y++)
            memset(in + y * row + wide, 0, (size_t)(row - wide) * sizeof *in);
        memset(in + high * row, 0, (size_t)((planes->down.pixels - high) * row) * sizeof *in);
    }
}

/* sum += what a window gives to a pixel that is at `at` in it. */
ALWAYS_INLINE void take(size_t count, const float *grad, const uint8_t *place, int64_t at,
                        bool first, Floats *sum) {
    Floats value = {0};
    Bytes places = {0};
    memcpy(&value, grad, count * sizeof *grad);
    memcpy(&places, place, count);
    Ints wins = __builtin_convertvector(places, Ints) == (int32_t)at;
    value = (Floats)((Ints)value & wins);
    *sum = first ? value : *sum + value;
}

/* One pixel of inputs, `count` channels of it: of rows x columns outputs from `grad` on. It is at
 * `first` in the window of the first. */
ALWAYS_INLINE void gather(size_t count, const bool fixed, int64_t rows, int64_t columns,
                          const Planes *planes, int64_t first, bool add, const float *grad,
                          const uint8_t *place, float *in) {
    int64_t next = planes->channels, next_row = planes->across.windows * next;
    int64_t up = planes->down.kernel * planes->down.stride, left = planes->across.stride;
    Floats sum = {0}, before = {0};
    if (fixed) {
        UNROLLED (i, rows) {
            UNROLLED (j, columns) {
                int64_t from = i * next_row + j * next, at = first - i * up - j * left;
                take(count, grad + from, place + from, at, i + j == 0, &sum);
            }
        }
    } else {
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++) {
                int64_t from = i * next_row + j * next, at = first - i * up - j * left;
                take(count, grad + from, place + from, at, false, &sum);
            }
    }
    if (add) {
        memcpy(&before, in, count * sizeof *in);
        sum = before + sum;
    }
    memcpy(in, &sum, count * sizeof *in);
}

/* Likewise of a run of inputs; `grad` and `place` are of the first window that the first one is in.
 */
ALWAYS_INLINE void backward_run(const Planes *planes, size_t count, int64_t begin, int64_t end,
                                const bool fixed, int64_t rows, int64_t columns, int64_t first,
                                bool add, int64_t length, const float *grad, const uint8_t *place,
                                float *in) {
    int64_t channels = planes->channels, next = planes->across.stride * channels;
    for (int64_t x = 0; x < length; x++, in += next, grad += channels, place += channels)
        for (int64_t c = begin; c < end; c += (int64_t)count)
            gather(count, fixed, rows, columns, planes, first, add, grad + c, place + c, in + c);
}

#define BACKWARD_RUN(fixed, rows, columns)                                                         \
    backward_run(planes, PIECE, 0, whole, fixed, rows, columns, first, add, run->length, grad,     \
                 place, in)

ALWAYS_INLINE void backward_any(const Planes *planes, Part down, const Run *run, bool add,
                                const float *grad, const uint8_t *place, float *in) {
    int64_t rows = down.count, columns = run->part.count;
    int64_t first = down.place * planes->down.kernel + run->part.place;
    int64_t channels = planes->channels, whole = channels / PIECE * PIECE;
    if (rows == 1 && columns == 1)
        BACKWARD_RUN(true, 1, 1);
    else if (rows == 1 && columns == 2)
        BACKWARD_RUN(true, 1, 2);
    else if (rows == 2 && columns == 1)
        BACKWARD_RUN(true, 2, 1);
    else if (rows == 2 && columns == 2)
        BACKWARD_RUN(true, 2, 2);
    else
        BACKWARD_RUN(false, rows, columns);
    if (whole < channels)
        backward_run(planes, (size_t)(channels - whole), whole, channels, false, rows, columns,
                     first, add, run->length, grad, place, in);
}

CLONES static void backward_planes(const Planes *planes, const Run *runs, int n_runs, bool add,
                                   const float *grad, const uint8_t *place, float *in) {
    const Side *down = &planes->down, *across = &planes->across;
    int64_t channels = planes->channels, in_row = across->pixels * channels;
    int64_t out_row = across->windows * channels, map = down->windows * out_row;
    for (int64_t p = 0; p < planes->count; p++, grad += map, place += map)
        for (int64_t y = 0; y < down->pixels; y++, in += in_row) {
            Part rows = windows_of(down, y);
            for (int r = 0; r < n_runs; r++) {
                int64_t from = rows.first * out_row + runs[r].part.first * channels;
                float *to = in + runs[r].at * channels;
                if (add)
                    backward_any(planes, rows, &runs[r], true, grad + from, place + from, to);
                else
                    backward_any(planes, rows, &runs[r], false, grad + from, place + from, to);
            }
        }
}

/* Operands: input, output, places. */
static Status forward(const StepCall *call) {
    Planes planes = planes_of(&call->plan->base.desc);
    Run runs[RUNS_MAX];
    int n = forward_runs(&planes.across, runs);
    forward_planes(&planes, runs, n, call->at[0], call->at[1], call->at[2]);
    return ST_OK;
}

/* Operands: the output's gradient, places, the input's gradient. */
static Status backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    Planes planes = planes_of(desc);
    bool add = desc->grad_in[0] == GRAD_ADD;
    Run runs[RUNS_MAX];
    if (is_tiled(&planes.down) && is_tiled(&planes.across)) {
        int n = forward_runs(&planes.across, runs);
        if (!add)
            clear_rest(&planes, call->at[2]);
        backward_tiles(&planes, runs, n, add, call->at[0], call->at[1], call->at[2]);
    } else {
        int n = backward_runs(&planes.across, runs);
        backward_planes(&planes, runs, n, add, call->at[0], call->at[1], call->at[2]);
    }
    return ST_OK;
}

static bool is_own(const StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const PoolArgs *args = &desc->layer->args.pool;
    const CpuDevice *device = (const CpuDevice *)plan->device;
    return plan_type(plan) == DT_F32 && desc->in[0].layout != LAYOUT_PLAIN &&
           rule_maxpool(desc->out.shape, args->kernel, args->stride, args->pad, device->wide);
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
