/* cuda/graph: cuDNN operation graphs, from a description to a plan that runs.
 *
 * A Graph is one pattern (a convolution with bias and ReLU, say) planned for one shape: immutable,
 * shared by all streams. A GraphCall is a Graph bound to memory. Everything is built from backend
 * descriptors, cuDNN's C interface to its graphs.
 *
 * Which engine. A fixed rule: the heuristics in modes A, B and FALLBACK are searched in this order,
 * each in the order cuDNN returns, and the first engine is taken that the target allows, finalizes
 * and keeps within the workspace. So the choice follows from shape, library version and GPU model.
 * Only where the target has a Chooser (tune.h) one of the first few such engines is taken instead,
 * which was the fastest once and is on record. Either way the plan is taken from the target's store
 * (plan_store.h) where that has it.
 *
 * Nothing here needs a GPU until graph_run: a target names either a handle, or the properties of a
 * device as a descriptor, for which cuDNN plans as well.
 *
 * Tensors of a graph are known by role; a role's unique id in the graph is its number plus one, so
 * that no two tensors share one. Activations are NHWC, filters KRSC (a filter's four dimensions are
 * K, C, R, S in a Shape's n, c, h, w). Per-channel vectors are fp32. Errors: ST_DEVICE. Local. */
#ifndef LOCKSTEP_CUDA_GRAPH_H
#define LOCKSTEP_CUDA_GRAPH_H

#include <cudnn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lockstep/status.h"
#include "lockstep/tensor.h"

typedef struct Graph Graph;
typedef struct GraphCall GraphCall;
typedef struct Chooser Chooser;     /* graph_internal.h */
typedef struct PlanStore PlanStore; /* plan_store.h */

enum { GRAPH_NAME_MAX = 128, GRAPH_CHOICE_MAX = 256 };

/* What graphs are planned for. */
typedef struct GraphTarget {
    cudnnHandle_t handle;            /* NULL: plan only, for `device` */
    cudnnBackendDescriptor_t device; /* CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR; unused with a handle */
    /* fp32 may be rounded to TF32: engines noted TENSOR_CORE or DOWN_CONVERT_INPUTS are allowed on
     * fp32 tensors */
    bool down_convert;
    bool exact;             /* engines noted NONDETERMINISTIC are not allowed */
    size_t workspace_max;   /* bytes */
    const Chooser *chooser; /* borrowed: choices made by timing; NULL: the rule alone */
    PlanStore *store;       /* owned by the device: plans made once; NULL: each is made anew */
    /* Graphs planned so far: those whose plan was made, and taken from the store; with an engine
     * that cuDNN compiles; and those that have no engine. */
    int64_t made, taken, compiled, missing;
    /* of all living graphs of this target: one that is asked for again is shared. Planning is for
     * one thread at a time */
    Graph *cache;
    /* Told of each graph that was planned, and of each that has no engine (graph NULL); `name` is
     * the graph's. May be NULL. */
    void (*planned)(void *context, const char *name, const Graph *graph);
    void *context;
} GraphTarget;

typedef enum GraphRole {
    ROLE_X,      /* input */
    ROLE_Z,      /* what is added to bn's result */
    ROLE_W,      /* filter, or the second factor of a product */
    ROLE_Y,      /* output */
    ROLE_BIAS,   /* [c] */
    ROLE_SCALE,  /* [c] bn's weight */
    ROLE_DY,     /* gradient of Y */
    ROLE_DX,     /* gradient of X */
    ROLE_DZ,     /* gradient of Z */
    ROLE_DW,     /* gradient of W */
    ROLE_DSCALE, /* [c] */
    ROLE_DBIAS,  /* [c] */
    ROLE_MEAN,   /* [c] of the batch, or [rows], from forward to backward */
    ROLE_RSTD,   /* [c] 1 / sqrt(biased variance + eps) */
    ROLE_INDEX,  /* int8, which element of its window was the largest */
    ROLE_MASK,   /* a bit an element: whether the ReLU let it pass, from forward to backward */
    ROLE_EPS,    /* value, passed by the graph itself */
    ROLE_ZERO,   /* likewise */
    ROLE_INNER,  /* virtual: between two operations */
    ROLE_INNER2, /* likewise */
    GRAPH_ROLES
} GraphRole;

/* What the engine chosen for a graph is. */
typedef struct GraphInfo {
    const char *name;            /* "conv forward+bias+relu x 64x64x32x32 bf16 w 64x64x3x3" */
    int64_t engine;              /* cuDNN's global index */
    cudnnBackendHeurMode_t mode; /* of the heuristics that named it */
    int position;                /* among that mode's results, from 0 */
    size_t workspace;            /* bytes */
    uint32_t notes;              /* bit CUDNN_NUMERICAL_NOTE_x */
    uint32_t behavior;           /* bit CUDNN_BEHAVIOR_NOTE_x */
    /* "eng34 k2=1 k13=0": engine and knobs, which tell it from all others */
    char choice[GRAPH_CHOICE_MAX];
} GraphInfo;

