/* cpu/bn_batch: see bn_batch.h. Sums over a map are of floats, those over a lane's images and over
 * lanes of doubles (bn_sums.h); mean, rstd and the number of values are kept for backward.
 *
 * What floats sum are differences to the channel's first value, which lies among the others, so
 * that a large mean costs them nothing. */
#include "bn_batch.h"

#include <math.h>
#include <string.h>

#include "lockstep/bn_sums.h"
#include "norm_pass.h"
#include "rows.h"

/* The lane. Rows of the pass: scratch. */
typedef struct Lane {
    NormPass pass;
    BnSums sums;
    int64_t channels, image; /* elements of an image */
    float *zeros;            /* [channels], behind the pass's rows */
} Lane;

enum { ROWS = NORM_ROWS + 1 };

static Lane lane_of(const StepCall *call, double *shared, float *scratch) {
    const Tensor *out = &call->plan->base.desc.out;
    int64_t channels = out->shape.c;
    Lane lane = {.pass = norm_pass(out, scratch),
                 .sums = bn_sums(shared, channels),
                 .channels = channels,
                 .image = channels * out->shape.h * out->shape.w,
                 .zeros = scratch + NORM_ROWS * channels};
    memset(lane.zeros, 0, (size_t)channels * sizeof *lane.zeros);
    return lane;
}

static const void *image_at(const Lane *lane, const void *base, int64_t i) {
    return row_at(lane->pass.grid.type, base, i * lane->image);
}

/* SHIFT = the first value of each channel. */
static void take_first(const Lane *lane, const void *x) {
    RowGrid grid = lane->pass.grid;
    float room[ROW_PIECE];
    for (int64_t b = 0; b < grid.blocks; b++)
        for (int64_t c = 0; c < grid.row; c += ROW_PIECE) {
            int64_t n = row_piece(grid.row, c);
            const void *row = row_at(grid.type, x, b * grid.map * grid.row + c);
            memcpy(lane->pass.at[SHIFT] + b * grid.row + c, row_read(grid.type, row, n, room),
                   (size_t)n * sizeof(float));
        }
}

static void add_channels(const Lane *lane, double *sum, int row) {
    for (int64_t c = 0; c < lane->channels; c++)
        sum[c] += lane->pass.at[row][c];
}

static Status share_moments(const StepCall *call) {
    const void *x = call->at[0];
    Lane lane = lane_of(call, call->at[1], call->at[2]);
    RowGrid grid = lane.pass.grid;
    double count = (double)(grid.images * grid.map);
    memset(call->at[1], 0, (size_t)call->plan->base.shared * sizeof(double));
    take_first(&lane, x);
    for (int64_t i = 0; i < grid.images; i++) {
        norm_powers(&lane.pass, image_at(&lane, x, i));
        add_channels(&lane, lane.sums.first, SUM);
        add_channels(&lane, lane.sums.second, SLOPE);
    }
    *lane.sums.count = count;
    for (int64_t c = 0; c < lane.channels; c++) { /* from powers of differences to those of x */
        double shift = lane.pass.at[SHIFT][c], sum = lane.sums.first[c];
        lane.sums.first[c] += count * shift;
        lane.sums.second[c] += 2 * shift * sum + count * shift * shift;
    }
    return ST_OK;
}

/* w, or 1 where the layer has none. */
static double weight_of(const float *weight, int64_t c) {
    return weight ? weight[c] : 1;
}

static Status normalise(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    const void *x = call->at[0];
    const float *weight = call->at[1], *bias = call->at[2];
    float *mean = call->at[3], *rstd = call->at[4];
    double *count = call->at[5];
    float *stats_mean = call->at[6], *stats_var = call->at[7];
    Lane lane = lane_of(call, call->at[8], call->at[9]);
    *count = *lane.sums.count;
    for (int64_t c = 0; c < lane.channels; c++) {
        BnMoments moments = bn_moments(&lane.sums, c);
        mean[c] = stats_mean[c] = (float)moments.mean;
        stats_var[c] = (float)moments.unbiased;
        rstd[c] = (float)(1 / sqrt(moments.var + desc->layer->args.bn.eps));
        lane.pass.at[SHIFT][c] = mean[c];
        lane.pass.at[FACTOR][c] = (float)(weight_of(weight, c) * rstd[c]);
    }
    for (int64_t i = 0; i < lane.pass.grid.images; i++)
        norm_apply(&lane.pass, image_at(&lane, x, i), bias ? bias : lane.zeros,
                   (void *)image_at(&lane, call->at[10], i));
    return ST_OK;
}

