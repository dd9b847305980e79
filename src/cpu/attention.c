/* cpu/attention: products by oneDNN, batched over images and heads, on views of queries, keys and
 * values where they lie; softmax by a loop of our own, in fp32.
 *
 * Training keeps the shares (softmax's result, tokens^2 a head) for backward. For a vision
 * transformer of 65 tokens and heads of 64 values they are a third of the queries, keys and values
 * that are kept anyway, and computing them again would cost a quarter of backward.
 *
 * In bf16 what oneDNN multiplies is bfloat16, shares too; scores and their gradients come out in
 * fp32. Where there are vectors for it, attention_heads.c computes most layers, in both types. */
#include <math.h>

#include "attention_heads.h"
#include "rows.h"
#include "softmax.h"

/* Extents of the op, and where it keeps what. */
typedef struct Attention {
    int64_t images, heads, tokens, size; /* size: of a head, D */
    DType type;
    Operand share;      /* [images][heads][tokens][tokens] of `type` */
    Operand score;      /* fp32: forward's scores, which in fp32 become the shares in place */
    Operand grad_share; /* fp32, in temp */
    Operand grad_score; /* of `type`; in fp32 it is grad_share, in place */
    Operand room;       /* [tokens] fp32, in temp */
    Operand apart;      /* the queries' gradient, where it does not go to grad_in at once */
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

static size_t score_bytes(const Attention *a, DType type) {
    return (size_t)(rows_of(a) * a->tokens) * dtype_size(type);
}

/* Room behind what temp holds already. */
static Operand temp_behind(size_t *used, size_t bytes) {
    Operand room = {OPERAND_TEMP, 0, *used};
    *used += (bytes + STEPS_ALIGN - 1) / STEPS_ALIGN * STEPS_ALIGN;
    return room;
}

static void find_rooms(StepPlan *plan, Attention *a) {
    const OpDesc *desc = &plan->base.desc;
    bool fp32 = a->type == DT_F32, temperature = desc->layer->args.attention.temperature;
    size_t used = 0, values = (size_t)shape_count(desc->out.shape) * dtype_size(a->type);
    a->grad_share = temp_behind(&used, score_bytes(a, DT_F32));
    a->grad_score = fp32 ? a->grad_share : temp_behind(&used, score_bytes(a, a->type));
    a->room = temp_behind(&used, (size_t)a->tokens * sizeof(float));
    a->share = desc->training ? steps_saved(plan, score_bytes(a, a->type)) : a->grad_score;
    a->score = fp32 ? a->share : a->grad_share;
    a->apart = AT_NOTHING;
    if (temperature && desc->grad_in[0] != GRAD_ASSIGN)
        a->apart = temp_behind(&used, values);
    steps_need_temp(plan, used);
}

/* ---- Views: matrices of all images and heads ---- */

static MemDesc transpose(MemDesc md) {
    int64_t dim = md.dim[2], stride = md.stride[2];
    md.dim[2] = md.dim[3];
    md.dim[3] = dim;
    md.stride[2] = md.stride[3];
    md.stride[3] = stride;
    return md;
}

/* [tokens][size] of each head where a token has `row` values; or its transpose. */
static MemDesc md_values(const Attention *a, int64_t row, bool transposed) {
    MemDesc md = {.type = a->type,
                  .ndim = 4,
                  .dim = {a->images, a->heads, a->tokens, a->size},
                  .strided = true,
                  .stride = {a->tokens * row, a->size, row, 1}};
    return transposed ? transpose(md) : md;
}

static MemDesc md_scores(const Attention *a, DType type, bool transposed) {
    int64_t n = a->tokens;
    MemDesc md = {.type = type,
                  .ndim = 4,
                  .dim = {a->images, a->heads, n, n},
                  .strided = true,
                  .stride = {a->heads * n * n, n * n, n, 1}};
    return transposed ? transpose(md) : md;
}

/* What takes part in a product. */
typedef struct Factor {
    Operand at;
    MemDesc md;
} Factor;

static Factor part(const Attention *a, Operand of, int what, bool transposed) {
    int64_t row = a->heads * a->size;
    of.offset += (size_t)(what * row) * dtype_size(a->type);
    return (Factor){of, md_values(a, 3 * row, transposed)};
}

static Factor values(const Attention *a, Operand of) {
    return (Factor){of, md_values(a, a->heads * a->size, false)};
}

static Factor scores(const Attention *a, Operand of, DType type, bool transposed) {
    return (Factor){of, md_scores(a, type, transposed)};
}

/* to = left right, or to += left right. */
static Status multiply(StepPlan *plan, Pass pass, Factor left, Factor right, bool add, Factor to) {
    dnnl_primitive_t product;
    TRY(primitive_matmul(plan_engine(plan), &left.md, &right.md, &to.md, add, &product));
    PRIMITIVE_STEP(plan, pass, product, {left.at, DNNL_ARG_SRC}, {right.at, DNNL_ARG_WEIGHTS},
                   {to.at, DNNL_ARG_DST});
    return ST_OK;
}

/* ---- Loops ---- */

/* By which scores are multiplied; the temperature, if there is one, is argument `at`. */
static float scale_of(const Attention *a, const StepCall *call, int at) {
    const float *temperature = call->step->n_args > at ? call->at[at] : NULL;
    return (float)(temperature ? exp(temperature[0]) : 1 / sqrt((double)a->size));
}

/* Arguments: scores, shares, perhaps temperature. */
static Status find_shares(const StepCall *call) {
    Attention a = attention_of(call->plan);
    bool masks = call->plan->base.desc.layer->args.attention.mask_diagonal;
    float scale = scale_of(&a, call, 2), *row = call->at[0];
    for (int64_t i = 0; i < rows_of(&a); i++, row += a.tokens) {
        if (masks)
            row[i % a.tokens] = -INFINITY;
        softmax_row(row, a.tokens, scale);
        row_close(a.type, row_at(a.type, call->at[1], i * a.tokens), a.tokens, row);
    }
    return ST_OK;
}

/* From the gradient of the shares to that of the unscaled scores. Arguments: shares, the one, the
 * other, room, perhaps temperature. */
static Status find_score_gradient(const StepCall *call) {
    Attention a = attention_of(call->plan);
    float scale = scale_of(&a, call, 4), *row = call->at[1];
    for (int64_t i = 0; i < rows_of(&a); i++, row += a.tokens) {
        const float *share =
            row_read(a.type, row_at(a.type, call->at[0], i * a.tokens), a.tokens, call->at[3]);
        softmax_row_backward(share, row, a.tokens, scale);
        row_close(a.type, row_at(a.type, call->at[2], i * a.tokens), a.tokens, row);
    }
    return ST_OK;
}

static double dot_rows(DType type, const void *a, const void *b, int64_t n) {
    float a_room[ROW_PIECE], b_room[ROW_PIECE];
    double sum = 0;
    for (int64_t first = 0; first < n; first += ROW_PIECE) {
        int64_t piece = row_piece(n, first);
        const float *x = row_read(type, row_at(type, a, first), piece, a_room);
        const float *y = row_read(type, row_at(type, b, first), piece, b_room);
        for (int64_t i = 0; i < piece; i++)
            sum += (double)x[i] * (double)y[i];
    }
    return sum;
}

/* The temperature's: sum of score grad_score, which is the sum over all queries of query times its
 * gradient. Arguments: queries, their gradient, where it comes. */
static Status find_temperature_gradient(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    Attention a = attention_of(call->plan);
    int64_t row = a.heads * a.size, behind = desc->grad_in[0] == GRAD_ASSIGN ? 3 * row : row;
    double sum = 0;
    for (int64_t i = 0; i < a.images * a.tokens; i++)
        sum += dot_rows(a.type, row_at(a.type, call->at[0], 3 * i * row),
                        row_at(a.type, call->at[1], i * behind), row);
    *(float *)call->at[2] = (float)sum;
    return ST_OK;
}

/* The queries' gradient, computed apart, to where it belongs. */
static Status add_query_gradient(const StepCall *call) {
    Attention a = attention_of(call->plan);
    int64_t row = a.heads * a.size;
    float x_room[ROW_PIECE], y_room[ROW_PIECE];
    for (int64_t i = 0; i < a.images * a.tokens; i++)
        for (int64_t first = 0; first < row; first += ROW_PIECE) {
            int64_t n = row_piece(row, first);
            void *to = row_at(a.type, call->at[1], 3 * i * row + first);
            const float *x =
                row_read(a.type, row_at(a.type, call->at[0], i * row + first), n, x_room);
            float *y = row_open(a.type, to, n, true, y_room);
            for (int64_t c = 0; c < n; c++)
                y[c] += x[c];
            row_close(a.type, to, n, y);
        }
    return ST_OK;
}

/* ---- The plan ---- */

static Status forward_steps(StepPlan *plan, const Attention *a, Operand temperature) {
    TRY(multiply(plan, PASS_FORWARD, part(a, AT_IN(0), QUERY, false), part(a, AT_IN(0), KEY, true),
                 false, scores(a, a->score, DT_F32, false)));
    LOOP_STEP(plan, PASS_FORWARD, find_shares, a->score, a->share, temperature);
    return multiply(plan, PASS_FORWARD, scores(a, a->share, a->type, false),
                    part(a, AT_IN(0), VALUE, false), false, values(a, AT_OUT));
}

static Status query_gradient(StepPlan *plan, const Attention *a, bool temperature) {
    bool add = plan->base.desc.grad_in[0] == GRAD_ADD, apart = a->apart.kind != OPERAND_NONE;
    Factor to = apart ? values(a, a->apart) : part(a, AT_GRAD_IN(0), QUERY, false);
    TRY(multiply(plan, PASS_BACKWARD, scores(a, a->grad_score, a->type, false),
                 part(a, AT_IN(0), KEY, false), add && !apart, to));
    if (temperature)
        LOOP_STEP(plan, PASS_BACKWARD, find_temperature_gradient, AT_IN(0), to.at,
                  AT_GRAD_PARAM(WEIGHT));
    if (add && apart)
        LOOP_STEP(plan, PASS_BACKWARD, add_query_gradient, to.at, AT_GRAD_IN(0));
    return ST_OK;
}

static Status backward_steps(StepPlan *plan, const Attention *a, Operand temperature) {
    const GradMode mode = plan->base.desc.grad_in[0];
    const bool learns = temperature.kind != OPERAND_NONE;
    Factor grad_out = values(a, AT_GRAD_OUT);
    if (mode == GRAD_NONE && !learns)
        return ST_OK;
    if (mode != GRAD_NONE)
        TRY(multiply(plan, PASS_BACKWARD, scores(a, a->share, a->type, true), grad_out,
                     mode == GRAD_ADD, part(a, AT_GRAD_IN(0), VALUE, false)));
    TRY(multiply(plan, PASS_BACKWARD, grad_out, part(a, AT_IN(0), VALUE, true), false,
                 scores(a, a->grad_share, DT_F32, false)));
    LOOP_STEP(plan, PASS_BACKWARD, find_score_gradient, a->share, a->grad_share, a->grad_score,
              a->room, temperature);
    TRY(query_gradient(plan, a, learns));
    if (mode == GRAD_NONE)
        return ST_OK;
    return multiply(plan, PASS_BACKWARD, scores(a, a->grad_score, a->type, true),
                    part(a, AT_IN(0), QUERY, false), mode == GRAD_ADD,
                    part(a, AT_GRAD_IN(0), KEY, false));
}

static Status attention_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    Attention a = attention_of(plan);
    Operand temperature = desc->layer->args.attention.temperature ? AT_PARAM(WEIGHT) : AT_NOTHING;
    if (attention_heads_takes(plan))
        return attention_heads_steps(plan);
    find_rooms(plan, &a);
    plan->base.backward_reads_in = READS_IN(0);
    TRY(forward_steps(plan, &a, temperature));
    return desc->training ? backward_steps(plan, &a, temperature) : ST_OK;
}

CPU_OP(attention);
