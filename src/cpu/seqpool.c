/* cpu/seqpool: the tokens' mean by the softmax of their scores. Forward keeps the shares in
 * `saved`. Scores, shares and their gradients are double: there is one a token, and what is summed
 * over all tokens cancels. */
#include <math.h>
#include <string.h>

#include "clones.h"
#include "plan.h"
#include "rows.h"

/* In a fixed order that vectors can follow. */
CLONES static double dot(const float *a, const float *b, int64_t n) {
    enum { LINES = 8 };
    double line[LINES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LINES <= n; i += LINES)
        for (int k = 0; k < LINES; k++)
            line[k] += (double)a[i + k] * (double)b[i + k];
    for (int k = 0; k < LINES; k++)
        sum += line[k];
    for (; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* share[tokens] = softmax(share[tokens]). */
static void softmax(double *share, int64_t tokens) {
    double top = share[0], sum = 0;
    for (int64_t l = 1; l < tokens; l++)
        top = share[l] > top ? share[l] : top;
    for (int64_t l = 0; l < tokens; l++)
        sum += share[l] = exp(share[l] - top);
    for (int64_t l = 0; l < tokens; l++)
        share[l] /= sum;
}

/* to[n] += a x[n]. */
CLONES static void add_scaled(double a, const float *x, int64_t n, float *to) {
    for (int64_t i = 0; i < n; i++)
        to[i] += (float)a * x[i];
}

/* Temp: of backward grad_score[tokens]; and rows of C floats to compute in. */
typedef struct Rooms {
    double *grad_score;
    float *x, *y, *g;
} Rooms;

static Rooms rooms_of(Shape s, void *temp) {
    Rooms rooms = {.grad_score = temp};
    rooms.x = (float *)(rooms.grad_score + s.h * s.w);
    rooms.y = rooms.x + s.c;
    rooms.g = rooms.y + s.c;
    return rooms;
}

static size_t rooms_bytes(Shape s) {
    return (size_t)(s.h * s.w) * sizeof(double) + 3 * (size_t)s.c * sizeof(float);
}

/* Row i of an activation as floats. */
static const float *read_row(const StepCall *call, const void *from, int64_t i, float *room) {
    DType type = plan_type(call->plan);
    int64_t c = call->plan->base.desc.in[0].shape.c;
    return row_read(type, row_at(type, from, i * c), c, room);
}

static Status forward(const StepCall *call) {
    Shape s = call->plan->base.desc.in[0].shape;
    DType type = plan_type(call->plan);
    int64_t tokens = s.h * s.w;
    const float *weight = call->at[1], *bias = call->at[2];
    Rooms rooms = rooms_of(s, call->at[5]);
    double *share = call->at[4];
    for (int64_t n = 0; n < s.n; n++, share += tokens) {
        for (int64_t l = 0; l < tokens; l++)
            share[l] =
                bias[0] + dot(weight, read_row(call, call->at[0], n * tokens + l, rooms.x), s.c);
        softmax(share, tokens);
        memset(rooms.y, 0, (size_t)s.c * sizeof *rooms.y);
        for (int64_t l = 0; l < tokens; l++)
            add_scaled(share[l], read_row(call, call->at[0], n * tokens + l, rooms.x), s.c,
                       rooms.y);
        row_close(type, row_at(type, call->at[3], n * s.c), s.c, rooms.y);
    }
    return ST_OK;
}

/* rooms->grad_score of image n: share (d - sum over tokens of share d), d being the gradient of the
 * share. */
static void score_gradient(const StepCall *call, int64_t n, const float *g, const double *share,
                           Rooms *rooms) {
    Shape s = call->plan->base.desc.in[0].shape;
    int64_t tokens = s.h * s.w;
    double mean = 0;
    for (int64_t l = 0; l < tokens; l++) {
        const float *x = read_row(call, call->at[0], n * tokens + l, rooms->x);
        rooms->grad_score[l] = dot(g, x, s.c);
        mean += share[l] * rooms->grad_score[l];
    }
    for (int64_t l = 0; l < tokens; l++)
        rooms->grad_score[l] = share[l] * (rooms->grad_score[l] - mean);
}

/* y[n] = or += share g + score weight. */
CLONES static void combine(int64_t n, float share, const float *g, float score, const float *weight,
                           bool add, float *y) {
    for (int64_t c = 0; c < n; c++)
        y[c] = (add ? y[c] : 0) + (share * g[c] + score * weight[c]);
}

/* Row i of the input's gradient. */
static void token_backward(const StepCall *call, int64_t i, double share, const float *g,
                           double grad_score, float *room) {
    const OpDesc *desc = &call->plan->base.desc;
    const float *weight = call->at[1];
    DType type = plan_type(call->plan);
    int64_t channels = desc->in[0].shape.c;
    bool add = desc->grad_in[0] == GRAD_ADD;
    void *row = row_at(type, call->at[4], i * channels);
    float *y = row_open(type, row, channels, add, room);
    combine(channels, (float)share, g, (float)grad_score, weight, add, y);
    row_close(type, row, channels, y);
}

static Status backward(const StepCall *call) {
    Shape s = call->plan->base.desc.in[0].shape;
    int64_t tokens = s.h * s.w;
    const double *share = call->at[3];
    float *grad_weight = call->at[5], *grad_bias = call->at[6];
    Rooms rooms = rooms_of(s, call->at[7]);
    double sum = 0;
    memset(grad_weight, 0, (size_t)s.c * sizeof *grad_weight);
    for (int64_t n = 0; n < s.n; n++, share += tokens) {
        const float *g = read_row(call, call->at[2], n, rooms.g);
        score_gradient(call, n, g, share, &rooms);
        for (int64_t l = 0; l < tokens; l++) {
            double grad_score = rooms.grad_score[l];
            int64_t i = n * tokens + l;
            sum += grad_score;
            add_scaled(grad_score, read_row(call, call->at[0], i, rooms.x), s.c, grad_weight);
            if (call->at[4])
                token_backward(call, i, share[l], g, grad_score, rooms.y);
        }
    }
    grad_bias[0] = (float)sum;
    return ST_OK;
}

static Status seqpool_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    Shape s = desc->in[0].shape;
    Operand share = steps_saved(plan, (size_t)shape_count(s) / (size_t)s.c * sizeof(double));
    plan->base.backward_reads_in = READS_IN(0);
    steps_need_temp(plan, rooms_bytes(s));
    LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_PARAM(WEIGHT), AT_PARAM(BIAS), AT_OUT,
              share, AT_TEMP);
    if (desc->training)
        LOOP_STEP(plan, PASS_BACKWARD, backward, AT_IN(0), AT_PARAM(WEIGHT), AT_GRAD_OUT, share,
                  AT_GRAD_IN(0), AT_GRAD_PARAM(WEIGHT), AT_GRAD_PARAM(BIAS), AT_TEMP);
    return ST_OK;
}

CPU_OP(seqpool);
