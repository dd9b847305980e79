/* cuda/plan: what all ops of this backend share: steps (steps.h) whose work is a cuDNN graph, and
 * the steps that bring weights and gradients into the form that a graph wants.
 *
 * cuDNN where it has an engine, our own kernel where not: which of the two is part of the plan and
 * follows from shape, precision, library version and GPU model, like the engine itself. */
#ifndef LOCKSTEP_CUDA_PLAN_H
#define LOCKSTEP_CUDA_PLAN_H

#include "cuda.h"
#include "lockstep/steps.h"

extern const StepBackend cuda_steps; /* execute.c */

/* Defines `cuda_KIND`, the Op whose steps KIND_steps appends. */
#define CUDA_OP(kind) STEPS_OP(cuda, kind)

#define LAYER(lower, UPPER) extern const Op cuda_##lower;
#include "lockstep/layers.def"
#undef LAYER

/* A step that runs a graph, which passes to the plan, with arguments {operand, ROLE_x}; and one
 * that launches kernels of our own. */
#define GRAPH_STEP(plan, pass, graph, ...)   STEP_WORK(plan, pass, graph, __VA_ARGS__)
#define LAUNCH_STEP(plan, pass, launch, ...) STEP_CALL(plan, pass, launch, __VA_ARGS__)

GraphTarget *plan_target(const StepPlan *plan);

/* The stream that a launch enqueues on. */
cudaStream_t call_stream(const StepCall *call);

/* Whether planning a graph went well. Where cuDNN has no engine the error is forgotten: the caller
 * has another way, and sets OpPlan.own_kernels if that is not cuDNN's. */
bool plan_has_engine(Status status);

/* Where convolutions and products find parameter `param`, a weight: the master weight itself, or,
 * where the op's form differs (other order or type), a copy that a packing step makes: [o][hw][i]
 * of the activations' type from fp32 [o][i][hw]. */
Arg plan_weight(StepPlan *plan, int param, GraphRole role);

/* Where a step puts that weight's gradient, and, called after that step, what brings it from there
 * to fp32 [o][i][hw], unless it keeps its form. */
Arg plan_grad_weight(StepPlan *plan, int param, GraphRole role);
void plan_finish_grad_weight(StepPlan *plan, int param);

/* Where a step puts the gradient of an input, and, called after that step, the addition where it
 * must be added. An op that writes a gradient nobody wants writes it to temp. */
Arg plan_grad_in(StepPlan *plan, int input, GraphRole role);
void plan_finish_grad_in(StepPlan *plan, int input);

/* Masks grad_out in place where a ReLU is fused: append first. Reads the output. */
void plan_grad_relu(StepPlan *plan);

/* The gradient of parameter `param`, a bias: the sum of grad_out over images and map. */
void plan_grad_bias(StepPlan *plan, int param);

/* Elements, images x map, and channels of the output; and the type of activations. */
int64_t plan_count(const StepPlan *plan);
int64_t plan_rows(const StepPlan *plan);
int64_t plan_channels(const StepPlan *plan);
DType plan_type(const StepPlan *plan);

#endif
