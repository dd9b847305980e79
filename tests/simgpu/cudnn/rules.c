/* rules: what operations consist of and what must hold for them. Also what the real library accepts
 * without a word and computes nonsense for: tensors that share a unique id. */
#include "rules.h"

#include <string.h>

typedef struct Rule {
    cudnnBackendDescriptorType_t type;
    int attribute;
    Place place;
    bool needed;
} Rule;

static const Rule rules[] = {
#define CONV(pass, attribute, place)                                                               \
    {                                                                                              \
        CUDNN_BACKEND_OPERATION_CONVOLUTION_##pass##_DESCRIPTOR,                                   \
            CUDNN_ATTR_OPERATION_CONVOLUTION_##attribute, place, true                              \
    }
    CONV(FORWARD, FORWARD_X, P_X),
    CONV(FORWARD, FORWARD_W, P_W),
    CONV(FORWARD, FORWARD_Y, P_Y),
    CONV(BACKWARD_DATA, BWD_DATA_DX, P_DX),
    CONV(BACKWARD_DATA, BWD_DATA_W, P_W),
    CONV(BACKWARD_DATA, BWD_DATA_DY, P_DY),
    CONV(BACKWARD_FILTER, BWD_FILTER_X, P_X),
    CONV(BACKWARD_FILTER, BWD_FILTER_DW, P_DW),
    CONV(BACKWARD_FILTER, BWD_FILTER_DY, P_DY),
#undef CONV
#define OP(type, attribute, place, needed)                                                         \
    { CUDNN_BACKEND_OPERATION_##type##_DESCRIPTOR, CUDNN_ATTR_OPERATION_##attribute, place, needed }
    OP(POINTWISE, POINTWISE_XDESC, P_X, true),
    OP(POINTWISE, POINTWISE_BDESC, P_B, false),
    OP(POINTWISE, POINTWISE_YDESC, P_Y, false),
    OP(POINTWISE, POINTWISE_DXDESC, P_DX, false),
    OP(POINTWISE, POINTWISE_DYDESC, P_DY, false),
    OP(MATMUL, MATMUL_ADESC, P_X, true),
    OP(MATMUL, MATMUL_BDESC, P_W, true),
    OP(MATMUL, MATMUL_CDESC, P_Y, true),
    OP(NORM_FORWARD, NORM_FWD_XDESC, P_X, true),
    OP(NORM_FORWARD, NORM_FWD_SCALE_DESC, P_SCALE, true),
    OP(NORM_FORWARD, NORM_FWD_BIAS_DESC, P_BIAS, true),
    OP(NORM_FORWARD, NORM_FWD_MEAN_DESC, P_MEAN, true),
    OP(NORM_FORWARD, NORM_FWD_INV_VARIANCE_DESC, P_RSTD, true),
    OP(NORM_FORWARD, NORM_FWD_EPSILON_DESC, P_EPS, true),
    OP(NORM_FORWARD, NORM_FWD_EXP_AVG_FACTOR_DESC, P_FACTOR, false),
    OP(NORM_FORWARD, NORM_FWD_INPUT_RUNNING_MEAN_DESC, P_OLD_MEAN, false),
    OP(NORM_FORWARD, NORM_FWD_INPUT_RUNNING_VAR_DESC, P_OLD_VAR, false),
    OP(NORM_FORWARD, NORM_FWD_OUTPUT_RUNNING_MEAN_DESC, P_NEW_MEAN, false),
    OP(NORM_FORWARD, NORM_FWD_OUTPUT_RUNNING_VAR_DESC, P_NEW_VAR, false),
    OP(NORM_FORWARD, NORM_FWD_YDESC, P_Y, true),
    OP(NORM_BACKWARD, NORM_BWD_XDESC, P_X, true),
    OP(NORM_BACKWARD, NORM_BWD_MEAN_DESC, P_MEAN, true),
    OP(NORM_BACKWARD, NORM_BWD_INV_VARIANCE_DESC, P_RSTD, true),
    OP(NORM_BACKWARD, NORM_BWD_DYDESC, P_DY, true),
    OP(NORM_BACKWARD, NORM_BWD_SCALE_DESC, P_SCALE, true),
    OP(NORM_BACKWARD, NORM_BWD_DSCALE_DESC, P_DSCALE, true),
    OP(NORM_BACKWARD, NORM_BWD_DBIAS_DESC, P_DBIAS, true),
    OP(NORM_BACKWARD, NORM_BWD_DXDESC, P_DX, true),
    OP(RESAMPLE_FWD, RESAMPLE_FWD_XDESC, P_X, true),
    OP(RESAMPLE_FWD, RESAMPLE_FWD_YDESC, P_Y, true),
    OP(RESAMPLE_FWD, RESAMPLE_FWD_IDXDESC, P_INDEX, false),
    OP(RESAMPLE_BWD, RESAMPLE_BWD_DXDESC, P_DX, true),
    OP(RESAMPLE_BWD, RESAMPLE_BWD_DYDESC, P_DY, true),
    OP(RESAMPLE_BWD, RESAMPLE_BWD_IDXDESC, P_INDEX, false),
#undef OP
};

static const struct {
    cudnnBackendDescriptorType_t type;
    const char *name;
} names[] = {{CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, "convolution"},
             {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, "convolution dgrad"},
             {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, "convolution wgrad"},
             {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, "pointwise"},
             {CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR, "matmul"},
             {CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR, "norm forward"},
             {CUDNN_BACKEND_OPERATION_NORM_BACKWARD_DESCRIPTOR, "norm backward"},
             {CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR, "resample"},
             {CUDNN_BACKEND_OPERATION_RESAMPLE_BWD_DESCRIPTOR, "resample backward"}};

const char *rules_name(cudnnBackendDescriptorType_t type) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].type == type)
            return names[i].name;
    }
    return NULL;
}

