/* cpu/unrolled: loops of constant length over arrays of vectors: only unrolled do these live in
 * registers. Header only. */
#ifndef LOCKSTEP_CPU_UNROLLED_H
#define LOCKSTEP_CPU_UNROLLED_H

#ifdef __clang__
#define UNROLLED(i, count) _Pragma("clang loop unroll(full)") for (int i = 0; i < (count); i++)
#else
#define UNROLLED(i, count) _Pragma("GCC unroll 32") for (int i = 0; i < (count); i++)
#endif

#endif
