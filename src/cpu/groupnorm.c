/* cpu/groupnorm: normalisation over the map and the channels of one group of an image, by loops of
 * our own: oneDNN has it from version 3.2 on only.
 *
 * Passes over an image make or take numbers of each channel, in `scratch`: of a span of channels
 * they walk the map with sums in registers. What belongs to a group is added up over its channels
 * in between, in double. Mean and rstd of each group are kept for backward. */
#include <math.h>

#include "channels.h"
#include "rows.h"
#include "span.h"

/* Rows of scratch: numbers of each channel. */
enum { SHIFT, FACTOR, SUM, SLOPE, SCRATCH_ROWS };

/* One image. */
typedef struct Image {
    RowGrid grid;
    int64_t channels, groups;
    double count; /* elements of a group */
    float *at[SCRATCH_ROWS];
} Image;

static Image image_of(const StepCall *call, float *scratch) {
    const OpDesc *desc = &call->plan->base.desc;
    RowGrid grid = row_grid(&desc->out);
    int64_t channels = desc->out.shape.c, groups = desc->layer->args.groupnorm.groups;
    Image image = {grid, channels, groups, (double)(channels / groups * grid.map), {0}};
    for (int r = 0; r < SCRATCH_ROWS; r++)
        image.at[r] = scratch + r * channels;
    return image;
}

/* ---- Forward ---- */

/* sum = sum over the map of x, or with `squares` of (x - shift)^2. Here and below: n channels of a
 * block's rows, which begin at element `at`; `number` is the first channel's place in arrays of
 * numbers of each channel. */
SPAN_FN void moments_span(bool half, size_t n, const Image *image, const void *x, int64_t at,
                          int64_t number, bool squares) {
    Span total = {{0}}, middle = {{0}};
    if (squares)
        middle = span_load(false, n, image->at[SHIFT], number);
    for (int64_t i = 0; i < image->grid.map; i++, at += image->grid.row) {
        Span value = span_load(half, n, x, at);
        for (int c = 0; c < SPAN; c++) {
            float off = value.at[c] - middle.at[c];
            total.at[c] += squares ? off * off : off;
        }
    }
    span_store(false, n, image->at[SUM], number, total, false);
}

CLONES static void moments(const Image *image, const void *x, bool squares) {
    RowGrid grid = image->grid;
    for (int64_t b = 0; b < grid.blocks; b++)
        EACH_SPAN(grid.type, grid.row,
                  moments_span(half, n, image, x, b * grid.map * grid.row + k, b * grid.row + k,
                               squares));
}

/* y = (x - shift) factor + bias. */
SPAN_FN void apply_span(bool half, size_t n, const Image *image, const void *x, int64_t at,
                        const float *bias, int64_t number, void *y) {
    Span middle = span_load(false, n, image->at[SHIFT], number);
    Span scale = span_load(false, n, image->at[FACTOR], number);
    Span offset = span_load(false, n, bias, number);
    for (int64_t i = 0; i < image->grid.map; i++, at += image->grid.row) {
        Span value = span_load(half, n, x, at);
        for (int c = 0; c < SPAN; c++)
            value.at[c] = (value.at[c] - middle.at[c]) * scale.at[c] + offset.at[c];
        span_store(half, n, y, at, value, false);
    }
}

CLONES static void apply(const Image *image, const void *x, const float *bias, void *y) {
    RowGrid grid = image->grid;
    for (int64_t b = 0; b < grid.blocks; b++)
        EACH_SPAN(
            grid.type, grid.row,
            apply_span(half, n, image, x, b * grid.map * grid.row + k, bias, b * grid.row + k, y));
}

/* The mean of what stands in SUM over the channels of group g. */
static double group_mean(const Image *image, int64_t g) {
    int64_t width = image->channels / image->groups;
    double sum = 0;
    for (int64_t c = g * width; c < (g + 1) * width; c++)
        sum += image->at[SUM][c];
    return sum / image->count;
}

static void fill_group(const Image *image, int64_t g, int row, float value) {
    int64_t width = image->channels / image->groups;
    for (int64_t c = g * width; c < (g + 1) * width; c++)
        image->at[row][c] = value;
}

/* mean and rstd [groups] of one image. */
static void normalise(const Image *image, double eps, const void *x, const float *weight,
                      const float *bias, float *mean, float *rstd, void *y) {
    moments(image, x, false);
    for (int64_t g = 0; g < image->groups; g++) {
        mean[g] = (float)group_mean(image, g);
        fill_group(image, g, SHIFT, mean[g]);
    }
    moments(image, x, true);
    for (int64_t g = 0; g < image->groups; g++) {
        rstd[g] = (float)(1 / sqrt(group_mean(image, g) + eps));
        fill_group(image, g, FACTOR, rstd[g]);
    }
    for (int64_t c = 0; c < image->channels; c++)
        image->at[FACTOR][c] *= weight[c];
    apply(image, x, bias, y);
}

static Status forward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    const float *weight = call->at[1], *bias = call->at[2];
    float *mean = call->at[3], *rstd = call->at[4];
    Image image = image_of(call, call->at[6]);
    DType type = image.grid.type;
    int64_t count = image.channels * image.grid.map;
    for (int64_t i = 0; i < image.grid.images; i++)
        normalise(&image, desc->layer->args.groupnorm.eps, row_at(type, call->at[0], i * count),
                  weight, bias, mean + i * image.groups, rstd + i * image.groups,
                  row_at(type, call->at[5], i * count));
    return ST_OK;
}

/* ---- Backward ---- */

