/* cpu/attention_heads: see attention_heads.h. */
#include "attention_heads.h"

#include <math.h>

#include "attention_bf16.h"
#include "attention_f32.h"
#include "clones.h"
#include "rows.h"

/* What the device has; NULL: nothing. */
static const HeadPasses *passes_of(const StepPlan *plan) {
#if FOR_X86
    const CpuDevice *device = (const CpuDevice *)plan->device;
    if (device->bf16_vectors)
        return &attention_bf16;
    if (device->f32_vectors)
        return &attention_f32;
#endif
    (void)plan;
    return NULL;
}

static Heads heads_of(const StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const AttentionArgs *args = &desc->layer->args.attention;
    const int64_t vector = passes_of(plan)->vector;
    Shape s = desc->in[0].shape;
    int64_t tokens = s.h * s.w;
    return (Heads){.images = s.n,
                   .heads = args->heads,
                   .tokens = tokens,
                   .size = s.c / PARTS / args->heads,
                   .keys = (tokens + vector - 1) / vector * vector,
                   .row = s.c,
                   .out_row = s.c / PARTS,
                   .masks = args->mask_diagonal};
}

/* By which scores are multiplied. */
static float scale_of(const Heads *h, const float *temperature) {
    return (float)(temperature ? exp(temperature[0]) : 1 / sqrt((double)h->size));
}

/* Element 0 of head k of image n, where a token has `row` elements. */
static int64_t begin_of(const Heads *h, int64_t n, int64_t k, int64_t row) {
    return n * h->tokens * row + k * h->size;
}

/* That of the head after it; of the last, of the first one. */
static int64_t begin_behind(const Heads *h, int64_t n, int64_t k, int64_t row) {
    if (k + 1 < h->heads)
        return begin_of(h, n, k + 1, row);
    return n + 1 < h->images ? begin_of(h, n + 1, 0, row) : 0;
}

/* Operands: input, output, where P is kept (nowhere in an evaluation), scratch, perhaps
 * temperature. */
static Status forward(const StepCall *call) {
    const bool keeps = call->plan->base.desc.training;
    const HeadPasses *passes = passes_of(call->plan);
    const DType type = plan_type(call->plan);
    const Heads h = heads_of(call->plan);
    const size_t share_bytes = passes->share_bytes(&h);
    const void *in = call->at[0];
    void *out = call->at[1], *room = call->at[3];
    char *share = keeps ? call->at[2] : NULL;
    const float scale = scale_of(&h, call->step->n_args > 4 ? call->at[4] : NULL);
    for (int64_t n = 0; n < h.images; n++)
        for (int64_t k = 0; k < h.heads; k++) {
            Ahead ahead = {.in = row_at(type, in, begin_behind(&h, n, k, h.row))};
            passes->forward(&h, room, scale, row_at(type, in, begin_of(&h, n, k, h.row)),
                            row_at(type, out, begin_of(&h, n, k, h.out_row)), share, ahead);
            share += keeps ? share_bytes : 0;
        }
    return ST_OK;
}

/* Operands: input, P, gradient of the output, that of the input or nothing, scratch, perhaps
 * temperature and its gradient. */
static Status backward(const StepCall *call) {
    const bool learns = call->step->n_args > 5;
    const HeadPasses *passes = passes_of(call->plan);
    const DType type = plan_type(call->plan);
    const Heads h = heads_of(call->plan);
    const size_t share_bytes = passes->share_bytes(&h);
    const void *in = call->at[0], *grad_out = call->at[2];
    const char *share = call->at[1];
    void *grad_in = call->at[3], *room = call->at[4];
    const float scale = scale_of(&h, learns ? call->at[5] : NULL);
    double temperature = 0;
    for (int64_t n = 0; n < h.images; n++)
        for (int64_t k = 0; k < h.heads; k++, share += share_bytes) {
            int64_t begin = begin_of(&h, n, k, h.row);
            HeadGradient grad = {.out = row_at(type, grad_out, begin_of(&h, n, k, h.out_row)),
                                 .in = grad_in ? row_at(type, grad_in, begin) : NULL,
                                 .add = call->plan->base.desc.grad_in[0] == GRAD_ADD};
            Ahead ahead = {row_at(type, in, begin_behind(&h, n, k, h.row)),
                           row_at(type, grad_out, begin_behind(&h, n, k, h.out_row))};
            temperature +=
                passes->backward(&h, room, scale, row_at(type, in, begin), share, grad, ahead);
        }
    if (learns)
        *(float *)call->at[6] = (float)temperature;
    return ST_OK;
}

bool attention_heads_takes(const StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const HeadPasses *passes = passes_of(plan);
    return passes && rule_attention_by_heads(desc->in[0].shape, desc->layer->args.attention.heads,
                                             passes->vector);
}

Status attention_heads_steps(StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const HeadPasses *passes = passes_of(plan);
    const bool learns = desc->layer->args.attention.temperature;
    const Heads h = heads_of(plan);
    const Operand temperature = learns ? AT_PARAM(WEIGHT) : AT_NOTHING;
    Operand share = AT_WORKSPACE; /* not looked at in an evaluation */
    plan->base.arithmetic = passes->name;
    plan->base.backward_reads_in = READS_IN(0);
    steps_need_workspace(plan, passes->room_bytes(&h));
    if (desc->training)
        share = steps_saved(plan, (size_t)(h.images * h.heads) * passes->share_bytes(&h));
    LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT, share, AT_WORKSPACE, temperature);
    if (desc->training && (desc->grad_in[0] != GRAD_NONE || learns))
        LOOP_STEP(plan, PASS_BACKWARD, backward, AT_IN(0), share, AT_GRAD_OUT, AT_GRAD_IN(0),
                  AT_WORKSPACE, temperature, AT_GRAD_PARAM(WEIGHT));
    return ST_OK;
}
