/* cuda/attention: in one of two ways.
 *
 * In bf16, with heads of up to 64 values, a multiple of 8, kernels on tensor cores that keep no
 * matrix of scores: training keeps a number a row for backward, which makes shares anew.
 *
 * Otherwise products of all images and heads on views of queries, keys and values where they lie,
 * and softmax in fp32. Training keeps the shares (softmax's result) for backward: see
 * cpu/attention. In bf16 shares and the gradient of scores are bfloat16, scores and the gradient of
 * shares fp32. */
#include <math.h>

#include "plan.h"

enum { QUERY, KEY, VALUE };

/* Extents of the op, and where it keeps what. */
typedef struct Attention {
    int64_t images, heads, tokens, size; /* size: of a head, D */
    DType type;
    Operand share;      /* [images][heads][tokens][tokens] of `type` */
    Operand score;      /* fp32: forward's scores, which in fp32 become the shares in place */
    Operand grad_share; /* fp32, in temp */
    Operand grad_score; /* of `type`; in fp32 it is grad_share, in place */
    Operand apart;      /* the queries' gradient, where it does not go to grad_in at once */
    Operand stat, mean; /* without shares: fp32 [images][heads][tokens], saved and in temp */
} Attention;

static Attention attention_of(const StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    Shape s = desc->in[0].shape;
    int64_t heads = desc->layer->args.attention.heads;
    return (Attention){.images = s.n,
                       .heads = heads,
                       .tokens = s.h * s.w,
                       .size = s.c / 3 / heads,
                       .type = plan_type(plan)};
}

static int64_t rows_of(const Attention *a) {
    return a->images * a->heads * a->tokens;
}

static double scale_of(const Attention *a) {
    return 1 / sqrt((double)a->size);
}

static bool learns(const StepPlan *plan) {
    return plan->base.desc.layer->args.attention.temperature;
}

static bool adds(const StepPlan *plan) {
    return plan->base.desc.grad_in[0] == GRAD_ADD;
}

/* The queries' gradient is needed by itself, and does not stand so in grad_in. */
static bool keeps_apart(const StepPlan *plan) {
    return learns(plan) && plan->base.desc.grad_in[0] != GRAD_ASSIGN;
}

/* Room behind what temp holds already. */
static Operand temp_behind(size_t *used, size_t bytes) {
    Operand room = {OPERAND_TEMP, 0, *used};
    *used += (bytes + STEPS_ALIGN - 1) / STEPS_ALIGN * STEPS_ALIGN;
    return room;
}

static GpuHeads heads_of(const StepPlan *plan, const float *temperature) {
    Attention a = attention_of(plan);
    return (GpuHeads){a.images,
                      a.heads,
                      a.tokens,
                      a.size,
                      temperature,
                      scale_of(&a),
                      plan->base.desc.layer->args.attention.mask_diagonal};
}

/* Whether nothing is kept but a number a row. */
static bool is_fused(const StepPlan *plan) {
    GpuHeads heads = heads_of(plan, NULL);
    return gpu_attention_fits(&heads, plan_type(plan));
}

static void find_fused_rooms(StepPlan *plan, Attention *a) {
    size_t used = 0, rows = (size_t)rows_of(a) * sizeof(float);
    a->apart = AT_NOTHING;
    if (!plan->base.desc.training)
        return;
    a->stat = steps_saved(plan, rows);
    a->mean = temp_behind(&used, rows);
    if (keeps_apart(plan))
        a->apart = temp_behind(&used, (size_t)plan_count(plan) * dtype_size(a->type));
    steps_need_temp(plan, used);
}

static void find_rooms(StepPlan *plan, Attention *a) {
    bool fp32 = a->type == DT_F32;
    size_t used = 0, count = (size_t)(rows_of(a) * a->tokens);
    a->grad_share = temp_behind(&used, count * sizeof(float));
    a->grad_score = fp32 ? a->grad_share : temp_behind(&used, count * dtype_size(a->type));
    a->share =
        plan->base.desc.training ? steps_saved(plan, count * dtype_size(a->type)) : a->grad_score;
    a->score = fp32 ? a->share : a->grad_share;
    a->apart = AT_NOTHING;
    if (keeps_apart(plan))
        a->apart = temp_behind(&used, (size_t)plan_count(plan) * dtype_size(a->type));
    steps_need_temp(plan, used);
}

/* ---- Views ---- */

static GpuMatrix transpose(GpuMatrix m) {
    return (GpuMatrix){m.columns, m.rows, m.image, m.head, m.column, m.row};
}

/* [tokens][size] of each head where a token has `row` values: in the input thrice as many as in the
 * output. */
static GpuMatrix values(const Attention *a, int64_t row) {
    return (GpuMatrix){a->tokens, a->size, a->tokens * row, a->size, row, 1};
}

static GpuMatrix values_in(const Attention *a) {
    return values(a, 3 * a->heads * a->size);
}

static GpuMatrix values_out(const Attention *a) {
    return values(a, a->heads * a->size);
}

static GpuMatrix scores(const Attention *a) {
    int64_t n = a->tokens;
    return (GpuMatrix){n, n, a->heads * n * n, n * n, n, 1};
}

