/* cuda/graph_build: from tensors and operations to descriptors of cuDNN's. graph_ops.c describes
 * patterns with these functions; graph_plan.c makes a Graph of what stands in the Builder.
 *
 * A Builder's first error sticks: later calls do nothing, and graph_plan returns it. So a pattern
 * reads as a list of tensors and operations. */
#ifndef LOCKSTEP_CUDA_GRAPH_BUILD_H
#define LOCKSTEP_CUDA_GRAPH_BUILD_H

#include "graph_internal.h"

enum { BUILD_OPS_MAX = 4 };

typedef struct Builder {
    GraphTarget *target;
    Graph *graph; /* under construction */
    Status status;
    bool fp32; /* its engines must not round their inputs */
    /* Of every attribute of its descriptors, handles and what is passed by value left out: graphs
     * of one print and one name are one graph. */
    uint64_t print;
    Desc tensor[GRAPH_ROLES];
    int n_ops;
    Desc op[BUILD_OPS_MAX];
} Builder;

/* Starts a graph whose tensors are of `dtype`; `multiplies`: tensor cores could round its factors.
 */
void build_begin(Builder *builder, GraphTarget *target, DType dtype, bool multiplies,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* A descriptor of the graph's, to be given attributes and finalized. */
Desc build_new(Builder *builder, cudnnBackendDescriptorType_t type);
void build_set(Builder *builder, Desc desc, cudnnBackendAttributeName_t name,
               cudnnBackendAttributeType_t type, int64_t count, const void *values);
void build_set_int(Builder *builder, Desc desc, cudnnBackendAttributeName_t name, int64_t value);
void build_set_desc(Builder *builder, Desc desc, cudnnBackendAttributeName_t name, Desc value);
void build_finalize(Builder *builder, Desc desc);

/* An NHWC tensor; a virtual one exists between two operations alone. */
Desc build_nhwc(Builder *builder, GraphRole role, DType dtype, Shape shape, bool is_virtual);
/* An NHWC tensor of truth values, a bit each. */
Desc build_bits(Builder *builder, GraphRole role, Shape shape);
/* A matrix, as a batch of one: element (i, j) at i * row + j * column. */
Desc build_matrix(Builder *builder, GraphRole role, DType dtype, int64_t rows, int64_t columns,
                  bool transposed, bool is_virtual);
/* A scalar that the graph passes itself. */
Desc build_value(Builder *builder, GraphRole role, float value);

/* A finalized operation of the graph. */
void build_op(Builder *builder, Desc op);
/* Pointwise: Y = f(X) or f(X, B); in a backward mode X is DY and B is X. `b` may be NULL. */
void build_pointwise(Builder *builder, cudnnPointwiseMode_t mode, Desc x, Desc b, Desc y);

cudnnDataType_t build_dtype(DType dtype);

#endif
