/* cpu/groupnorm: normalisation over the map and the channels of one group of an image, by loops of
 * our own: oneDNN has it from version 3.2 on only.
 *
 * Passes over an image make or take numbers of each channel; what belongs to a group is added up
 * over its channels in between, in double. Mean and rstd of each group are kept for backward. */
#include <math.h>
#include <string.h>

#include "norm_pass.h"
#include "rows.h"

/* One image. */
typedef struct Image {
    NormPass pass;
    int64_t channels, groups;
    double count; /* elements of a group */
} Image;

static Image image_of(const StepCall *call, float *scratch) {
    const OpDesc *desc = &call->plan->base.desc;
    NormPass pass = norm_pass(&desc->out, scratch);
    int64_t channels = desc->out.shape.c, groups = desc->layer->args.groupnorm.groups;
    return (Image){pass, channels, groups, (double)(channels / groups * pass.grid.map)};
}

/* ---- Forward ---- */

/* The mean of what stands in SUM over the channels of group g. */
static double group_mean(const Image *image, int64_t g) {
    int64_t width = image->channels / image->groups;
    double sum = 0;
    for (int64_t c = g * width; c < (g + 1) * width; c++)
        sum += image->pass.at[SUM][c];
    return sum / image->count;
}

static void fill_group(const Image *image, int64_t g, int row, float value) {
    int64_t width = image->channels / image->groups;
    for (int64_t c = g * width; c < (g + 1) * width; c++)
        image->pass.at[row][c] = value;
}

/* mean and rstd [groups] of one image. */
static void normalise(const Image *image, double eps, const void *x, const float *weight,
                      const float *bias, float *mean, float *rstd, void *y) {
    norm_moments(&image->pass, x, false);
    for (int64_t g = 0; g < image->groups; g++) {
        mean[g] = (float)group_mean(image, g);
        fill_group(image, g, SHIFT, mean[g]);
    }
    norm_moments(&image->pass, x, true);
    for (int64_t g = 0; g < image->groups; g++) {
        rstd[g] = (float)(1 / sqrt(group_mean(image, g) + eps));
        fill_group(image, g, FACTOR, rstd[g]);
    }
    for (int64_t c = 0; c < image->channels; c++)
        image->pass.at[FACTOR][c] *= weight[c];
    norm_apply(&image->pass, x, bias, y);
}

static Status forward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    const float *weight = call->at[1], *bias = call->at[2];
    float *mean = call->at[3], *rstd = call->at[4];
    Image image = image_of(call, call->at[6]);
    DType type = image.pass.grid.type;
    int64_t count = image.channels * image.pass.grid.map;
    for (int64_t i = 0; i < image.pass.grid.images; i++)
        normalise(&image, desc->layer->args.groupnorm.eps, row_at(type, call->at[0], i * count),
                  weight, bias, mean + i * image.groups, rstd + i * image.groups,
                  row_at(type, call->at[5], i * count));
    return ST_OK;
}

/* ---- Backward ---- */

/* From a channel's sums to the factors of its input's gradient:
 * grad_x = rstd (w g - mean(w g) - normal mean(w g normal)), means over the group. */
static void group_factors(const Image *image, int64_t g, const float *weight, double rstd) {
    int64_t width = image->channels / image->groups;
    double sum = 0, slope = 0;
    for (int64_t c = g * width; c < (g + 1) * width; c++) {
        sum += (double)weight[c] * image->pass.at[SUM][c];
        slope += (double)weight[c] * image->pass.at[SLOPE][c];
    }
    for (int64_t c = g * width; c < (g + 1) * width; c++)
        image->pass.at[SCALE][c] = weight[c];
    fill_group(image, g, FACTOR, (float)rstd);
    fill_group(image, g, SUM, (float)(sum / image->count));
    fill_group(image, g, SLOPE, (float)(rstd * slope / image->count));
}

static Status backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    const float *weight = call->at[2], *mean = call->at[3], *rstd = call->at[4];
    float *grad_weight = call->at[5], *grad_bias = call->at[6];
    Image image = image_of(call, call->at[7]);
    DType type = image.pass.grid.type;
    int64_t count = image.channels * image.pass.grid.map;
    memset(grad_weight, 0, (size_t)image.channels * sizeof *grad_weight);
    memset(grad_bias, 0, (size_t)image.channels * sizeof *grad_bias);
    for (int64_t i = 0; i < image.pass.grid.images;
         i++, mean += image.groups, rstd += image.groups) {
        const void *x = row_at(type, call->at[0], i * count);
        const void *grad = row_at(type, call->at[1], i * count);
        for (int64_t g = 0; g < image.groups; g++) {
            fill_group(&image, g, SHIFT, mean[g]);
            fill_group(&image, g, FACTOR, rstd[g]);
        }
        norm_slopes(&image.pass, x, grad);
        for (int64_t c = 0; c < image.channels; c++) {
            grad_weight[c] += image.pass.at[SLOPE][c];
            grad_bias[c] += image.pass.at[SUM][c];
        }
        if (desc->grad_in[0] == GRAD_NONE)
            continue;
        for (int64_t g = 0; g < image.groups; g++)
            group_factors(&image, g, weight, rstd[g]);
        norm_give(&image.pass, x, grad, desc->grad_in[0] == GRAD_ADD,
                  row_at(type, call->at[8], i * count));
    }
    return ST_OK;
}

static Status groupnorm_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    int64_t groups = desc->layer->args.groupnorm.groups;
    size_t statistics = (size_t)(desc->out.shape.n * groups) * sizeof(float);
    Operand mean = steps_saved(plan, statistics), rstd = steps_saved(plan, statistics);
    steps_need_workspace(plan, NORM_ROWS * (size_t)desc->out.shape.c * sizeof(float));
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