static Operand part(const Attention *a, Operand of, int what) {
    of.offset += (size_t)(what * a->heads * a->size) * dtype_size(a->type);
    return of;
}

/* ---- Launches: the last argument of a product is where it goes ---- */

static Status multiply(const StepCall *call, const Attention *a, GpuMatrix left, GpuMatrix right,
                       bool add, GpuMatrix to, DType to_type) {
    TRY_CUDA(gpu_multiply_heads(call->at[2], to_type, to, call->at[0], left, call->at[1], right,
                                a->type, a->images, a->heads, add, call_stream(call)));
    return ST_OK;
}

/* Queries, keys: scores. */
static Status find_scores(const StepCall *call) {
    Attention a = attention_of(call->plan);
    return multiply(call, &a, values_in(&a), transpose(values_in(&a)), false, scores(&a), DT_F32);
}

/* Scores: shares; perhaps temperature. */
static Status find_shares(const StepCall *call) {
    Attention a = attention_of(call->plan);
    TRY_CUDA(gpu_softmax_rows(call->at[1], call->at[0], a.type, rows_of(&a), a.tokens,
                              learns(call->plan) ? call->at[2] : NULL, scale_of(&a),
                              call->plan->base.desc.layer->args.attention.mask_diagonal,
                              call_stream(call)));
    return ST_OK;
}

/* Shares, values: output. */
static Status find_output(const StepCall *call) {
    Attention a = attention_of(call->plan);
    return multiply(call, &a, scores(&a), values_in(&a), false, values_out(&a), a.type);
}

/* Shares, output's gradient: values' gradient. */
static Status find_value_gradient(const StepCall *call) {
    Attention a = attention_of(call->plan);
    return multiply(call, &a, transpose(scores(&a)), values_out(&a), adds(call->plan),
                    values_in(&a), a.type);
}

/* Output's gradient, values: shares' gradient. */
static Status find_share_gradient(const StepCall *call) {
    Attention a = attention_of(call->plan);
    return multiply(call, &a, values_out(&a), transpose(values_in(&a)), false, scores(&a), DT_F32);
}

/* Shares, their gradient: gradient of scores; perhaps temperature. */
static Status find_score_gradient(const StepCall *call) {
    Attention a = attention_of(call->plan);
    TRY_CUDA(gpu_softmax_rows_backward(call->at[2], call->at[1], call->at[0], a.type, rows_of(&a),
                                       a.tokens, learns(call->plan) ? call->at[3] : NULL,
                                       scale_of(&a), call_stream(call)));
    return ST_OK;
}

/* Scores' gradient, keys: queries' gradient. */
static Status find_query_gradient(const StepCall *call) {
    Attention a = attention_of(call->plan);
    bool apart = keeps_apart(call->plan);
    return multiply(call, &a, scores(&a), values_in(&a), adds(call->plan) && !apart,
                    apart ? values_out(&a) : values_in(&a), a.type);
}

/* Scores' gradient, queries: keys' gradient. */
static Status find_key_gradient(const StepCall *call) {
    Attention a = attention_of(call->plan);
    return multiply(call, &a, transpose(scores(&a)), values_in(&a), adds(call->plan), values_in(&a),
                    a.type);
}

/* Queries, their gradient: the temperature's: sum of score times its gradient, which is the sum
 * over all queries of query times its gradient. */
static Status find_temperature_gradient(const StepCall *call) {
    Attention a = attention_of(call->plan);
    int64_t row = a.heads * a.size;
    TRY_CUDA(gpu_dot_rows(call->at[2], call->at[0], 3 * row, call->at[1],
                          keeps_apart(call->plan) ? row : 3 * row, a.type, a.images * a.tokens, row,
                          call->at[3], call_stream(call)));
    return ST_OK;
}

/* The queries' gradient, computed apart, to where it belongs. */
static Status add_query_gradient(const StepCall *call) {
    Attention a = attention_of(call->plan);
    int64_t row = a.heads * a.size;
    TRY_CUDA(gpu_add_rows(call->at[1], 3 * row, call->at[0], a.type, a.images * a.tokens, row,
                          call_stream(call)));
    return ST_OK;
}

/* ---- The same without shares ---- */

/* With the temperature at argument i, if there is one. */
static GpuHeads heads_at(const StepCall *call, int i) {
    return heads_of(call->plan, learns(call->plan) ? call->at[i] : NULL);
}

/* Input: output and, to train, what backward keeps; perhaps temperature. */
static Status attend(const StepCall *call) {
    void *const *at = call->at;
    bool training = call->plan->base.desc.training;
    GpuHeads heads = heads_at(call, training ? 3 : 2);
    TRY_CUDA(gpu_attention(at[1], training ? at[2] : NULL, at[0], &heads, call_stream(call)));
    return ST_OK;
}

/* Input, output and its gradient, what is kept: queries' gradient, and what that of keys and values
 * wants; perhaps temperature. */
