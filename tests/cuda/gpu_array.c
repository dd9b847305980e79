/* gpu_array: see gpu_array.h. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "gpu_array.h"
#include "lockstep/rng.h"

bool skip_without_gpu(void) {
    int devices = 0;
    cudaError_t error = cudaGetDeviceCount(&devices);
    if (error == cudaSuccess && devices > 0)
        return false;
    printf("1..0 # SKIP no GPU: %s\n", cudaGetErrorString(error));
    return true;
}

void check_cuda(cudaError_t error) {
    if (error != cudaSuccess)
        fail_msg("%s", cudaGetErrorString(error));
}

static uint16_t bf16_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (isnan(value))
        return 0x7fff;
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float float_of(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float rounded(DType type, float value) {
    return type == DT_BF16 ? float_of(bf16_of(value)) : value;
}

void *device_copy(const void *host, size_t bytes) {
    void *device;
    check_cuda(cudaMalloc(&device, bytes));
    check_cuda(cudaMemcpy(device, host, bytes, cudaMemcpyHostToDevice));
    return device;
}

void *device_unset(size_t bytes) {
    void *device;
    check_cuda(cudaMalloc(&device, bytes));
    check_cuda(cudaMemset(device, 0xff, bytes));
    return device;
}

void host_copy(void *host, const void *device, size_t bytes) {
    check_cuda(cudaDeviceSynchronize());
    check_cuda(cudaMemcpy(host, device, bytes, cudaMemcpyDeviceToHost));
}

Array array_unset(int64_t count, DType type) {
    Array array = {count, type, device_unset((size_t)count * dtype_size(type)),
                   calloc((size_t)count, sizeof(float))};
    assert_non_null(array.host);
    return array;
}

Array array_random(int64_t count, DType type, uint32_t stream) {
    Array array = array_unset(count, type);
    RngKey key = rng_key(7, RNG_SYNTHETIC);
    uint16_t *halves = calloc((size_t)count, sizeof *halves);
    assert_non_null(halves);
    for (int64_t i = 0; i < count; i++) {
        float value = 4 * rng_unit(rng_block(key, (uint32_t)i, stream, 0, 0).word[0]) - 2;
        array.host[i] = rounded(type, value);
        halves[i] = bf16_of(value);
    }
    check_cuda(cudaMemcpy(array.device, type == DT_BF16 ? (void *)halves : array.host,
                          (size_t)count * dtype_size(type), cudaMemcpyHostToDevice));
    free(halves);
    return array;
}

void array_fetch(Array *array) {
    if (array->type == DT_F32) {
        host_copy(array->host, array->device, (size_t)array->count * sizeof(float));
        return;
    }
    uint16_t *halves = calloc((size_t)array->count, sizeof *halves);
    assert_non_null(halves);
    host_copy(halves, array->device, (size_t)array->count * sizeof *halves);
    for (int64_t i = 0; i < array->count; i++)
        array->host[i] = float_of(halves[i]);
    free(halves);
}

void array_expect(Array *array, const double *expected, double tolerance) {
    array_fetch(array);
    for (int64_t i = 0; i < array->count; i++) {
        double size = fmax(1, fabs(expected[i])), found = array->host[i];
        float same = rounded(array->type, (float)expected[i]);
        bool good = tolerance > 0 ? fabs(found - expected[i]) <= tolerance * size
                                  : memcmp(&same, &array->host[i], sizeof same) == 0;
        if (!good)
            fail_msg("element %" PRId64 " of %" PRId64 " is %.9g, not %.9g", i, array->count, found,
                     expected[i]);
    }
}

void array_free(Array *array) {
    check_cuda(cudaFree(array->device));
    free(array->host);
}
