/* gpu_array: arrays in device memory with a copy on the host, for tests of kernels. */
#ifndef TESTS_CUDA_GPU_ARRAY_H
#define TESTS_CUDA_GPU_ARRAY_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stdint.h>

#include "lockstep/tensor.h"

/* Values of DT_F32 or DT_BF16 as floats that the type can hold. */
typedef struct Array {
    int64_t count;
    DType type;
    void *device;
    float *host; /* [count] */
} Array;

/* Where there is no GPU says so in TAP, and returns true: nothing here can be tested. */
bool skip_without_gpu(void);

/* Fails the test that runs unless `error` is cudaSuccess. */
void check_cuda(cudaError_t error);

/* What `type` holds of a value: rounded to nearest even. */
float rounded(DType type, float value);

/* Uniform values in [-2, 2), others for each `stream`. */
Array array_random(int64_t count, DType type, uint32_t stream);

/* All bytes 0xff (NaN): a kernel that leaves an element out is found. */
Array array_unset(int64_t count, DType type);

/* array->host from device memory, after all work. */
void array_fetch(Array *array);

/* Fetches, and fails where an element is farther from expected[count] than `tolerance` times the
 * larger of 1 and its size; with tolerance 0 unless the bits are the same. */
void array_expect(Array *array, const double *expected, double tolerance);
void array_free(Array *array);

/* Device memory of any kind, from and to the host. */
void *device_copy(const void *host, size_t bytes);
void *device_unset(size_t bytes);
void host_copy(void *host, const void *device, size_t bytes);

#endif
