/* cpu/kernel: oneDNN primitives. Everything that differs between versions 2 and 3 of its C
 * interface (how a primitive is described, and what a memory descriptor is) is in kernel.c.
 *
 * A Kernel is immutable and shared by all compute threads. It keeps its scratchpad in memory of the
 * caller, and creating it must happen with one OpenMP thread set, which device functions see to.
 *
 * Functions that create a kernel write *kernel only on success; errors are ST_DEVICE. Local. */
#ifndef LOCKSTEP_CPU_KERNEL_H
#define LOCKSTEP_CPU_KERNEL_H

#include <dnnl.h>
#include <stdbool.h>

#include "lockstep/status.h"
#include "lockstep/tensor.h"

typedef dnnl_memory_desc_t MemDesc;

typedef struct Kernel {
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive; /* NULL: none */
} Kernel;

/* Evaluates a oneDNN call once; ST_DEVICE naming it if it fails. */
Status kernel_check(dnnl_status_t result, const char *what, const char *file, int line);
#define TRY_DNNL(call) TRY(kernel_check((call), #call, __FILE__, __LINE__))

void kernel_free(Kernel *kernel);

/* The form in which the kernel takes execution argument DNNL_ARG_x; an empty descriptor
 * (kernel_bytes 0) if it has none. */
MemDesc kernel_md(const Kernel *kernel, int argument);
size_t kernel_bytes(const Kernel *kernel, int argument);

/* oneDNN's name of the implementation: "jit:avx512_core". Borrowed. */
const char *kernel_name(const Kernel *kernel);

/* Descriptors of fp32 memory: an activation in a layout of rule.h, a plain array of `ndim`
 * dimensions, and the same in whatever form a kernel prefers. */
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

/* `forward` is the kernel of the forward pass of the same product. */
Status kernel_conv_forward(dnnl_engine_t engine, const Product *product, Kernel *kernel);
Status kernel_conv_backward_data(dnnl_engine_t engine, const Product *product,
                                 const Kernel *forward, Kernel *kernel);
Status kernel_conv_backward_weights(dnnl_engine_t engine, const Product *product,
                                    const Kernel *forward, Kernel *kernel);
Status kernel_linear_forward(dnnl_engine_t engine, const Product *product, Kernel *kernel);
Status kernel_linear_backward_data(dnnl_engine_t engine, const Product *product,
                                   const Kernel *forward, Kernel *kernel);
Status kernel_linear_backward_weights(dnnl_engine_t engine, const Product *product,
                                      const Kernel *forward, Kernel *kernel);

/* Batch norm with scale and shift; `training`: by the batch's statistics, which it writes. */
Status kernel_bn_forward(dnnl_engine_t engine, const MemDesc *md, double eps, bool training,
                         bool relu, Kernel *kernel);
Status kernel_bn_backward(dnnl_engine_t engine, const MemDesc *md, double eps, bool relu,
                          const Kernel *forward, Kernel *kernel);

/* Square pooling windows; `average` counts no padding. `forward` of backward was made with
 * `training`. */
typedef struct Pooling {
    MemDesc src, dst;
    int64_t kernel, stride, pad;
    bool average, training;
} Pooling;

Status kernel_pool_forward(dnnl_engine_t engine, const Pooling *pooling, Kernel *kernel);
Status kernel_pool_backward(dnnl_engine_t engine, const Pooling *pooling, const Kernel *forward,
                            Kernel *kernel);

/* Element-wise functions. The backward pass of ReLU reads the output, of GELU the input. */
typedef enum Curve { CURVE_RELU, CURVE_GELU, CURVE_SCALE } Curve;
Status kernel_curve_forward(dnnl_engine_t engine, Curve curve, double factor, const MemDesc *md,
                            Kernel *kernel);
Status kernel_curve_backward(dnnl_engine_t engine, Curve curve, double factor, const MemDesc *md,
                             Kernel *kernel);

/* DST = SRC_0 + SRC_1, one layout for all; DST may be SRC_0. */
Status kernel_add(dnnl_engine_t engine, const MemDesc *md, bool relu, Kernel *kernel);

/* A copy from FROM to TO that changes the form; `add`: TO += FROM. */
Status kernel_reorder(dnnl_engine_t engine, const MemDesc *from, const MemDesc *to, bool add,
                      Kernel *kernel);

#endif
