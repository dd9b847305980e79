/* cpu/f32_rows_grad: see f32_rows_grad.h.
 *
 * The gradient of weight (o, i) is the sum over rows of gradient o times input i. Blocks of rows
 * are copied, inputs in panels of 16 and gradients in panels of 6, so that f32_dot reads both in
 * the order of memory, and a panel of inputs stays in the first cache while all gradients go by.
 *
 * A block's sums go through its rows in order, blocks in theirs: bits follow from shapes alone.
 * Error against exact arithmetic: tests/ops/test_cpu_rows_grad.c. */
#include "clones.h"

#if FOR_X86

#include "f32_rows_grad.h"

#include <string.h>

#include "f32_dot.h"

/* Rows of a block: a panel of inputs is half of the first cache, and neighbouring panels do not
 * begin in the same place of it. */
enum { BLOCK = 248, ROWS = F32_DOT_ROWS, COLUMNS = F32_DOT_COLUMNS };

typedef struct RowsGrad {
    int64_t rows, in, out;
    int64_t in_panels, out_panels;
    bool has_bias;
} RowsGrad;

static RowsGrad rows_grad_of(const OpDesc *desc) {
    Shape in = desc->in[0].shape;
    RowsGrad grad = {.rows = in.n * in.h * in.w,
                     .in = in.c,
                     .out = desc->out.shape.c,
                     .has_bias = desc->layer->args.conv.bias};
    grad.in_panels = (grad.in + ROWS - 1) / ROWS;
    grad.out_panels = (grad.out + COLUMNS - 1) / COLUMNS;
    return grad;
}

/* Scratch, in floats: input[in_panels][BLOCK][ROWS], sums[in_panels][out][ROWS],
 * gradient[out_panels][BLOCK][COLUMNS] and a vector's rest behind it, bias[out_panels][VECTOR]. */
typedef struct Scratch {
    float *input, *sums, *gradient, *bias;
} Scratch;

static int64_t input_floats(const RowsGrad *grad) {
    return grad->in_panels * BLOCK * ROWS;
}

static int64_t sum_floats(const RowsGrad *grad) {
    return grad->in_panels * grad->out * ROWS;
}

static int64_t gradient_floats(const RowsGrad *grad) {
    return grad->out_panels * BLOCK * COLUMNS + VECTOR;
}

static size_t scratch_bytes(const RowsGrad *grad) {
    return (size_t)(input_floats(grad) + sum_floats(grad) + gradient_floats(grad) +
                    grad->out_panels * VECTOR) *
           sizeof(float);
}

static Scratch scratch_at(const RowsGrad *grad, float *at) {
    Scratch scratch = {.input = at};
    scratch.sums = scratch.input + input_floats(grad);
    scratch.gradient = scratch.sums + sum_floats(grad);
    scratch.bias = scratch.gradient + gradient_floats(grad);
    return scratch;
}

/* to[panel][BLOCK][width] of x[count][columns]; zeros where the last panel has no more. */
VECTOR_IN void pack(int64_t count, int64_t columns, const int64_t width, const float *x,
                    float *to) {
    int64_t whole = columns / width * width, rest = columns - whole;
    for (int64_t row = 0; row < count; row++, x += columns) {
        float *place = to + row * width;
        for (int64_t c = 0; c < whole; c += width, place += BLOCK * width)
            memcpy(place, x + c, (size_t)width * sizeof *x);
        if (rest > 0) {
            memset(place, 0, (size_t)width * sizeof *x);
            memcpy(place, x + whole, (size_t)rest * sizeof *x);
        }
    }
}

/* bias[panel][VECTOR] += the block's sums; of a vector the first COLUMNS count. */
VECTOR_FN static void add_bias(const RowsGrad *grad, int64_t count, const Scratch *scratch) {
    for (int64_t panel = 0; panel < grad->out_panels; panel++) {
        const float *from = scratch->gradient + panel * BLOCK * COLUMNS;
        float *to = scratch->bias + panel * VECTOR;
        Vector sum = _mm256_setzero_ps();
        for (int64_t row = 0; row < count; row++)
            sum += _mm256_loadu_ps(from + row * COLUMNS);
        _mm256_storeu_ps(to, _mm256_loadu_ps(to) + sum);
    }
}

