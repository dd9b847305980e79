/* cpu/clones: what a family of processors brings to loops of our own, and the one place that asks
 * which family this is compiled for. Header only. */
#ifndef LOCKSTEP_CPU_CLONES_H
#define LOCKSTEP_CPU_CLONES_H

/* What needs instructions by name (bf16_vector.h, f32_vector.h) is compiled for x86-64 alone;
 * elsewhere oneDNN computes it (elsewhere.c). */
#ifdef __x86_64__
#define FOR_X86 1
#else
#define FOR_X86 0
#endif

/* Compiles a loop for each width of registers. Results have the same bits in each: no contraction
 * to fused multiply-adds (-ffp-contract=off), no reassociation. Of static functions alone: clang's
 * clones can be called from their own file only. */
#if FOR_X86
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

#endif
