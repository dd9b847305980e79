/* cpu/patches: a row of a patch is a run of k C elements in the map as well as in the token. */
#include "tokens.h"

/* What one image's rows are. */
typedef struct Patches {
    int64_t down, across; /* patches of the map */
    int64_t kernel, run;  /* rows of a patch; elements of such a row */
} Patches;

static Patches patches_of(const OpDesc *desc) {
    Shape s = desc->in[0].shape;
    int64_t k = desc->layer->args.patches.kernel;
    return (Patches){s.h / k, s.w / k, k, k * s.c};
}

/* Where row `row` of patch (i, j) of image n begins in the map. */
static int64_t map_at(const Patches *p, int64_t n, int64_t i, int64_t j, int64_t row) {
    return (((n * p->down + i) * p->kernel + row) * p->across + j) * p->run;
}

/* All rows, in the order of tokens: from the map to the token, or back. */
static void each_row(const StepCall *call, bool back, bool add) {
    const OpDesc *desc = &call->plan->base.desc;
    DType type = plan_type(call->plan);
    Patches p = patches_of(desc);
    int64_t in_token = 0;
    for (int64_t n = 0; n < desc->in[0].shape.n; n++)
        for (int64_t i = 0; i < p.down; i++)
            for (int64_t j = 0; j < p.across; j++)
                for (int64_t row = 0; row < p.kernel; row++, in_token += p.run) {
                    int64_t in_map = map_at(&p, n, i, j, row);
                    token_put(type, row_at(type, call->at[0], back ? in_token : in_map), p.run, add,
                              row_at(type, call->at[1], back ? in_map : in_token));
                }
}

static Status forward(const StepCall *call) {
    each_row(call, false, false);
    return ST_OK;
}

static Status backward(const StepCall *call) {
    each_row(call, true, call->plan->base.desc.grad_in[0] == GRAD_ADD);
    return ST_OK;
}

static Status patches_steps(StepPlan *plan) {
    LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT);
    if (plan->base.desc.training && plan->base.desc.grad_in[0] != GRAD_NONE)
        LOOP_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0));
    return ST_OK;
}

CPU_OP(patches);
