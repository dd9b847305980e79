/* cpu/shift: each position's channels, followed by those of the positions to its left and right,
 * above and below, which move onto it; zeros where the map ends. */
#include <string.h>

#include "tokens.h"

/* Rows down and columns to the right: x itself, right, left, down, up. */
static const int move[5][2] = {{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}};

/* The position that is `down` and `right` of position i, both counted over all images; -1 where the
 * map ends before it. */
static int64_t beside(Shape s, int64_t i, int down, int right) {
    int64_t h = i / s.w % s.h + down, w = i % s.w + right;
    return h >= 0 && h < s.h && w >= 0 && w < s.w ? i + down * s.w + right : -1;
}

static Status forward(const StepCall *call) {
    Shape s = call->plan->base.desc.in[0].shape;
    DType type = plan_type(call->plan);
    size_t run = (size_t)s.c * dtype_size(type);
    char *y = call->at[1];
    for (int64_t i = 0; i < s.n * s.h * s.w; i++)
        for (int k = 0; k < 5; k++, y += run) {
            int64_t from = beside(s, i, -move[k][0], -move[k][1]);
            if (from < 0)
                memset(y, 0, run);
            else
                memcpy(y, row_at(type, call->at[0], from * s.c), run);
        }
    return ST_OK;
}

/* Channels [first, first + piece) of position i get the gradients of the places they went to. */
static void piece_backward(const StepCall *call, int64_t i, int64_t first, int64_t piece) {
    const OpDesc *desc = &call->plan->base.desc;
    Shape s = desc->in[0].shape;
    DType type = plan_type(call->plan);
    bool add = desc->grad_in[0] == GRAD_ADD;
    float x_room[ROW_PIECE], y_room[ROW_PIECE];
    void *row = row_at(type, call->at[1], i * s.c + first);
    float *y = row_open(type, row, piece, add, y_room);
    for (int k = 0; k < 5; k++) {
        int64_t to = beside(s, i, move[k][0], move[k][1]);
        if (to < 0) /* which is not so where it stays, k = 0 */
            continue;
        const float *g =
            row_read(type, row_at(type, call->at[0], (5 * to + k) * s.c + first), piece, x_room);
        for (int64_t c = 0; c < piece; c++)
            y[c] = (add || k > 0 ? y[c] : 0) + g[c];
    }
    row_close(type, row, piece, y);
}

static Status backward(const StepCall *call) {
    Shape s = call->plan->base.desc.in[0].shape;
    for (int64_t i = 0; i < s.n * s.h * s.w; i++)
        for (int64_t first = 0; first < s.c; first += ROW_PIECE)
            piece_backward(call, i, first, row_piece(s.c, first));
    return ST_OK;
}

static Status shift_steps(StepPlan *plan) {
    LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT);
    if (plan->base.desc.training && plan->base.desc.grad_in[0] != GRAD_NONE)
        LOOP_STEP(plan, PASS_BACKWARD, backward, AT_GRAD_OUT, AT_GRAD_IN(0));
    return ST_OK;
}

CPU_OP(shift);
