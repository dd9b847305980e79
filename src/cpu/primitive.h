/* cpu/primitive: oneDNN primitives. Everything that differs between versions 2 and 3 of its C
 * interface (how a primitive is described, and what a memory descriptor is) is in primitive.c.
 *
 * A Primitive is immutable and shared by all compute threads. It keeps its scratchpad in memory of
 * the caller, and creating it must happen with one OpenMP thread set, which device functions see
 * to.
 *
 * Functions that create a primitive write *primitive only on success; errors are ST_DEVICE. Local.
 */
#ifndef LOCKSTEP_CPU_PRIMITIVE_H
#define LOCKSTEP_CPU_PRIMITIVE_H

#include <dnnl.h>
#include <stdbool.h>

#include "lockstep/status.h"
#include "lockstep/tensor.h"

typedef dnnl_memory_desc_t MemDesc;

typedef struct Primitive {
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t handle; /* NULL: none */
} Primitive;

/* Evaluates a oneDNN call once; ST_DEVICE naming it if it fails. */
Status primitive_check(dnnl_status_t result, const char *what, const char *file, int line);
#define TRY_DNNL(call) TRY(primitive_check((call), #call, __FILE__, __LINE__))

void primitive_free(Primitive *primitive);

/* The form in which the primitive takes execution argument DNNL_ARG_x; an empty descriptor
 * (primitive_bytes 0) if it has none. */
MemDesc primitive_md(const Primitive *primitive, int argument);
size_t primitive_bytes(const Primitive *primitive, int argument);

/* oneDNN's name of the implementation: "jit:avx512_core". Borrowed. */
const char *primitive_name(const Primitive *primitive);

/* Descriptors of fp32 memory: an activation in a layout of rule.h, a plain array of `ndim`
 * dimensions, and the same in whatever form a primitive prefers. */
MemDesc md_activation(Shape shape, int layout);
MemDesc md_plain(int ndim, const int64_t *dim);
MemDesc md_any(int ndim, const int64_t *dim);
size_t md_bytes(const MemDesc *md);
bool md_equal(const MemDesc *a, const MemDesc *b);

/* A convolution, or a linear layer (which has no stride and pad): what its three passes share. */
typedef struct Product {
    MemDesc src, dst;
    MemDesc weights; /* in any form */
    MemDesc bias;
    bool has_bias;
    bool relu; /* behind the forward pass */
    int64_t stride, pad;
    bool winograd; /* where oneDNN has it for these shapes, else direct */
} Product;

/* `forward` is the primitive of the forward pass of the same product. */
Status primitive_conv_forward(dnnl_engine_t engine, const Product *product, Primitive *primitive);
Status primitive_conv_backward_data(dnnl_engine_t engine, const Product *product,
                                    const Primitive *forward, Primitive *primitive);
Status primitive_conv_backward_weights(dnnl_engine_t engine, const Product *product,
                                       const Primitive *forward, Primitive *primitive);
Status primitive_linear_forward(dnnl_engine_t engine, const Product *product, Primitive *primitive);
Status primitive_linear_backward_data(dnnl_engine_t engine, const Product *product,
                                      const Primitive *forward, Primitive *primitive);
Status primitive_linear_backward_weights(dnnl_engine_t engine, const Product *product,
                                         const Primitive *forward, Primitive *primitive);

/* Batch norm with scale and shift; `training`: by the batch's statistics, which it writes. */
Status primitive_bn_forward(dnnl_engine_t engine, const MemDesc *md, double eps, bool training,
                            bool relu, Primitive *primitive);
Status primitive_bn_backward(dnnl_engine_t engine, const MemDesc *md, double eps, bool relu,
                             const Primitive *forward, Primitive *primitive);

/* Square pooling windows; `average` counts no padding. `forward` of backward was made with
 * `training`. */
typedef struct Pooling {
    MemDesc src, dst;
    int64_t kernel, stride, pad;
    bool average, training;
} Pooling;

Status primitive_pool_forward(dnnl_engine_t engine, const Pooling *pooling, Primitive *primitive);
Status primitive_pool_backward(dnnl_engine_t engine, const Pooling *pooling,
                               const Primitive *forward, Primitive *primitive);

/* Element-wise functions. The backward pass of ReLU reads the output, of GELU the input. */
typedef enum Pointwise { POINTWISE_RELU, POINTWISE_GELU, POINTWISE_SCALE } Pointwise;
Status primitive_pointwise_forward(dnnl_engine_t engine, Pointwise function, double factor,
                                   const MemDesc *md, Primitive *primitive);
Status primitive_pointwise_backward(dnnl_engine_t engine, Pointwise function, double factor,
                                    const MemDesc *md, Primitive *primitive);

/* DST = SRC_0 + SRC_1, one layout for all; DST may be SRC_0. */
Status primitive_add(dnnl_engine_t engine, const MemDesc *md, bool relu, Primitive *primitive);

/* A copy from FROM to TO that changes the form; `add`: TO += FROM. */
Status primitive_reorder(dnnl_engine_t engine, const MemDesc *from, const MemDesc *to, bool add,
                         Primitive *primitive);

#endif
