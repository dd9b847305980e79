/* bug: what the planted bugs share. Each file here is a small program, `run`, that is right as it
 * stands and wrong in one way when `planted`: the simulator must be silent about the first and
 * report the second. `FINDS:` in the first line is what the report must say.
 *
 * The files are compiled as one (main.cu), each in a namespace of its name. */
#ifndef SIMGPU_BUG_H
#define SIMGPU_BUG_H

#include <cuda_runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends with code 2 where a library call fails: the simulator's findings have a code of their own.
 */
#define CUDA(call)                                                                                 \
    do {                                                                                           \
        cudaError_t error_ = (call);                                                               \
        if (error_ != cudaSuccess) {                                                               \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, cudaGetErrorString(error_));        \
            exit(2);                                                                               \
        }                                                                                          \
    } while (0)

/* Ends with code 3 where a right program computes something wrong. */
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not %s\n", __FILE__, __LINE__, #condition);                    \
            exit(3);                                                                               \
        }                                                                                          \
    } while (0)

static inline cudaStream_t new_stream(void) {
    cudaStream_t stream;
    CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    return stream;
}

static inline cudaEvent_t new_event(void) {
    cudaEvent_t event;
    CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    return event;
}

/* count floats of device memory, 0. */
static inline float *new_floats(size_t count) {
    float *memory;
    CUDA(cudaMalloc((void **)&memory, count * sizeof *memory));
    CUDA(cudaMemset(memory, 0, count * sizeof *memory));
    CUDA(cudaDeviceSynchronize());
    return memory;
}

#endif
