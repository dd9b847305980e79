/* ptx: an interpreter of the PTX that nvcc writes, for the simulated libcudart. */
#ifndef SIMGPU_PTX_H
#define SIMGPU_PTX_H

#include "../sim.h"

typedef struct PtxKernel PtxKernel;

typedef struct PtxShape {
    unsigned grid[3], block[3];
    size_t shared; /* dynamic shared memory, bytes */
} PtxShape;

/* The kernels of one fat binary; others may have kernels of the same symbols. */
typedef struct PtxModule {
    int first, end;
} PtxModule;

/* Reads a module. What the interpreter does not know is reported when it is reached, not here. */
PtxModule ptx_load(const char *text);
const PtxKernel *ptx_find(PtxModule module, const char *symbol); /* NULL: it has none */
const char *ptx_name(const PtxKernel *kernel);
size_t ptx_shared_bytes(const PtxKernel *kernel); /* static */
size_t ptx_param_bytes(const PtxKernel *kernel);
void ptx_pack_params(const PtxKernel *kernel, void **args, unsigned char *params);

/* Runs a grid, block by block; every access is checked and noted for `op`. */
void ptx_run(SimOp *op, const PtxKernel *kernel, const PtxShape *shape,
             const unsigned char *params);

#endif
