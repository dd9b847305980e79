/* ref/groupnorm: y = weight (x - mean) rstd + bias, rstd = 1 / sqrt(var + eps), mean and biased
 * variance over one group of one image: a run of neighbouring elements. Backward takes them
 * again. */
#include <math.h>

#include "ref.h"

/* One group of one image: elements [begin, begin + count), channels from `channel`, `map` elements
 * each. */
typedef struct Group {
    int64_t begin, count, channel, map;
    double mean, rstd;
} Group;

static Status groupnorm_plan(Device *device, const OpDesc *desc, OpPlan **plan) {
    (void)device;
    TRY(REF(plan_new)(&REF(op_groupnorm), desc, 0, plan));
    (*plan)->backward_reads_in = READS_IN(0);
    return ST_OK;
}

static Group group_of(const OpBound *bound, int64_t n, int64_t g) {
    const GroupNormArgs *args = &bound->plan->desc.layer->args.groupnorm;
    const real *x = bound->memory.in[0].data;
    Shape s = bound->memory.in[0].shape;
    int64_t channels = s.c / args->groups;
    double sum = 0, squares = 0;
    Group group = {.begin = ref_at(s, n, g * channels, 0, 0),
                   .count = channels * s.h * s.w,
                   .channel = g * channels,
                   .map = s.h * s.w};
    for (int64_t i = 0; i < group.count; i++)
        sum += x[group.begin + i];
    group.mean = sum / (double)group.count;
    for (int64_t i = 0; i < group.count; i++) {
        double d = x[group.begin + i] - group.mean;
        squares += d * d;
    }
    group.rstd = 1 / sqrt(squares / (double)group.count + args->eps);
    return group;
}

static Status groupnorm_forward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const real *x = bound->memory.in[0].data;
    const real *weight = bound->memory.param[0].data, *bias = bound->memory.param[1].data;
    real *y = bound->memory.out.data;
    for (int64_t n = 0; n < bound->memory.in[0].shape.n; n++)
        for (int64_t g = 0; g < bound->plan->desc.layer->args.groupnorm.groups; g++) {
            Group group = group_of(bound, n, g);
            for (int64_t i = 0; i < group.count; i++) {
                int64_t c = group.channel + i / group.map;
                double normal = (x[group.begin + i] - group.mean) * group.rstd;
                y[group.begin + i] = (real)(weight[c] * normal + bias[c]);
            }
        }
    return ST_OK;
}

/* grad_x = rstd (w g - mean(w g) - normal mean(w g normal)), means over the group. */
static void group_backward(const OpBound *bound, const Group *group) {
    GradMode mode = bound->plan->desc.grad_in[0];
    const real *x = (const real *)bound->memory.in[0].data + group->begin;
    const real *grad_y = (const real *)bound->memory.grad_out.data + group->begin;
    const real *weight = (const real *)bound->memory.param[0].data + group->channel;
    real *grad_x = (real *)bound->memory.grad_in[0].data + group->begin;
    double sum = 0, sum_normal = 0;
    if (mode == GRAD_NONE)
        return;
    for (int64_t i = 0; i < group->count; i++) {
        double g = (double)weight[i / group->map] * grad_y[i];
        sum += g;
        sum_normal += g * (x[i] - group->mean) * group->rstd;
    }
    for (int64_t i = 0; i < group->count; i++) {
        double normal = (x[i] - group->mean) * group->rstd;
        double rest = (double)weight[i / group->map] * grad_y[i] - sum / (double)group->count -
                      normal * sum_normal / (double)group->count;
        ref_put(mode, &grad_x[i], group->rstd * rest);
    }
}

static Status groupnorm_backward(Stream *stream, OpBound *bound, const LaneRun *run) {
    (void)stream;
    (void)run;
    const real *x = bound->memory.in[0].data, *grad_y = bound->memory.grad_out.data;
    real *grad_weight = bound->memory.grad_param[0].data;
    real *grad_bias = bound->memory.grad_param[1].data;
    Shape s = bound->memory.in[0].shape;
    int64_t groups = bound->plan->desc.layer->args.groupnorm.groups;
    for (int64_t c = 0; c < s.c; c++) {
        double sum = 0, sum_normal = 0;
        for (int64_t n = 0; n < s.n; n++) {
            Group group = group_of(bound, n, c / (s.c / groups));
            for (int64_t i = 0; i < s.h * s.w; i++) {
                int64_t at = ref_at(s, n, c, 0, i);
                sum += grad_y[at];
                sum_normal += grad_y[at] * (x[at] - group.mean) * group.rstd;
            }
        }
        grad_weight[c] = (real)sum_normal;
        grad_bias[c] = (real)sum;
    }
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t g = 0; g < groups; g++) {
            Group group = group_of(bound, n, g);
            group_backward(bound, &group);
        }
    return ST_OK;
}

const Op REF(op_groupnorm) = {
    .plan = groupnorm_plan,
    .unplan = REF(unplan),
    .bind = REF(bind),
    .unbind = REF(unbind),
    .forward = groupnorm_forward,
    .backward = groupnorm_backward,
};
