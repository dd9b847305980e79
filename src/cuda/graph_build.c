/* cuda/graph_build: see graph_build.h. */
#include "graph_build.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "lockstep/hash.h"

/* Keeps the first error. */
#define CHECK(builder, call)                                                                       \
    do {                                                                                           \
        if ((builder)->status == ST_OK)                                                            \
            (builder)->status = cudnn_check((call), #call, __FILE__, __LINE__);                    \
    } while (0)

cudnnDataType_t build_dtype(DType dtype) {
    switch (dtype) {
    case DT_BF16:
        return CUDNN_DATA_BFLOAT16;
    case DT_F64:
        return CUDNN_DATA_DOUBLE;
    case DT_I32:
        return CUDNN_DATA_INT32;
    case DT_I64:
        return CUDNN_DATA_INT64;
    case DT_U8: /* indices of pooling, below 128 */
        return CUDNN_DATA_INT8;
    case DT_F32:
        break;
    }
    return CUDNN_DATA_FLOAT;
}

void build_begin(Builder *builder, GraphTarget *target, DType dtype, bool multiplies,
                 const char *format, ...) {
    va_list args;
    *builder =
        (Builder){.target = target, .fp32 = multiplies && dtype == DT_F32 && !target->down_convert};
    builder->graph = calloc(1, sizeof *builder->graph);
    if (!builder->graph) {
        builder->status = FAIL(ST_INTERNAL, "out of memory");
        return;
    }
    va_start(args, format);
    int length = vsnprintf(builder->graph->name, GRAPH_NAME_MAX, format, args);
    va_end(args);
    if (length >= 0 && length < GRAPH_NAME_MAX)
        snprintf(builder->graph->name + length, GRAPH_NAME_MAX - (size_t)length, " %s",
                 dtype == DT_BF16 ? "bf16" : "fp32");
}

static void add_to_print(Builder *builder, const void *data, size_t bytes) {
    uint64_t sum[2] = {builder->print, hash_bytes(data, bytes)};
    builder->print = hash_bytes(sum, sizeof sum);
}

Desc build_new(Builder *builder, cudnnBackendDescriptorType_t type) {
    Graph *graph = builder->graph;
    Desc desc = NULL;
    if (builder->status == ST_OK && graph->n_owned == GRAPH_DESCRIPTORS_MAX)
        builder->status = FAIL(ST_INTERNAL, "a graph of too many descriptors");
    add_to_print(builder, &type, sizeof type);
    CHECK(builder, cudnnBackendCreateDescriptor(type, &desc));
    if (builder->status == ST_OK)
        graph->owned[graph->n_owned++] = desc;
    return desc;
}

/* Which of the graph's descriptors it is; they are made in one order. */
static int64_t number_of(const Graph *graph, Desc desc) {
    int64_t i = 0;
    while (i < graph->n_owned && graph->owned[i] != desc)
        i++;
    return i;
}

static size_t attribute_bytes(cudnnBackendAttributeType_t type) {
    switch (type) {
    case CUDNN_TYPE_BOOLEAN:
        return sizeof(bool);
    case CUDNN_TYPE_INT64:
        return sizeof(int64_t);
    case CUDNN_TYPE_DOUBLE:
        return sizeof(double);
    default: /* float and enumerations */
        return sizeof(float);
    }
}

/* Handles, and where descriptors lie, are another thing in each process. */
static void print_attribute(Builder *builder, Desc desc, cudnnBackendAttributeName_t name,
                            cudnnBackendAttributeType_t type, int64_t count, const void *values) {
    int64_t head[4] = {number_of(builder->graph, desc), name, type, count};
    add_to_print(builder, head, sizeof head);
    if (type == CUDNN_TYPE_HANDLE)
        return;
    if (type != CUDNN_TYPE_BACKEND_DESCRIPTOR) {
        add_to_print(builder, values, (size_t)count * attribute_bytes(type));
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t number = number_of(builder->graph, ((const Desc *)values)[i]);
        add_to_print(builder, &number, sizeof number);
    }
}

void build_set(Builder *builder, Desc desc, cudnnBackendAttributeName_t name,
               cudnnBackendAttributeType_t type, int64_t count, const void *values) {
    if (builder->status == ST_OK)
        print_attribute(builder, desc, name, type, count, values);
    CHECK(builder, cudnnBackendSetAttribute(desc, name, type, count, values));
}

void build_set_int(Builder *builder, Desc desc, cudnnBackendAttributeName_t name, int64_t value) {
    build_set(builder, desc, name, CUDNN_TYPE_INT64, 1, &value);
}

void build_set_desc(Builder *builder, Desc desc, cudnnBackendAttributeName_t name, Desc value) {
    build_set(builder, desc, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

void build_finalize(Builder *builder, Desc desc) {
    CHECK(builder, cudnnBackendFinalize(desc));
}

static size_t type_bits(cudnnDataType_t type) {
    switch (type) {
    case CUDNN_DATA_BOOLEAN:
        return 1;
    case CUDNN_DATA_INT8:
        return 8;
    case CUDNN_DATA_BFLOAT16:
        return 16;
    case CUDNN_DATA_DOUBLE:
    case CUDNN_DATA_INT64:
        return 64;
    default: /* float and int32 */
        return 32;
    }
}

/* Fast kernels want 16 bytes; a vector of fp32 or a map of 3 channels may have less. */
static Desc tensor(Builder *builder, GraphRole role, cudnnDataType_t type, int n,
                   const int64_t *dim, const int64_t *stride, bool is_virtual) {
    enum { ALIGNMENT = 16 };
    Desc desc = build_new(builder, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    build_set(builder, desc, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    build_set(builder, desc, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, n, dim);
    build_set(builder, desc, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, n, stride);
    build_set_int(builder, desc, CUDNN_ATTR_TENSOR_UNIQUE_ID, role + 1);
    build_set_int(builder, desc, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, ALIGNMENT);
    if (is_virtual)
        build_set(builder, desc, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual);
    build_finalize(builder, desc);
    if (builder->graph && !is_virtual) {
        size_t bits = type_bits(type);
        for (int i = 0; i < n; i++)
            bits *= (size_t)dim[i];
        builder->graph->roles |= 1u << role;
        builder->graph->bytes[role] = (bits + 7) / 8;
    }
    builder->tensor[role] = desc;
    return desc;
}

static Desc nhwc(Builder *builder, GraphRole role, cudnnDataType_t type, Shape s, bool is_virtual) {
    const int64_t dim[4] = {s.n, s.c, s.h, s.w};
    const int64_t stride[4] = {s.c * s.h * s.w, 1, s.w * s.c, s.c};
    return tensor(builder, role, type, 4, dim, stride, is_virtual);
}

Desc build_nhwc(Builder *builder, GraphRole role, DType dtype, Shape shape, bool is_virtual) {
    return nhwc(builder, role, build_dtype(dtype), shape, is_virtual);
}

Desc build_bits(Builder *builder, GraphRole role, Shape shape) {
    return nhwc(builder, role, CUDNN_DATA_BOOLEAN, shape, false);
}

Desc build_matrix(Builder *builder, GraphRole role, DType dtype, int64_t rows, int64_t columns,
                  bool transposed, bool is_virtual) {
    const int64_t dim[3] = {1, rows, columns};
    const int64_t stride[3] = {rows * columns, transposed ? 1 : columns, transposed ? rows : 1};
    return tensor(builder, role, build_dtype(dtype), 3, dim, stride, is_virtual);
}

Desc build_value(Builder *builder, GraphRole role, float value) {
    const int64_t one[4] = {1, 1, 1, 1};
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    const bool by_value = true;
    Desc desc = build_new(builder, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    build_set(builder, desc, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    build_set(builder, desc, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, one);
    build_set(builder, desc, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, one);
    build_set_int(builder, desc, CUDNN_ATTR_TENSOR_UNIQUE_ID, role + 1);
    build_set_int(builder, desc, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, sizeof value);
    build_set(builder, desc, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &by_value);
    build_finalize(builder, desc);
    if (builder->status == ST_OK) {
        builder->graph->roles |= 1u << role;
        builder->graph->values |= 1u << role;
        builder->graph->value[role] = value;
    }
    return desc;
}

void build_op(Builder *builder, Desc op) {
    build_finalize(builder, op);
    builder->op[builder->n_ops++] = op;
}

void build_pointwise(Builder *builder, cudnnPointwiseMode_t mode, Desc x, Desc b, Desc y) {
    const cudnnDataType_t math = CUDNN_DATA_FLOAT;
    bool backward = mode == CUDNN_POINTWISE_RELU_BWD || mode == CUDNN_POINTWISE_GELU_BWD;
    Desc function = build_new(builder, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    build_set(builder, function, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    build_set(builder, function, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &math);
    build_finalize(builder, function);
    Desc op = build_new(builder, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    build_set_desc(builder, op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, function);
    if (backward) {
        build_set_desc(builder, op, CUDNN_ATTR_OPERATION_POINTWISE_DYDESC, x);
        build_set_desc(builder, op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, b);
        build_set_desc(builder, op, CUDNN_ATTR_OPERATION_POINTWISE_DXDESC, y);
    } else {
        build_set_desc(builder, op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
        if (b)
            build_set_desc(builder, op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
        build_set_desc(builder, op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    }
    build_op(builder, op);
}