static int64_t int_of(const Descriptor *d, int name, const char *what) {
    return *(const int64_t *)desc_need(d, name, what)->data;
}

static bool flag_of(const Descriptor *d, int name) {
    const Attribute *a = desc_find(d, name);
    return a && *(const bool *)a->data;
}

static size_t element_bits(cudnnDataType_t type) {
    switch (type) {
    case CUDNN_DATA_BOOLEAN:
        return 1;
    case CUDNN_DATA_INT8:
    case CUDNN_DATA_UINT8:
        return 8;
    case CUDNN_DATA_BFLOAT16:
    case CUDNN_DATA_HALF:
        return 16;
    case CUDNN_DATA_FLOAT:
    case CUDNN_DATA_INT32:
        return 32;
    default:
        sim_report("tensors of cuDNN's data type %d are not simulated", (int)type);
    }
}

void rules_tensor(const Descriptor *d, SimTensor *t) {
    const Attribute *dims = desc_need(d, CUDNN_ATTR_TENSOR_DIMENSIONS, "a tensor's dimensions");
    const Attribute *strides = desc_need(d, CUDNN_ATTR_TENSOR_STRIDES, "a tensor's strides");
    if (dims->count != strides->count || dims->count < 3 || dims->count > DIMS_MAX)
        sim_report("a tensor of %ld dimensions and %ld strides", (long)dims->count,
                   (long)strides->count);
    *t = (SimTensor){.present = true, .dims = (int)dims->count, .count = 1};
    t->uid = int_of(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, "a tensor's unique id");
    t->alignment = int_of(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, "a tensor's alignment");
    t->type = *(cudnnDataType_t *)desc_need(d, CUDNN_ATTR_TENSOR_DATA_TYPE, "a data type")->data;
    t->is_virtual = flag_of(d, CUDNN_ATTR_TENSOR_IS_VIRTUAL);
    t->by_value = flag_of(d, CUDNN_ATTR_TENSOR_IS_BY_VALUE);
    int64_t last = 0;
    for (int i = 0; i < t->dims; i++) {
        t->dim[i] = ((const int64_t *)dims->data)[i];
        t->stride[i] = ((const int64_t *)strides->data)[i];
        if (t->dim[i] < 1 || t->stride[i] < 1)
            sim_report("tensor %ld: dimension %d is %ld, its stride %ld", (long)t->uid, i,
                       (long)t->dim[i], (long)t->stride[i]);
        last += (t->dim[i] - 1) * t->stride[i];
        t->count *= t->dim[i];
    }
    t->bytes = ((size_t)(last + 1) * element_bits(t->type) + 7) / 8;
    if (last + 1 != t->count)
        sim_report("tensor %ld has gaps or overlaps: %ld elements in %ld places", (long)t->uid,
                   (long)t->count, (long)last + 1);
}

