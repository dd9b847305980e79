/* cpu/f32_winograd: F(4x4, 3x3) in fp32, for processors with AVX2 and FMA. Local. */
#ifndef LOCKSTEP_CPU_F32_WINOGRAD_H
#define LOCKSTEP_CPU_F32_WINOGRAD_H

#include "winograd_passes.h"

extern const WinogradPasses f32_winograd;

#endif
