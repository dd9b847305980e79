/* shapes: whether the tensors of an operation fit together. Dimensions are N, C, H, W; a filter's
 * are K, C, R, S; a matrix's are batch, rows, columns. */
#include "rules.h"

static void __attribute__((noreturn))
misfit(const Operation *op, const SimTensor *t, int dim, int64_t wanted) {
    sim_report("%s: dimension %d of tensor %ld is %ld, %ld would fit", op->name, dim, (long)t->uid,
               (long)t->dim[dim], (long)wanted);
}

static void want(const Operation *op, const SimTensor *t, int dim, int64_t wanted) {
    if (t->present && t->dim[dim] != wanted)
        misfit(op, t, dim, wanted);
}

static void want_like(const Operation *op, const SimTensor *t, const SimTensor *like) {
    if (!t->present)
        return;
    if (t->dims != like->dims)
        sim_report("%s: tensor %ld has %d dimensions, tensor %ld %d", op->name, (long)t->uid,
                   t->dims, (long)like->uid, like->dims);
    for (int i = 0; i < t->dims; i++)
        want(op, t, i, like->dim[i]);
}

static int64_t slid(const Operation *op, int64_t in, int64_t window, int axis) {
    return (in + op->pad[axis] + op->post[axis] - op->dilation[axis] * (window - 1) - 1) /
               op->stride[axis] +
           1;
}

static void check_convolution(const Operation *op) {
    const SimTensor *t = op->tensor;
    const SimTensor *x = t[P_X].present ? &t[P_X] : &t[P_DX];
    const SimTensor *y = t[P_Y].present ? &t[P_Y] : &t[P_DY];
    const SimTensor *w = t[P_W].present ? &t[P_W] : &t[P_DW];
    if (x->dims != 4 || y->dims != 4 || w->dims != 4)
        sim_report("%s: not of four dimensions", op->name);
    want(op, y, 0, x->dim[0]);
    want(op, y, 1, w->dim[0]);
    if (x->dim[1] % w->dim[1] != 0 || y->dim[1] % (x->dim[1] / w->dim[1]) != 0)
        sim_report("%s: filters of %ld channels cut neither %ld inputs nor %ld outputs in groups",
                   op->name, (long)w->dim[1], (long)x->dim[1], (long)y->dim[1]);
    for (int i = 0; i < 2; i++)
        want(op, y, 2 + i, slid(op, x->dim[2 + i], w->dim[2 + i], i));
    /* Types that cuDNN mixes: an intermediate in fp32 behind bf16 inputs. */
    const SimTensor *in = t[P_X].present ? &t[P_X] : &t[P_W];
    const SimTensor *other = t[P_DY].present ? &t[P_DY] : &t[P_W];
    if (in->type != other->type)
        sim_report("%s: inputs of types %d and %d", op->name, (int)in->type, (int)other->type);
    if (t[P_DW].present && t[P_DW].type != in->type)
        sim_report("%s: a filter gradient of another type than its inputs", op->name);
}

static void check_norm(const Operation *op) {
    static const Place vectors[] = {P_SCALE,   P_BIAS,     P_MEAN,    P_RSTD,   P_OLD_MEAN,
                                    P_OLD_VAR, P_NEW_MEAN, P_NEW_VAR, P_DSCALE, P_DBIAS};
    const SimTensor *x = &op->tensor[P_X];
    want_like(op, &op->tensor[P_Y], x);
    want_like(op, &op->tensor[P_DY], x);
    want_like(op, &op->tensor[P_DX], x);
    for (int d = 2; op->by_row && d < x->dims; d++)
        want(op, x, d, 1);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const SimTensor *t = &op->tensor[vectors[i]];
        int along = op->by_row && (vectors[i] == P_MEAN || vectors[i] == P_RSTD) ? 0 : 1;
        for (int d = 0; d < x->dims; d++)
            want(op, t, d, d == along ? x->dim[d] : 1);
        if (t->present && t->type != CUDNN_DATA_FLOAT)
            sim_report("%s: tensor %ld must be float", op->name, (long)t->uid);
    }
}

static void check_matmul(const Operation *op) {
    const SimTensor *a = &op->tensor[P_X], *b = &op->tensor[P_W], *c = &op->tensor[P_Y];
    want(op, b, 1, a->dim[2]);
    want(op, c, 1, a->dim[1]);
    want(op, c, 2, b->dim[2]);
    want(op, b, 0, a->dim[0]);
    want(op, c, 0, a->dim[0]);
}

static void check_resample(const Operation *op) {
    const SimTensor *t = op->tensor;
    const SimTensor *x = t[P_X].present ? &t[P_X] : &t[P_DX];
    const SimTensor *y = t[P_Y].present ? &t[P_Y] : &t[P_DY];
    want(op, y, 0, x->dim[0]);
    want(op, y, 1, x->dim[1]);
    for (int i = 0; i < 2; i++)
        want(op, y, 2 + i, slid(op, x->dim[2 + i], op->window[i], i));
    want_like(op, &t[P_INDEX], y);
    /* In bfloat16, cuDNN 9.19's engine for sm_90 that keeps no index writes wrong values (H200). */
    if (!t[P_INDEX].present)
        sim_report("%s: pooling without an index is wrong on some GPUs", op->name);
    else if (op->window[0] * op->window[1] > 127 || t[P_INDEX].type != CUDNN_DATA_INT8)
        sim_report("%s: the index of a window of %ld needs another type than %d", op->name,
                   (long)(op->window[0] * op->window[1]), (int)t[P_INDEX].type);
}

static void check_pointwise(const Operation *op) {
    const SimTensor *t = op->tensor;
    const SimTensor *out = t[P_Y].present ? &t[P_Y] : &t[P_DX];
    bool compares = op->pointwise == CUDNN_POINTWISE_CMP_GT;
    if (compares != (out->type == CUDNN_DATA_BOOLEAN))
        sim_report("%s: a comparison gives truth values, and nothing else does", op->name);
    want_like(op, &t[P_X], out);
    want_like(op, &t[P_DY], out);
    for (int i = 0; t[P_B].present && i < out->dims; i++) { /* B is spread over dimensions of 1 */
        if (t[P_B].dim[i] != 1)
            want(op, &t[P_B], i, out->dim[i]);
    }
}

void shapes_check(const Operation *op) {
    switch (op->type) {
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
        check_convolution(op);
        break;
    case CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR:
        check_matmul(op);
        break;
    case CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_NORM_BACKWARD_DESCRIPTOR:
        check_norm(op);
        break;
    case CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_RESAMPLE_BWD_DESCRIPTOR:
        check_resample(op);
        break;
    default:
        check_pointwise(op);
    }
}
