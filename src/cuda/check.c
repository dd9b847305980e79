/* cuda/check: see check.h. */
#include "check.h"

Status cuda_check(cudaError_t result, const char *what, const char *file, int line) {
    if (result == cudaSuccess)
        return ST_OK;
    return status_fail(ST_DEVICE, file, line, "CUDA: %s (%d), from %s", cudaGetErrorString(result),
                       (int)result, what);
}

Status cudnn_check(cudnnStatus_t result, const char *what, const char *file, int line) {
    char detail[256] = "";
    if (result == CUDNN_STATUS_SUCCESS)
        return ST_OK;
    cudnnGetLastErrorString(detail, sizeof detail);
    return status_fail(ST_DEVICE, file, line, "cuDNN: %s (%d)%s%s, from %s",
                       cudnnGetErrorString(result), (int)result, detail[0] ? ": " : "", detail,
                       what);
}