/* sum = sum over the map of grad; slope = that of grad (x - shift) factor. */
SPAN_FN void slopes_span(bool half, size_t n, const Image *image, const void *x, const void *grad,
                         int64_t at, int64_t number) {
    Span middle = span_load(false, n, image->at[SHIFT], number);
    Span scale = span_load(false, n, image->at[FACTOR], number);
    Span total = {{0}}, normal = {{0}};
    for (int64_t i = 0; i < image->grid.map; i++, at += image->grid.row) {
        Span value = span_load(half, n, x, at), g = span_load(half, n, grad, at);
        for (int c = 0; c < SPAN; c++) {
            total.at[c] += g.at[c];
            normal.at[c] += g.at[c] * ((value.at[c] - middle.at[c]) * scale.at[c]);
        }
    }
    span_store(false, n, image->at[SUM], number, total, false);
    span_store(false, n, image->at[SLOPE], number, normal, false);
}

CLONES static void slopes(const Image *image, const void *x, const void *grad) {
    RowGrid grid = image->grid;
    for (int64_t b = 0; b < grid.blocks; b++)
        EACH_SPAN(
            grid.type, grid.row,
            slopes_span(half, n, image, x, grad, b * grid.map * grid.row + k, b * grid.row + k));
}

/* grad_x = grad factor - (x - shift) slope - sum, or it is added. */
SPAN_FN void give_span(bool half, size_t n, const Image *image, const void *x, const void *grad,
                       int64_t at, int64_t number, bool add, void *grad_x) {
    Span middle = span_load(false, n, image->at[SHIFT], number);
    Span scale = span_load(false, n, image->at[FACTOR], number);
    Span mean = span_load(false, n, image->at[SUM], number);
    Span tilt = span_load(false, n, image->at[SLOPE], number);
    for (int64_t i = 0; i < image->grid.map; i++, at += image->grid.row) {
        Span value = span_load(half, n, x, at), g = span_load(half, n, grad, at);
        for (int c = 0; c < SPAN; c++)
            g.at[c] =
                g.at[c] * scale.at[c] - (value.at[c] - middle.at[c]) * tilt.at[c] - mean.at[c];
        span_store(half, n, grad_x, at, g, add);
    }
}

CLONES static void give(const Image *image, const void *x, const void *grad, bool add,
                        void *grad_x) {
    RowGrid grid = image->grid;
    for (int64_t b = 0; b < grid.blocks; b++)
        EACH_SPAN(grid.type, grid.row,
                  give_span(half, n, image, x, grad, b * grid.map * grid.row + k, b * grid.row + k,
                            add, grad_x));
}

/* From a channel's sums to the factors of its input's gradient:
 * grad_x = rstd (w g - mean(w g) - normal mean(w g normal)), means over the group. */
static void group_factors(const Image *image, int64_t g, const float *weight, double rstd) {
    int64_t width = image->channels / image->groups;
    double sum = 0, slope = 0;
    for (int64_t c = g * width; c < (g + 1) * width; c++) {
        sum += (double)weight[c] * image->at[SUM][c];
        slope += (double)weight[c] * image->at[SLOPE][c];
    }
    for (int64_t c = g * width; c < (g + 1) * width; c++)
        image->at[FACTOR][c] = (float)(weight[c] * rstd);
    fill_group(image, g, SUM, (float)(rstd * sum / image->count));
    fill_group(image, g, SLOPE, (float)(rstd * rstd * slope / image->count));
}

static Status backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    const float *weight = call->at[2], *mean = call->at[3], *rstd = call->at[4];
    float *grad_weight = call->at[5], *grad_bias = call->at[6];
    Image image = image_of(call, call->at[7]);
    DType type = image.grid.type;
    int64_t count = image.channels * image.grid.map;
    memset(grad_weight, 0, (size_t)image.channels * sizeof *grad_weight);
    memset(grad_bias, 0, (size_t)image.channels * sizeof *grad_bias);
    for (int64_t i = 0; i < image.grid.images; i++, mean += image.groups, rstd += image.groups) {
        const void *x = row_at(type, call->at[0], i * count);
        const void *grad = row_at(type, call->at[1], i * count);
        for (int64_t g = 0; g < image.groups; g++) {
            fill_group(&image, g, SHIFT, mean[g]);
            fill_group(&image, g, FACTOR, rstd[g]);
        }
        slopes(&image, x, grad);
        for (int64_t c = 0; c < image.channels; c++) {
            grad_weight[c] += image.at[SLOPE][c];
            grad_bias[c] += image.at[SUM][c];
        }
        if (desc->grad_in[0] == GRAD_NONE)
            continue;
        for (int64_t g = 0; g < image.groups; g++)
            group_factors(&image, g, weight, rstd[g]);
        give(&image, x, grad, desc->grad_in[0] == GRAD_ADD, row_at(type, call->at[8], i * count));
    }
    return ST_OK;
}

static Status groupnorm_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    int64_t groups = desc->layer->args.groupnorm.groups;
    size_t statistics = (size_t)(desc->out.shape.n * groups) * sizeof(float);
    Operand mean = steps_saved(plan, statistics), rstd = steps_saved(plan, statistics);
    steps_need_workspace(plan, SCRATCH_ROWS * (size_t)desc->out.shape.c * sizeof(float));
    LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_PARAM(WEIGHT), AT_PARAM(BIAS), mean, rstd,
              AT_OUT, AT_WORKSPACE);
    if (!desc->training)
        return ST_OK;
    plan->base.backward_reads_in = READS_IN(0);
    LOOP_STEP(plan, PASS_BACKWARD, backward, AT_IN(0), AT_GRAD_OUT, AT_PARAM(WEIGHT), mean, rstd,
              AT_GRAD_PARAM(WEIGHT), AT_GRAD_PARAM(BIAS), AT_WORKSPACE, AT_GRAD_IN(0));
    return ST_OK;
}

CPU_OP(groupnorm);