/* A convolution (cross-correlation) with square kernel, equal stride and zero padding. */
typedef struct GraphConv {
    DType dtype; /* of all tensors but the bias: DT_F32 or DT_BF16; sums are fp32 */
    Shape x, y;
    int64_t kernel, stride, pad;
    int64_t groups;  /* cuDNN takes them from the channels of X and W */
    bool bias, relu; /* behind the forward pass */
} GraphConv;

/* Y = relu?(X * W + BIAS?). */
Status graph_conv_forward(GraphTarget *target, const GraphConv *conv, Graph **graph);
/* DX from DY, W. */
Status graph_conv_data(GraphTarget *target, const GraphConv *conv, Graph **graph);
/* DW (of dtype) from X, DY. */
Status graph_conv_weights(GraphTarget *target, const GraphConv *conv, Graph **graph);

/* Y[m,n] = X[m,k] W[k,n] (+ BIAS[n], relu). Each factor is row-major, or the transpose of a
 * row-major matrix. */
typedef struct GraphProduct {
    DType dtype; /* of all but the bias */
    DType out;   /* of Y: dtype, or DT_F32 */
    int64_t m, n, k;
    bool x_transposed, w_transposed;
    bool bias, relu;
} GraphProduct;
Status graph_product(GraphTarget *target, const GraphProduct *product, Graph **graph);

/* Training: Y = relu?(SCALE (X - MEAN) RSTD + BIAS + Z?); writes MEAN, RSTD. With `mask` forward
 * writes MASK as well. */
typedef struct GraphBn {
    DType dtype; /* of X, Y, Z */
    Shape shape;
    double eps;
    bool add, relu, mask;
} GraphBn;
Status graph_bn_forward(GraphTarget *target, const GraphBn *bn, Graph **graph);
/* DX, DSCALE, DBIAS from X, DY, SCALE, MEAN, RSTD; with `mask` DY is masked by MASK first
 * and, with `add`, that is written to DZ. */
Status graph_bn_backward(GraphTarget *target, const GraphBn *bn, Graph **graph);
/* Bytes of a MASK. */
size_t graph_mask_bytes(Shape shape);

/* Training: each row of channels normalised by itself: Y = SCALE (X - MEAN) RSTD + BIAS; writes
 * MEAN and RSTD, [rows] each. SCALE, BIAS and their gradients are [c]. */
typedef struct GraphLayerNorm {
    DType dtype;
    Shape shape; /* {rows, channels, 1, 1} */
    double eps;
} GraphLayerNorm;
Status graph_layernorm_forward(GraphTarget *target, const GraphLayerNorm *norm, Graph **graph);
/* DX, DSCALE, DBIAS from X, DY, SCALE, MEAN, RSTD. */
Status graph_layernorm_backward(GraphTarget *target, const GraphLayerNorm *norm, Graph **graph);

/* The maximum of square windows of up to 127 elements: Y and INDEX from X. */
typedef struct GraphPool {
    DType dtype;
    Shape x, y;
    int64_t kernel, stride, pad;
} GraphPool;
Status graph_pool_forward(GraphTarget *target, const GraphPool *pool, Graph **graph);
/* DX from DY and INDEX. */
Status graph_pool_backward(GraphTarget *target, const GraphPool *pool, Graph **graph);

typedef enum GraphPointwise { GRAPH_RELU, GRAPH_GELU } GraphPointwise;
/* Y from X; DX from DY and X (for ReLU also right where X is the output). */
Status graph_pointwise_forward(GraphTarget *target, GraphPointwise function, Shape shape,
                               DType dtype, Graph **graph);
Status graph_pointwise_backward(GraphTarget *target, GraphPointwise function, Shape shape,
                                DType dtype, Graph **graph);

void graph_free(GraphTarget *target, Graph *graph); /* accepts NULL */
const GraphInfo *graph_info(const Graph *graph);

/* data[role] for each role of the graph; others are ignored. `workspace` has graph_info's bytes. */
Status graph_bind(const Graph *graph, void *const data[GRAPH_ROLES], void *workspace,
                  GraphCall **call);
void graph_unbind(GraphCall *call); /* accepts NULL */

/* Enqueues on the handle's stream. */
Status graph_run(cudnnHandle_t handle, const Graph *graph, const GraphCall *call);

#endif