/* sums[in_panel][out][ROWS] += the block's, or = where it is the first. */
VECTOR_FN static void add_products(const RowsGrad *grad, int64_t count, bool first,
                                   const Scratch *scratch) {
    for (int64_t i = 0; i < grad->in_panels; i++) {
        const float *input = scratch->input + i * BLOCK * ROWS;
        for (int64_t o = 0; o < grad->out_panels; o++) {
            int64_t at = o * COLUMNS, left = grad->out - at;
            f32_dot(left < COLUMNS ? left : COLUMNS, count, input, scratch->gradient + at * BLOCK,
                    1, COLUMNS, !first, scratch->sums + (i * grad->out + at) * ROWS);
        }
    }
}

VECTOR_FN static void add_block(const RowsGrad *grad, int64_t row, const float *x,
                                const float *gradient, const Scratch *scratch) {
    int64_t count = grad->rows - row < BLOCK ? grad->rows - row : BLOCK;
    pack(count, grad->in, ROWS, x + row * grad->in, scratch->input);
    pack(count, grad->out, COLUMNS, gradient + row * grad->out, scratch->gradient);
    if (grad->has_bias)
        add_bias(grad, count, scratch);
    add_products(grad, count, row == 0, scratch);
}

/* From sums[in_panel][out][ROWS] to dw[out][in], and the bias's. */
static void store(const RowsGrad *grad, const Scratch *scratch, float *dw, float *bias) {
    for (int64_t o = 0; o < grad->out; o++)
        for (int64_t i = 0; i < grad->in; i += ROWS) {
            int64_t n = grad->in - i < ROWS ? grad->in - i : ROWS;
            memcpy(dw + o * grad->in + i, scratch->sums + (i / ROWS * grad->out + o) * ROWS,
                   (size_t)n * sizeof *dw);
        }
    for (int64_t o = 0; bias && o < grad->out; o++)
        bias[o] = scratch->bias[o / COLUMNS * VECTOR + o % COLUMNS];
}

/* Operands: input, output's gradient, weights' gradient, workspace, bias's gradient. */
static Status backward_weights(const StepCall *call) {
    RowsGrad grad = rows_grad_of(&call->plan->base.desc);
    Scratch scratch = scratch_at(&grad, call->at[3]);
    memset(scratch.gradient + gradient_floats(&grad) - VECTOR, 0, VECTOR * sizeof(float));
    memset(scratch.bias, 0, (size_t)(grad.out_panels * VECTOR) * sizeof(float));
    for (int64_t row = 0; row < grad.rows; row += BLOCK)
        add_block(&grad, row, call->at[0], call->at[1], &scratch);
    store(&grad, &scratch, call->at[2], grad.has_bias ? call->at[4] : NULL);
    return ST_OK;
}

bool f32_rows_grad_takes(const StepPlan *plan) {
    RowsGrad grad = rows_grad_of(&plan->base.desc);
    return ((const CpuDevice *)plan->device)->f32_vectors && plan_type(plan) == DT_F32 &&
           rule_rows_grad_f32(grad.rows, grad.in, grad.out);
}

void f32_rows_grad_step(StepPlan *plan) {
    RowsGrad grad = rows_grad_of(&plan->base.desc);
    Step *step = LOOP_STEP(plan, PASS_BACKWARD, backward_weights, AT_IN(0), AT_GRAD_OUT,
                           AT_GRAD_PARAM(WEIGHT), AT_WORKSPACE);
    if (grad.has_bias)
        steps_argument(plan, step, (Arg){AT_GRAD_PARAM(BIAS), 0});
    steps_need_workspace(plan, scratch_bytes(&grad));
}

#endif