static void read_pair(const Descriptor *d, int name, const char *what, int64_t to[2]) {
    const Attribute *a = desc_need(d, name, what);
    if (a->count != 2)
        sim_report("%s: %ld values, not 2", what, (long)a->count);
    if (a->type == CUDNN_TYPE_FRACTION) {
        const cudnnFraction_t *f = a->data;
        for (int i = 0; i < 2; i++)
            to[i] = f[i].numerator / f[i].denominator;
    } else {
        memcpy(to, a->data, 2 * sizeof *to);
    }
}

static void read_convolution(const Descriptor *d, Operation *op, int desc, int alpha, int beta) {
    const Descriptor *c = desc_link(d, desc, "a convolution descriptor");
    read_pair(c, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, "pre-paddings", op->pad);
    read_pair(c, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, "post-paddings", op->post);
    read_pair(c, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, "strides", op->stride);
    read_pair(c, CUDNN_ATTR_CONVOLUTION_DILATIONS, "dilations", op->dilation);
    if (*(int *)desc_need(c, CUDNN_ATTR_CONVOLUTION_CONV_MODE, "a convolution mode")->data !=
        CUDNN_CROSS_CORRELATION)
        sim_report("a convolution that flips its filter is not simulated");
    op->alpha = *(float *)desc_need(d, alpha, "alpha")->data;
    op->beta = *(float *)desc_need(d, beta, "beta")->data;
}

static void read_resample(const Descriptor *d, Operation *op, int desc) {
    const Descriptor *r = desc_link(d, desc, "a resample descriptor");
    read_pair(r, CUDNN_ATTR_RESAMPLE_PRE_PADDINGS, "pre-paddings", op->pad);
    read_pair(r, CUDNN_ATTR_RESAMPLE_POST_PADDINGS, "post-paddings", op->post);
    read_pair(r, CUDNN_ATTR_RESAMPLE_STRIDES, "strides", op->stride);
    read_pair(r, CUDNN_ATTR_RESAMPLE_WINDOW_DIMS, "window", op->window);
    op->dilation[0] = op->dilation[1] = 1;
    op->resample = *(cudnnResampleMode_t *)desc_need(r, CUDNN_ATTR_RESAMPLE_MODE, "a mode")->data;
}

static void read_pointwise(const Descriptor *d, Operation *op) {
    const Descriptor *p =
        desc_link(d, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, "a pointwise descriptor");
    op->pointwise =
        *(cudnnPointwiseMode_t *)desc_need(p, CUDNN_ATTR_POINTWISE_MODE, "a pointwise mode")->data;
}

static void read_norm(const Descriptor *d, Operation *op, int mode_name) {
    int mode = *(const int *)desc_need(d, mode_name, "a norm's mode")->data;
    if (mode != CUDNN_BATCH_NORM && mode != CUDNN_LAYER_NORM)
        sim_report("%s of mode %d is not simulated", op->name, mode);
    op->by_row = mode == CUDNN_LAYER_NORM;
}

static void read_details(const Descriptor *d, Operation *op) {
    switch (d->type) {
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
        read_convolution(d, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA);
        break;
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
        read_convolution(d, op, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA);
        break;
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
        read_convolution(d, op, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA);
        break;
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
        read_pointwise(d, op);
        break;
    case CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR:
        desc_link(d, CUDNN_ATTR_OPERATION_MATMUL_DESC, "a matmul descriptor");
        break;
    case CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR:
        read_norm(d, op, CUDNN_ATTR_OPERATION_NORM_FWD_MODE);
        break;
    case CUDNN_BACKEND_OPERATION_NORM_BACKWARD_DESCRIPTOR:
        read_norm(d, op, CUDNN_ATTR_OPERATION_NORM_BWD_MODE);
        break;
    case CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR:
        read_resample(d, op, CUDNN_ATTR_OPERATION_RESAMPLE_FWD_DESC);
        break;
    case CUDNN_BACKEND_OPERATION_RESAMPLE_BWD_DESCRIPTOR:
        read_resample(d, op, CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DESC);
        break;
    default:
        break;
    }
}

