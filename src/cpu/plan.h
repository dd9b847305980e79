/* cpu/plan: what all ops of this backend share: steps (steps.h) whose work is a oneDNN primitive,
 * and the steps that bring weights and gradients into the form that a primitive wants.
 *
 * Types. In bf16 activations and their gradients (AT_IN, AT_OUT, AT_GRAD_IN, AT_GRAD_OUT) are
 * bfloat16; all else is fp32: parameters and their gradients, statistics, the loss, and `saved` and
 * temp where an op keeps sums there. An op supports it so:
 * - descriptors of activations come from plan_md_in, plan_md_out or md_activation(plan_type(plan),
 *   ...), those of parameters from md_plain; a primitive that takes these two types needs no more;
 * - weights that a primitive multiplies by activations are md_typed(..., plan_type(plan)), and
 *   plan_weights packs them in it; their gradient is fp32;
 * - loops of our own go through rows.h, and compute and sum in float or double. */
#ifndef LOCKSTEP_CPU_PLAN_H
#define LOCKSTEP_CPU_PLAN_H

#include "lockstep/steps.h"
#include "primitive.h"
#include "rule.h"

typedef struct CpuDevice {
    Device base;
    dnnl_engine_t engine;
    bool wide;         /* 512-bit registers: blocks of 16 channels, oneDNN's Winograd */
    bool bf16_vectors; /* activations are bfloat16, computed by code of our own (bf16_vector.h) */
    bool f32_vectors;  /* they are fp32, and so are the convolutions of winograd.h */
    ConvAlgorithm convolutions;
    DType activation; /* DT_F32 or DT_BF16 */
} CpuDevice;

struct Stream {
    CpuDevice *device; /* borrowed */
    dnnl_stream_t stream;
};

extern const StepBackend cpu_steps; /* execute.c */

/* Defines `cpu_KIND`, the Op whose steps KIND_steps appends. */
#define CPU_OP(kind) STEPS_OP(cpu, kind)

#define LAYER(lower, UPPER) extern const Op cpu_##lower;
#include "lockstep/layers.def"
#undef LAYER

/* A step that executes a primitive, which passes to the plan, with arguments {operand, DNNL_ARG_x};
 * and one that calls a loop of our own. */
#define PRIMITIVE_STEP(plan, pass, primitive, ...) STEP_WORK(plan, pass, primitive, __VA_ARGS__)
#define LOOP_STEP(plan, pass, loop, ...)           STEP_CALL(plan, pass, loop, __VA_ARGS__)

dnnl_engine_t plan_engine(const StepPlan *plan);

/* Whether a convolution that Winograd's algorithm fits goes by it: `pays` says the rule. */
bool plan_winograd(const StepPlan *plan, bool fits, bool pays);

/* The type of activations and their gradients. */
DType plan_type(const StepPlan *plan);

/* Whether activations are bfloat16, and this processor has vectors for it (bf16_vector.h). */
bool plan_vectors(const StepPlan *plan);

/* Descriptors of the op's (first) input and its output, in forms that fit each other. */
MemDesc plan_md_in(const StepPlan *plan);
MemDesc plan_md_out(const StepPlan *plan);

/* The form of an op's activations beside the type that its primitives were made for. */
typedef struct Activations {
    MemDesc src, dst; /* of type plan_type */
    DType type;       /* of the primitives */
} Activations;

/* Makes an op's primitives for activations of `type`: made[], those that it wants. */
enum { PRIMITIVES_MAX = 3 };
typedef Status (*MakePrimitives)(const StepPlan *plan, DType type,
                                 dnnl_primitive_t made[PRIMITIVES_MAX]);

/* Makes them for the type of activations; or, where oneDNN has only a generic one for some of that
 * in bf16, all for fp32, which ACTIVATIONS_STEP then brings the activations to. Sets type. */
Status plan_primitives(const StepPlan *plan, MakePrimitives make, DType *type,
                       dnnl_primitive_t made[PRIMITIVES_MAX]);

/* As PRIMITIVE_STEP, of a primitive of that type: where it is not the type of activations, those
 * are copied to and from `saved` around it, and what goes to an input's gradient is added where it
 * must be. Arguments DNNL_ARG_SRC and DIFF_SRC are in src's form, DST and DIFF_DST in dst's. */
Status plan_activations_step(StepPlan *plan, Pass pass, const Activations *activations,
                             dnnl_primitive_t primitive, const Arg *args, Step **step);
#define ACTIVATIONS_STEP(plan, pass, activations, primitive, step, ...)                            \
    plan_activations_step(plan, pass, activations, primitive,                                      \
                          (const Arg[]){__VA_ARGS__, {AT_NOTHING, 0}}, step)

/* The argument AT_PARAM(param) of `step`: redirects it to a packed copy, and appends the packing,
 * where the primitive wants another form than `plain`. */
Status plan_weights(StepPlan *plan, Step *step, int param, const MemDesc *plain);

/* The argument AT_GRAD_PARAM(param) of `step`: redirects it through temp where the primitive's form
 * is another than `plain`. */
Status plan_grad_weights(StepPlan *plan, Step *step, int param, const MemDesc *plain);

/* The argument AT_GRAD_IN(input) of `step`, if it has one: redirects it through temp and appends
 * the addition where it must be added. */
Status plan_grad_in(StepPlan *plan, Step *step, int input);

/* Masks grad_out in place where a ReLU is fused and not part of the op's own primitive: append
 * first. Reads the output. */
Status plan_grad_relu(StepPlan *plan);

#endif
