/* cuda/graph_build: from tensors and operations to a planned Graph. graph_ops.c describes patterns
 * with these functions; graph_choose.c finds an engine; graph.c binds and runs what comes out.
 *
 * A Builder's first error sticks: later calls do nothing, and build_graph returns it. So a pattern
 * reads as a list of tensors and operations. */
#ifndef LOCKSTEP_CUDA_GRAPH_BUILD_H
#define LOCKSTEP_CUDA_GRAPH_BUILD_H

#include "graph.h"

typedef cudnnBackendDescriptor_t Desc;

enum { BUILD_DESCRIPTORS_MAX = 48, BUILD_OPS_MAX = 4 };

struct Graph {
    char name[GRAPH_NAME_MAX]; /* says all that it depends on besides the target */
    int references;
    Graph *next; /* in the target's cache */
    GraphInfo info;
    uint32_t roles;            /* bit ROLE_x: has a pointer in the variant pack */
    size_t bytes[GRAPH_ROLES]; /* of its tensor, dense */
    float value[GRAPH_ROLES];  /* of roles passed by value */
    uint32_t values;           /* bit ROLE_x: passed by value */
    int n_owned;
    Desc owned[BUILD_DESCRIPTORS_MAX]; /* cuDNN may look at them for as long as the plan lives */
    Desc plan;
};

typedef struct Builder {
    GraphTarget *target;
    Graph *graph; /* under construction */
    Status status;
    bool fp32; /* its engines must not round their inputs */
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
/* A matrix, as a batch of one: element (i, j) at i * row + j * column. */
Desc build_matrix(Builder *builder, GraphRole role, DType dtype, int64_t rows, int64_t columns,
                  bool transposed, bool is_virtual);
/* A scalar that the graph passes itself. */
Desc build_value(Builder *builder, GraphRole role, float value);

/* A finalized operation of the graph. */
void build_op(Builder *builder, Desc op);
/* Pointwise: Y = f(X) or f(X, B); in a backward mode X is DY and B is X. `b` may be NULL. */
void build_pointwise(Builder *builder, cudnnPointwiseMode_t mode, Desc x, Desc b, Desc y);

/* Finds an engine and finalizes the plan, unless the target has that graph already. ST_DEVICE
 * naming the graph if there is none. */
Status build_graph(Builder *builder, Graph **graph);

/* An engine that can run a graph. */
typedef struct Candidate {
    Desc config, plan; /* owned */
    GraphInfo info;
} Candidate;

enum { CANDIDATES_MAX = 8 }; /* that are timed for one graph */

/* Finds an engine for the operations (graph_choose.c): sets the graph's plan and info. */
Status build_choose(Builder *builder);

cudnnDataType_t build_dtype(DType dtype);

/* Frees a graph that no cache holds; accepts NULL. */
void graph_destroy(Graph *graph);

#endif
