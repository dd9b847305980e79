/* cuda_library: the shared object with all that needs CUDA, cuDNN and NCCL, loaded when it is asked
 * for, so that the same program trains on the CPU where these are absent. */
#ifndef LOCKSTEP_ENGINE_CUDA_LIBRARY_H
#define LOCKSTEP_ENGINE_CUDA_LIBRARY_H

#include "lockstep/status.h"

/* Loads the library, once, and finds `symbol` in it. It stays loaded. Local. ST_DEVICE naming what
 * is missing and how to get it. */
Status cuda_library_find(const char *symbol, void **function);

#endif
