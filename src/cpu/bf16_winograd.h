/* cpu/bf16_winograd: F(2x4, 3x3) in bfloat16, for processors with AVX512-BF16. Local. */
#ifndef LOCKSTEP_CPU_BF16_WINOGRAD_H
#define LOCKSTEP_CPU_BF16_WINOGRAD_H

#include "winograd_passes.h"

extern const WinogradPasses bf16_winograd;

#endif