static Status attend_queries(const StepCall *call) {
    void *const *at = call->at;
    Attention a = attention_of(call->plan);
    GpuHeads heads = heads_at(call, 6);
    bool apart = keeps_apart(call->plan);
    TRY_CUDA(gpu_attention_queries(at[5], (apart ? 1 : 3) * a.heads * a.size, at[4], at[2], at[1],
                                   at[0], at[3], &heads, adds(call->plan) && !apart,
                                   call_stream(call)));
    return ST_OK;
}

/* Input, output's gradient, what is kept and what the last step left: gradients of keys and values;
 * perhaps temperature. */
static Status attend_keys(const StepCall *call) {
    void *const *at = call->at;
    GpuHeads heads = heads_at(call, 5);
    TRY_CUDA(gpu_attention_keys(at[4], at[3], at[1], at[0], at[2], &heads, adds(call->plan),
                                call_stream(call)));
    return ST_OK;
}

/* ---- The plan ---- */

/* Where the queries' gradient goes. */
static Operand query_place(const StepPlan *plan, const Attention *a) {
    return keeps_apart(plan) ? a->apart : part(a, AT_GRAD_IN(0), QUERY);
}

/* What follows from the queries' gradient. */
static void behind_queries(StepPlan *plan, const Attention *a) {
    Operand to = query_place(plan, a);
    if (learns(plan)) {
        Shape out = plan->base.desc.out.shape;
        steps_need_workspace(plan, gpu_dot_rows_scratch(a->images * a->tokens, out.c));
        LAUNCH_STEP(plan, PASS_BACKWARD, find_temperature_gradient, part(a, AT_IN(0), QUERY), to,
                    AT_GRAD_PARAM(WEIGHT), AT_WORKSPACE);
    }
    if (keeps_apart(plan) && adds(plan))
        LAUNCH_STEP(plan, PASS_BACKWARD, add_query_gradient, to, part(a, AT_GRAD_IN(0), QUERY));
}

static void backward_steps(StepPlan *plan, const Attention *a, Operand temperature) {
    bool wanted = plan->base.desc.grad_in[0] != GRAD_NONE;
    if (!wanted && !learns(plan))
        return;
    if (wanted)
        LAUNCH_STEP(plan, PASS_BACKWARD, find_value_gradient, a->share, AT_GRAD_OUT,
                    part(a, AT_GRAD_IN(0), VALUE));
    LAUNCH_STEP(plan, PASS_BACKWARD, find_share_gradient, AT_GRAD_OUT, part(a, AT_IN(0), VALUE),
                a->grad_share);
    LAUNCH_STEP(plan, PASS_BACKWARD, find_score_gradient, a->share, a->grad_share, a->grad_score,
                temperature);
    LAUNCH_STEP(plan, PASS_BACKWARD, find_query_gradient, a->grad_score, part(a, AT_IN(0), KEY),
                query_place(plan, a));
    behind_queries(plan, a);
    if (wanted)
        LAUNCH_STEP(plan, PASS_BACKWARD, find_key_gradient, a->grad_score, part(a, AT_IN(0), QUERY),
                    part(a, AT_GRAD_IN(0), KEY));
}

static void fused_steps(StepPlan *plan, Attention *a, Operand temperature) {
    bool wanted = plan->base.desc.grad_in[0] != GRAD_NONE;
    find_fused_rooms(plan, a);
    if (!plan->base.desc.training) {
        LAUNCH_STEP(plan, PASS_FORWARD, attend, AT_IN(0), AT_OUT, temperature);
        return;
    }
    plan->base.backward_reads_in = READS_IN(0);
    LAUNCH_STEP(plan, PASS_FORWARD, attend, AT_IN(0), AT_OUT, a->stat, temperature);
    if (!wanted && !learns(plan))
        return;
    plan->base.backward_reads_out = true;
    LAUNCH_STEP(plan, PASS_BACKWARD, attend_queries, AT_IN(0), AT_OUT, AT_GRAD_OUT, a->stat,
                a->mean, query_place(plan, a), temperature);
    behind_queries(plan, a);
    if (wanted)
        LAUNCH_STEP(plan, PASS_BACKWARD, attend_keys, AT_IN(0), AT_GRAD_OUT, a->stat, a->mean,
                    AT_GRAD_IN(0), temperature);
}

static Status attention_steps(StepPlan *plan) {
    Attention a = attention_of(plan);
    Operand temperature = learns(plan) ? AT_PARAM(WEIGHT) : AT_NOTHING;
    if (is_fused(plan)) {
        fused_steps(plan, &a, temperature);
        return ST_OK;
    }
    find_rooms(plan, &a);
    plan->base.backward_reads_in = READS_IN(0);
    LAUNCH_STEP(plan, PASS_FORWARD, find_scores, part(&a, AT_IN(0), QUERY), part(&a, AT_IN(0), KEY),
                a.score);
    LAUNCH_STEP(plan, PASS_FORWARD, find_shares, a.score, a.share, temperature);
    LAUNCH_STEP(plan, PASS_FORWARD, find_output, a.share, part(&a, AT_IN(0), VALUE), AT_OUT);
    if (plan->base.desc.training)
        backward_steps(plan, &a, temperature);
    return ST_OK;
}

CUDA_OP(attention);