void rules_operation(const Descriptor *d, Operation *op) {
    *op = (Operation){.type = d->type, .name = rules_name(d->type), .alpha = 1};
    if (!op->name)
        sim_report("cuDNN operations of type %d are not simulated", (int)d->type);
    read_details(d, op);
    bool backward = desc_find(d, CUDNN_ATTR_OPERATION_POINTWISE_DYDESC) != NULL;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const Rule *rule = &rules[i];
        if (rule->type != d->type || (!rule->needed && !desc_find(d, rule->attribute)))
            continue;
        rules_tensor(desc_link(d, rule->attribute, "a tensor"), &op->tensor[rule->place]);
    }
    if (d->type == CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR &&
        !op->tensor[backward ? P_DX : P_Y].present)
        sim_report("a pointwise operation without an output");
    shapes_check(op);
}

const Operation *rules_main(const Program *program) {
    for (int i = 0; i < program->ops; i++) {
        if (program->op[i].type != CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)
            return &program->op[i];
    }
    return program->op;
}

/* One id, one tensor: the same id twice must be the same tensor. */
static void check_ids(const Program *program) {
    for (int i = 0; i < program->ops * PLACES; i++) {
        const SimTensor *a = &program->op[i / PLACES].tensor[i % PLACES];
        for (int j = 0; a->present && j < i; j++) {
            const SimTensor *b = &program->op[j / PLACES].tensor[j % PLACES];
            if (b->present && a->uid == b->uid &&
                (memcmp(a->dim, b->dim, sizeof a->dim) || a->type != b->type ||
                 i / PLACES == j / PLACES))
                sim_report("two tensors of one graph share the unique id %ld", (long)a->uid);
        }
    }
}

static bool is_output(Place place, const Operation *op) {
    switch (place) {
    case P_Y:
    case P_DX:
    case P_DW:
    case P_NEW_MEAN:
    case P_NEW_VAR:
    case P_DSCALE:
    case P_DBIAS:
        return true;
    case P_MEAN:
    case P_RSTD:
        return op->type == CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR;
    case P_INDEX:
        return op->type == CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR;
    default:
        return false;
    }
}

/* A virtual tensor exists only between the operation that writes it and those that read it. */
static void check_virtual(const Program *program) {
    for (int i = 0; i < program->ops; i++) {
        for (int place = 0; place < PLACES; place++) {
            const SimTensor *t = &program->op[i].tensor[place];
            bool written = false;
            if (!t->present || !t->is_virtual || is_output((Place)place, &program->op[i]))
                continue;
            for (int j = 0; j < i * PLACES; j++) {
                const Operation *before = &program->op[j / PLACES];
                const SimTensor *other = &before->tensor[j % PLACES];
                written |= other->present && other->uid == t->uid &&
                           is_output((Place)(j % PLACES), before);
            }
            if (!written)
                sim_report("%s reads the virtual tensor %ld, which no operation before it writes",
                           program->op[i].name, (long)t->uid);
        }
    }
}

void rules_graph(const Descriptor *d, Program *program) {
    const Attribute *ops = desc_need(d, CUDNN_ATTR_OPERATIONGRAPH_OPS, "operations");
    if (ops->count < 1 || ops->count > OPERATIONS_MAX)
        sim_report("a graph of %ld operations", (long)ops->count);
    program->ops = (int)ops->count;
    for (int i = 0; i < program->ops; i++) {
        const Descriptor *op = desc_of(((cudnnBackendDescriptor_t *)ops->data)[i]);
        if (!op->finalized)
            sim_report("operation %d of a graph was not finalized", i);
        rules_operation(op, &program->op[i]);
    }
    check_ids(program);
    check_virtual(program);
}
