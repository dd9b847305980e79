/* The cuda backend against the reference backend, in each precision; skipped where there is no GPU.
 *
 * In fp32 within the tolerance of fp32, in tf32 beyond it: so neither takes the other's engines. */
#include <stdio.h>

#include "op_compare.h"
#include "tolerance.h"

static Status open_cuda(Precision precision, Device **device) {
    const DeviceOptions options = {.precision = precision, .exact = true};
    return device_open_cuda(&options, device);
}

static Status open_fp32(Device **device) {
    return open_cuda(PRECISION_FP32, device);
}

static Status open_tf32(Device **device) {
    return open_cuda(PRECISION_TF32, device);
}

static Status open_bf16(Device **device) {
    return open_cuda(PRECISION_BF16, device);
}

int main(void) {
    const OpBackend backends[] = {
        {.name = "cuda in fp32 against ref", .open = open_fp32, .tolerance = tolerance_op},
        {.name = "cuda in tf32 against ref",
         .open = open_tf32,
         .tolerance = tolerance_tf32,
         .rounds = true},
        {.name = "cuda in bf16 against ref",
         .open = open_bf16,
         .tolerance = tolerance_bf16,
         .bits = 8},
    };
    int failures = 0;
    Device *device;
    if (open_fp32(&device) != ST_OK) {
        printf("1..0 # SKIP %s\n", status_message());
        return 0;
    }
    device->ops->close(device);
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        failures += op_compare(&backends[i]);
    return failures;
}
