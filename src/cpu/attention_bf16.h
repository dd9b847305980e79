/* cpu/attention_bf16: attention in bf16, for processors with AVX512-BF16 and without AMX. Local. */
#ifndef LOCKSTEP_CPU_ATTENTION_BF16_H
#define LOCKSTEP_CPU_ATTENTION_BF16_H

#include "attention_passes.h"

extern const HeadPasses attention_bf16;

#endif
