/* cuda/versions: the libraries that the backend was built with, and those it has loaded. No call
 * needs a driver but those that count GPUs, and ask them of each other. */
#include "cuda.h"

#include <nccl.h>
#include <stdio.h>

/* CUDA counts 1000 major + 10 minor, cuDNN and NCCL 10000 major + 100 minor + patch. */
static void cuda_text(int version, char out[CUDA_VERSION_TEXT]) {
    snprintf(out, CUDA_VERSION_TEXT, "%d.%d", version / 1000, version % 1000 / 10);
}

static void other_text(size_t version, char out[CUDA_VERSION_TEXT]) {
    snprintf(out, CUDA_VERSION_TEXT, "%zu.%zu.%zu", version / 10000 % 1000, version / 100 % 100,
             version % 100);
}

CUDA_SHOWN void cuda_versions(CudaVersions *versions) {
    int runtime = 0, driver = 0, nccl = 0;
    *versions = (CudaVersions){.name = {"CUDA", "cuDNN", "NCCL"}};
    cuda_text(CUDART_VERSION, versions->built[0]);
    other_text(CUDNN_VERSION, versions->built[1]);
    other_text(NCCL_VERSION_CODE, versions->built[2]);
    cudaRuntimeGetVersion(&runtime);
    ncclGetVersion(&nccl);
    cuda_text(runtime, versions->loaded[0]);
    other_text(cudnnGetVersion(), versions->loaded[1]);
    other_text((size_t)nccl, versions->loaded[2]);
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver <= 0)
        return;
    cuda_text(driver, versions->driver);
    if (cudaGetDeviceCount(&versions->gpus) != cudaSuccess)
        versions->gpus = 0;
}

CUDA_SHOWN bool cuda_reaches(const char *address) {
    int mine, other, can = 0;
    bool known = cudaGetDevice(&mine) == cudaSuccess &&
                 cudaDeviceGetByPCIBusId(&other, address) == cudaSuccess && other != mine &&
                 cudaDeviceCanAccessPeer(&can, mine, other) == cudaSuccess;
    cudaGetLastError(); /* that it is not seen is no error of the run's */
    return known && can == 1;
}
