/* versions: what this program is made of. Local. */
#ifndef LOCKSTEP_VERSIONS_H
#define LOCKSTEP_VERSIONS_H

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* MPI, HDF5, oneDNN as found at run time, in one line: what hosts of a run should have in
 * common. */
void versions_line(char *out, size_t room);

/* The same of the CUDA backend: "CUDA 13.0, cuDNN 9.19.0, NCCL 2.28.9"; "" where it cannot be
 * loaded. */
void versions_cuda_line(char *out, size_t room);

/* One line each: lockstep with its git id, then every library as found at run time; those of the
 * CUDA backend, or why there are none. */
void versions_print(FILE *out);

#ifdef __cplusplus
}
#endif
#endif
