/* cpu/clones: loops of our own for each width of registers. Header only. */
#ifndef LOCKSTEP_CPU_CLONES_H
#define LOCKSTEP_CPU_CLONES_H

/* Compiles a loop for each width of registers. Results have the same bits in each: no contraction
 * to fused multiply-adds (-ffp-contract=off), no reassociation. Of static functions alone: clang's
 * clones can be called from their own file only. */
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))

#endif