static void recall(const Lane *lane, const float *mean, const float *rstd) {
    size_t row = (size_t)lane->channels * sizeof(float);
    memcpy(lane->pass.at[SHIFT], mean, row);
    memcpy(lane->pass.at[FACTOR], rstd, row);
}

static Status share_slopes(const StepCall *call) {
    const void *x = call->at[0], *grad = call->at[1];
    float *grad_weight = call->at[4], *grad_bias = call->at[5];
    Lane lane = lane_of(call, call->at[6], call->at[7]);
    memset(call->at[6], 0, (size_t)call->plan->base.shared * sizeof(double));
    recall(&lane, call->at[2], call->at[3]);
    for (int64_t i = 0; i < lane.pass.grid.images; i++) {
        norm_slopes(&lane.pass, image_at(&lane, x, i), image_at(&lane, grad, i));
        add_channels(&lane, lane.sums.first, SUM);
        add_channels(&lane, lane.sums.second, SLOPE);
    }
    for (int64_t c = 0; c < lane.channels; c++) {
        if (grad_bias)
            grad_bias[c] = (float)lane.sums.first[c];
        if (grad_weight)
            grad_weight[c] = (float)lane.sums.second[c];
    }
    return ST_OK;
}

/* grad_x = w rstd (g - mean(g) - normal mean(g normal)), means over the batch. */
static Status give(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    const void *x = call->at[0], *grad = call->at[1];
    const float *weight = call->at[2], *rstd = call->at[4];
    double count = *(const double *)call->at[5];
    Lane lane = lane_of(call, call->at[6], call->at[7]);
    recall(&lane, call->at[3], rstd);
    for (int64_t c = 0; c < lane.channels; c++) {
        lane.pass.at[SCALE][c] = 1;
        lane.pass.at[FACTOR][c] = (float)(weight_of(weight, c) * rstd[c]);
        lane.pass.at[SUM][c] = (float)(lane.sums.first[c] / count);
        lane.pass.at[SLOPE][c] = (float)(rstd[c] * lane.sums.second[c] / count);
    }
    for (int64_t i = 0; i < lane.pass.grid.images; i++)
        norm_give(&lane.pass, image_at(&lane, x, i), image_at(&lane, grad, i),
                  desc->grad_in[0] == GRAD_ADD, (void *)image_at(&lane, call->at[8], i));
    return ST_OK;
}

Status bn_batch_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const Layer *layer = desc->layer;
    int64_t channels = desc->out.shape.c;
    size_t row = (size_t)channels * sizeof(float);
    /* Where the layer has no such parameter, its address is NULL. */
    int bias = bn_bias_param(layer), weight = 1 - bias;
    Operand mean = steps_saved(plan, row), rstd = steps_saved(plan, row);
    Operand count = steps_saved(plan, sizeof(double));
    plan->base.shared = bn_sums_count(channels);
    plan->base.backward_reads_in = READS_IN(0);
    steps_need_workspace(plan, ROWS * row);
    LOOP_STEP(plan, PASS_FORWARD, share_moments, AT_IN(0), AT_SHARED, AT_WORKSPACE);
    LOOP_STEP(plan, PASS_FORWARD_REST, normalise, AT_IN(0), AT_PARAM(weight), AT_PARAM(bias), mean,
              rstd, count, AT_STATS(MEAN), AT_STATS(VARIANCE), AT_SHARED, AT_WORKSPACE, AT_OUT);
    LOOP_STEP(plan, PASS_BACKWARD, share_slopes, AT_IN(0), AT_GRAD_OUT, mean, rstd,
              AT_GRAD_PARAM(weight), AT_GRAD_PARAM(bias), AT_SHARED, AT_WORKSPACE);
    if (desc->grad_in[0] != GRAD_NONE)
        LOOP_STEP(plan, PASS_BACKWARD_REST, give, AT_IN(0), AT_GRAD_OUT, AT_PARAM(weight), mean,
                  rstd, count, AT_SHARED, AT_WORKSPACE, AT_GRAD_IN(0));
    return ST_OK;
}
