/* cpu/attention_f32: attention in fp32, for processors with AVX2 and no wider vectors. Local. */
#ifndef LOCKSTEP_CPU_ATTENTION_F32_H
#define LOCKSTEP_CPU_ATTENTION_F32_H

#include "attention_passes.h"

extern const HeadPasses attention_f32;

#endif
