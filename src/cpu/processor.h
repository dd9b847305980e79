/* cpu/processor: what oneDNN computes with on this processor: instructions, ONEDNN_MAX_CPU_ISA
 * applied, and threads. Local. */
#ifndef LOCKSTEP_CPU_PROCESSOR_H
#define LOCKSTEP_CPU_PROCESSOR_H

#include <stdbool.h>

#include "lockstep/status.h"

typedef struct Processor {
    const char *name;        /* of the instruction set, as ranks compare it: "avx512_core" */
    const char *family;      /* as people call it: "AVX-512" */
    const char *bf16_family; /* likewise, of what multiplies bfloat16; NULL: nothing does */
    bool wide;               /* 512-bit registers */
    bool bf16_vectors;       /* which multiply bfloat16, and nothing does it faster (AMX would) */
    bool f32_vectors;        /* 256-bit registers, fused multiply-adds, and nothing wider */
} Processor;

Processor processor_of_onednn(void);

/* ST_DEVICE, naming the library, where its threads cannot be told to be one: a lane is computed by
 * one thread, which says so by OpenMP. The library that is loaded may be another than `make` found.
 */
Status processor_takes_one_thread(void);

/* ST_USAGE, naming the processor, where it has no instructions for bfloat16. oneDNN would emulate
 * them with AVX-512: convolutions took three times as long as in fp32. */
Status processor_has_bf16(const Processor *processor);

#endif
