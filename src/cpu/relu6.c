/* cpu/relu6: min(max(x, 0), 6). Backward reads the output. oneDNN takes NaN for 0: a pass behind
 * it, which only reads as long as there is none, puts it back. */
#include <math.h>
#include <string.h>

#include "pointwise.h"
#include "rows.h"

/* Whole pieces are loops of constant length, which become vectors. */
static inline bool has_nan(const float *x, int64_t count) {
    int found = 0;
    if (count == ROW_PIECE)
        for (int i = 0; i < ROW_PIECE; i++)
            found |= x[i] != x[i];
    else
        for (int64_t i = 0; i < count; i++)
            found |= x[i] != x[i];
    return found != 0;
}

/* Copies the NaNs of a piece of x to y. */
static void restore(DType type, const void *from, void *to, int64_t count) {
    size_t size = dtype_size(type);
    float room[ROW_PIECE];
    const float *x = row_read(type, from, count, room);
    if (!has_nan(x, count))
        return;
    for (int64_t i = 0; i < count; i++)
        if (isnan(x[i]))
            memcpy((char *)to + (size_t)i * size, (const char *)from + (size_t)i * size, size);
}

static Status keep_nan(const StepCall *call) {
    DType type = plan_type(call->plan);
    int64_t count = shape_count(call->plan->base.desc.out.shape);
    for (int64_t first = 0; first < count; first += ROW_PIECE)
        restore(type, row_at(type, call->at[0], first), row_at(type, call->at[1], first),
                row_piece(count, first));
    return ST_OK;
}

static Status relu6_steps(StepPlan *plan) {
    TRY(pointwise_steps(plan, POINTWISE_RELU6, 0));
    LOOP_STEP(plan, PASS_FORWARD, keep_nan, AT_IN(0), AT_OUT);
    return ST_OK;
}

CPU_OP(relu6);
