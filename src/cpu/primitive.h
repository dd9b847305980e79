/* cpu/primitive: oneDNN primitives. Everything that differs between versions 2 and 3 of its C
 * interface (how a primitive is described, and what a memory descriptor is) is in dnnl_version.h
 * and primitive.c.
 *
 * A primitive is immutable and shared by all compute threads. It keeps its scratchpad in memory of
 * the caller, and it is made for one thread, whatever OpenMP is set to.
 *
 * Functions that create a primitive write *primitive only on success; errors are ST_DEVICE. Local.
 */
#ifndef LOCKSTEP_CPU_PRIMITIVE_H
#define LOCKSTEP_CPU_PRIMITIVE_H

#include <stdbool.h>

#include "dnnl_version.h"
#include "lockstep/status.h"
#include "lockstep/tensor.h"

/* The form of memory: a type and a tag's or strides', or that of an argument of a primitive, which
 * must live as long. Zeroed: empty. */
typedef struct MemDesc {
    DType type; /* DT_F32 or DT_BF16 */
    int ndim;
    dnnl_dims_t dim; /* [ndim] */
    dnnl_format_tag_t tag;
    bool strided; /* instead of the tag: element i at the sum of i stride */
    dnnl_dims_t stride;
    MdRef of; /* NULL: type and tag's or strides' */
} MemDesc;

/* Evaluates a oneDNN call once; ST_DEVICE naming it if it fails. */
Status primitive_check(dnnl_status_t result, const char *what, const char *file, int line);
#define TRY_DNNL(call) TRY(primitive_check((call), #call, __FILE__, __LINE__))

void primitive_free(dnnl_primitive_t primitive); /* accepts NULL */

/* The form in which the primitive takes execution argument DNNL_ARG_x; an empty descriptor
 * (primitive_bytes 0) if it has none. */
MemDesc primitive_md(const_dnnl_primitive_t primitive, int argument);
size_t primitive_bytes(const_dnnl_primitive_t primitive, int argument);

/* The argument itself, in memory of the caller, for dnnl_memory_destroy. */
Status primitive_memory(const_dnnl_primitive_t primitive, int argument, dnnl_engine_t engine,
                        void *at, dnnl_memory_t *memory);

/* oneDNN's name of the implementation: "jit:avx512_core". Borrowed. */
const char *primitive_name(const_dnnl_primitive_t primitive);

/* Whether it is one of those that oneDNN has for any processor ("ref:any", "nspc_bnorm:any"), in
 * place of one that it compiles for this one: in bf16 ten to hundreds of times slower. */
bool primitive_is_generic(const_dnnl_primitive_t primitive);

/* Descriptors: of an activation in a layout of rule.h; in fp32 of a plain array of `ndim`
 * dimensions, and of the same in whatever order a primitive prefers; and one of these in another
 * type. */
MemDesc md_activation(DType type, Shape shape, int layout);
MemDesc md_plain(int ndim, const int64_t *dim);
MemDesc md_any(int ndim, const int64_t *dim);
MemDesc md_typed(MemDesc md, DType type);
size_t md_bytes(const MemDesc *md);
bool md_equal(const MemDesc *a, const MemDesc *b);

/* A convolution, or a linear layer (which has no stride and pad): what its three passes share. src,
 * dst and weights have one type; the bias and both parameters' gradients are fp32. */
typedef struct Product {
    MemDesc src, dst;
    MemDesc weights; /* in any order; of a convolution in groups G,O/G,I/G,KH,KW */
    MemDesc bias;
    bool has_bias;
    bool relu; /* behind the forward pass */
    int64_t stride, pad;
    bool winograd; /* where oneDNN has it for these shapes, else direct */
} Product;

/* `forward` is the primitive of the forward pass of the same product. */
Status primitive_conv_forward(dnnl_engine_t engine, const Product *product,
                              dnnl_primitive_t *primitive);
Status primitive_conv_backward_data(dnnl_engine_t engine, const Product *product,
                                    const_dnnl_primitive_t forward, dnnl_primitive_t *primitive);
Status primitive_conv_backward_weights(dnnl_engine_t engine, const Product *product,
                                       const_dnnl_primitive_t forward, dnnl_primitive_t *primitive);
Status primitive_linear_forward(dnnl_engine_t engine, const Product *product,
                                dnnl_primitive_t *primitive);
