/* cpu/dropout_f32: dropout in fp32 with AVX2 (CpuDevice.f32_vectors). Local. */
#ifndef LOCKSTEP_CPU_DROPOUT_F32_H
#define LOCKSTEP_CPU_DROPOUT_F32_H

#include "plan.h"

/* Appends the steps of a dropout layer in training. */
Status dropout_f32_steps(StepPlan *plan);

#endif
