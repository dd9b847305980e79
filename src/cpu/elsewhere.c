/* cpu/elsewhere: what stands for our own code by instructions of x86-64 where it is not compiled:
 * it takes no layer, so that oneDNN has them all, and none of its steps are asked for. */
#include "clones.h"

#if !FOR_X86

#include "dropout_bf16.h"
#include "dropout_f32.h"
#include "f32_image_grad.h"
#include "f32_rows_grad.h"
#include "image_conv.h"

static Status not_compiled(void) {
    return FAIL(ST_INTERNAL, "vectors were asked for where there are none");
}

Status dropout_bf16_steps(StepPlan *plan) {
    (void)plan;
    return not_compiled();
}

bool f32_image_grad_takes(const StepPlan *plan) {
    (void)plan;
    return false;
}

void f32_image_grad_step(StepPlan *plan) {
    (void)plan;
}

bool f32_rows_grad_takes(const StepPlan *plan) {
    (void)plan;
    return false;
}

void f32_rows_grad_step(StepPlan *plan) {
    (void)plan;
}

Status dropout_f32_steps(StepPlan *plan) {
    (void)plan;
    return not_compiled();
}

bool image_conv_takes(const StepPlan *plan) {
    (void)plan;
    return false;
}

bool image_conv_takes_forward(const StepPlan *plan) {
    (void)plan;
    return false;
}

void image_conv_forward(StepPlan *plan) {
    (void)plan;
}

void image_conv_backward(StepPlan *plan) {
    (void)plan;
}

#endif
