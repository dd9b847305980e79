/* cuda/check: calls of CUDA and cuDNN, evaluated once; ST_DEVICE naming the call if it fails.
 * Local. */
#ifndef LOCKSTEP_CUDA_CHECK_H
#define LOCKSTEP_CUDA_CHECK_H

#include <cuda_runtime_api.h>
#include <cudnn.h>

#include "lockstep/status.h"

Status cuda_check(cudaError_t result, const char *what, const char *file, int line);
#define TRY_CUDA(call) TRY(cuda_check((call), #call, __FILE__, __LINE__))

Status cudnn_check(cudnnStatus_t result, const char *what, const char *file, int line);
#define TRY_CUDNN(call) TRY(cudnn_check((call), #call, __FILE__, __LINE__))

#endif
