/* desc: cuDNN's backend descriptors in the simulated libcudnn, and what a graph of them means.
 *
 * What a program sets is kept and checked against the rules of the interface; a breach is reported.
 * With $SIMGPU_REAL_CUDNN every call is passed on to NVIDIA's library as well (real.c). A plan runs
 * as plain C loops, one operation after another. */
#ifndef SIMGPU_CUDNN_DESC_H
#define SIMGPU_CUDNN_DESC_H

#include <cudnn.h>

#include "../sim.h"

enum { DIMS_MAX = 5, OPERATIONS_MAX = 8, POINTERS_MAX = 32 };

/* The places of an operation's tensors. */
typedef enum Place {
    P_X,
    P_W,
    P_Y,
    P_B,
    P_DY,
    P_DX,
    P_DW,
    P_SCALE,
    P_BIAS,
    P_MEAN,
    P_RSTD,
    P_OLD_MEAN,
    P_OLD_VAR,
    P_NEW_MEAN,
    P_NEW_VAR,
    P_EPS,
    P_FACTOR,
    P_DSCALE,
    P_DBIAS,
    P_INDEX,
    PLACES
} Place;

typedef struct SimTensor {
    bool present;
    int64_t uid, alignment;
    int dims;
    int64_t dim[DIMS_MAX], stride[DIMS_MAX];
    cudnnDataType_t type;
    bool is_virtual, by_value;
    size_t bytes; /* from its first to behind its last element */
    int64_t count;
} SimTensor;

typedef struct Operation {
    cudnnBackendDescriptorType_t type;
    const char *name;
    SimTensor tensor[PLACES];
    float alpha, beta;
    int64_t pad[2], post[2], stride[2], dilation[2], window[2];
    cudnnPointwiseMode_t pointwise;
    cudnnResampleMode_t resample;
    bool by_row; /* a norm of each row, not of each channel */
} Operation;

/* An operation graph with an engine for it. Never freed: an op may still run it. */
typedef struct Program {
    Operation op[OPERATIONS_MAX];
    int ops;
    int64_t workspace;
    bool tf32;   /* inputs are rounded to TF32 */
    bool wavers; /* the sums differ from run to run in their last bit */
    int lean;    /* 1: they are always rounded up, -1: down */
    bool broken; /* it cannot run */
    int cost;    /* of a run, in simulated time */
    int *runs;   /* so far */
} Program;

typedef struct Attribute {
    cudnnBackendAttributeName_t name;
    cudnnBackendAttributeType_t type;
    int64_t count;
    void *data; /* owned */
    struct Attribute *next;
} Attribute;

typedef struct Descriptor {
    uint64_t magic;
    cudnnBackendDescriptorType_t type;
    bool finalized, destroyed;
    Attribute *attributes;
    struct Descriptor *from; /* of an engine or configuration: the operation graph */
    int engine, knob;        /* of a configuration or engine, without the real library */
    bool compiled;           /* of an engine: as it is planned */
    Program *program;        /* of an operation graph and of a plan */
    cudnnBackendDescriptor_t real;
} Descriptor;

struct cudnnContext {
    cudaStream_t stream;
    bool destroyed;
};

/* desc.c */
Descriptor *desc_of(cudnnBackendDescriptor_t handle); /* or reports */
const Attribute *desc_find(const Descriptor *d, int name);
const Attribute *desc_need(const Descriptor *d, int name, const char *what); /* or reports */
Descriptor *desc_link(const Descriptor *d, int name, const char *what);      /* or reports */
size_t desc_type_bytes(cudnnBackendAttributeType_t type);
cudnnStatus_t desc_status(cudnnStatus_t status, const char *text); /* text of the last error */

/* rules.c: what a finalized operation is, or a report of what is wrong with it. */
void rules_tensor(const Descriptor *d, SimTensor *tensor);
void rules_operation(const Descriptor *d, Operation *op);
void rules_graph(const Descriptor *d, Program *program);
const char *rules_name(cudnnBackendDescriptorType_t type); /* of an operation; NULL: it is none */
/* The first operation that is not pointwise; the first one where all are. */
const Operation *rules_main(const Program *program);

/* plan_text.c: a plan as text, and back. */
void plan_count(bool restored); /* counts one that was finalized */
cudnnStatus_t plan_write(const Descriptor *d, int64_t room, int64_t *count, char *text);
bool plan_read(Descriptor *d); /* sets the plan's program from its text; false: it is none */

/* real.c: NVIDIA's library beside ours; false where it is not asked for. */
bool real_used(void);
cudnnStatus_t real_create(Descriptor *d);
cudnnStatus_t real_set(Descriptor *d, const Attribute *a);
cudnnStatus_t real_finalize(Descriptor *d);
cudnnStatus_t real_get(Descriptor *d, cudnnBackendAttributeName_t name,
                       cudnnBackendAttributeType_t type, int64_t room, int64_t *count, void *data);
void real_destroy(Descriptor *d);
const char *real_error(void);

/* execute.c */
typedef struct View { /* a tensor's numbers, dense in the order of its dimensions */
    const SimTensor *tensor;
    float *value; /* [tensor->count] */
} View;
typedef struct Execution Execution;
View execution_load(Execution *e, const Operation *op, Place place);  /* inputs */
View execution_start(Execution *e, const Operation *op, Place place); /* outputs, to be filled */
void execution_store(Execution *e, const Operation *op, View view);
float execution_rounded(const Execution *e, float value); /* an input of a product */
double execution_sum(const Execution *e, double sum);     /* a long sum */

/* conv.c, norm.c, layernorm.c, pointwise.c, resample.c, matmul.c */
void run_convolution(Execution *e, const Operation *op);
void run_norm_forward(Execution *e, const Operation *op);
void run_norm_backward(Execution *e, const Operation *op);
void run_layernorm_forward(Execution *e, const Operation *op);
void run_layernorm_backward(Execution *e, const Operation *op);
void run_pointwise(Execution *e, const Operation *op);
void run_resample(Execution *e, const Operation *op);
void run_matmul(Execution *e, const Operation *op);

#endif