Status primitive_linear_backward_data(dnnl_engine_t engine, const Product *product,
                                      const_dnnl_primitive_t forward, dnnl_primitive_t *primitive);
Status primitive_linear_backward_weights(dnnl_engine_t engine, const Product *product,
                                         const_dnnl_primitive_t forward,
                                         dnnl_primitive_t *primitive);

/* Whether oneDNN has Winograd's algorithm for all three passes of a 3 x 3 convolution on this
 * processor: version 3.2 and later do not, for fp32. */
bool primitive_has_winograd(dnnl_engine_t engine, bool wide);

/* Batch norm; `training`: by the batch's statistics, which it writes. Parameters, statistics and
 * their gradients are fp32. */
typedef struct BatchNorm {
    MemDesc map;
    double eps;
    bool scale, shift; /* there are parameters */
    bool relu;         /* behind it */
    bool training;
} BatchNorm;

Status primitive_bn_forward(dnnl_engine_t engine, const BatchNorm *norm,
                            dnnl_primitive_t *primitive);
Status primitive_bn_backward(dnnl_engine_t engine, const BatchNorm *norm,
                             const_dnnl_primitive_t forward, dnnl_primitive_t *primitive);

/* Layer norm of the rows of md[rows][channels] with scale and shift; `training`: it writes mean and
 * variance [rows], which backward reads. */
Status primitive_layernorm_forward(dnnl_engine_t engine, const MemDesc *md, double eps,
                                   bool training, dnnl_primitive_t *primitive);
Status primitive_layernorm_backward(dnnl_engine_t engine, const MemDesc *md, double eps,
                                    const_dnnl_primitive_t forward, dnnl_primitive_t *primitive);

/* Square pooling windows; `average` counts padding, as zeros, with `count_pad` alone. `forward` of
 * backward was made with `training`. */
typedef struct Pooling {
    MemDesc src, dst;
    int64_t kernel, stride, pad;
    bool average, count_pad, training;
} Pooling;

Status primitive_pool_forward(dnnl_engine_t engine, const Pooling *pooling,
                              dnnl_primitive_t *primitive);
Status primitive_pool_backward(dnnl_engine_t engine, const Pooling *pooling,
                               const_dnnl_primitive_t forward, dnnl_primitive_t *primitive);

/* Element-wise functions. `factor` is that of SCALE, and the slope of LEAKY_RELU. */
typedef enum Pointwise {
    POINTWISE_RELU,
    POINTWISE_GELU,
    POINTWISE_SCALE,
    POINTWISE_SILU,
    POINTWISE_SIGMOID,
    POINTWISE_TANH,
    POINTWISE_RELU6,
    POINTWISE_LEAKY_RELU
} Pointwise;

/* What the backward pass reads besides the gradient: DNNL_ARG_SRC or DNNL_ARG_DST. SCALE needs
 * neither, but oneDNN wants a source. */
int primitive_pointwise_reads(Pointwise function);

Status primitive_pointwise_forward(dnnl_engine_t engine, Pointwise function, double factor,
                                   const MemDesc *md, dnnl_primitive_t *primitive);
Status primitive_pointwise_backward(dnnl_engine_t engine, Pointwise function, double factor,
                                    const MemDesc *md, dnnl_primitive_t *primitive);

/* DST = SRC WEIGHTS, or DST += SRC WEIGHTS, for each matrix of the leading dimensions. */
Status primitive_matmul(dnnl_engine_t engine, const MemDesc *src, const MemDesc *weights,
                        const MemDesc *dst, bool add, dnnl_primitive_t *primitive);

/* DST = SRC_0 + SRC_1, one layout for all; DST may be SRC_0. */
Status primitive_add(dnnl_engine_t engine, const MemDesc *md, bool relu,
                     dnnl_primitive_t *primitive);

/* DST = SRC_0 SRC_1, or with `add` DST += SRC_0 SRC_1; one layout for all. */
Status primitive_mul(dnnl_engine_t engine, const MemDesc *md, bool add,
                     dnnl_primitive_t *primitive);

/* A copy from FROM to TO that changes the form, or the type; `add`: TO += FROM. */
Status primitive_reorder(dnnl_engine_t engine, const MemDesc *from, const MemDesc *to, bool add,
                         dnnl_primitive_t *primitive);

#endif
