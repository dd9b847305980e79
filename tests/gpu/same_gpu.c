/* gpu/same_gpu: a library for LD_PRELOAD, with which two ranks may share the one GPU of a test
 * machine.
 *
 * lockstep refuses two ranks on one GPU, which it tells by the GPU's uuid: here each rank's GPU
 * says that it is another. NCCL, which would refuse as well, is told by NCCL_HOSTID that the ranks
 * are on different hosts, and sums over sockets. That is slow, and NVIDIA warns that it may hang;
 * but it is NCCL itself and our calls of it. For tests alone. */
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#undef cudaGetDeviceProperties /* CUDA 12 has it as a macro */
#if CUDART_VERSION < 13000
#define REAL_NAME "cudaGetDeviceProperties_v2"
#define OWN_NAME  cudaGetDeviceProperties_v2
#else
#define REAL_NAME "cudaGetDeviceProperties"
#define OWN_NAME  cudaGetDeviceProperties
#endif

cudaError_t OWN_NAME(struct cudaDeviceProp *properties, int device) {
    static cudaError_t (*real)(struct cudaDeviceProp *, int);
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    char name[32];
    if (!real) {
        snprintf(name, sizeof name, "libcudart.so.%d", CUDART_VERSION / 1000);
        void *library = dlopen(name, RTLD_LAZY | RTLD_NOLOAD); /* the program has it */
        if (library)
            *(void **)&real = dlsym(library, REAL_NAME);
    }
    cudaError_t result = real ? real(properties, device) : cudaErrorInitializationError;
    if (result == cudaSuccess && rank)
        properties->uuid.bytes[15] ^= (char)(atoi(rank) + 1);
    return result;
}
