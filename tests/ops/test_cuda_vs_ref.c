/* The cuda backend against the reference backend; skipped where there is no GPU. All kinds in fp32;
 * batch norm, whose engines and kernels differ by precision but multiply no two inputs, also in the
 * others. */
#include <stdio.h>

#include "op_compare.h"
#include "tolerance.h"

static Status open_as(Precision precision, Device **device) {
    const CudaOptions options = {.precision = precision, .exact = true};
    return device_open_cuda(&options, device);
}

static Status open_fp32(Device **device) {
    return open_as(PRECISION_FP32, device);
}

static Status open_tf32(Device **device) {
    return open_as(PRECISION_TF32, device);
}

static Status open_bf16(Device **device) {
    return open_as(PRECISION_BF16, device);
}

int main(void) {
    const OpBackend fp32 = {"cuda fp32 against ref", open_fp32, tolerance_op, 0};
    const OpBackend tf32 = {"cuda tf32 against ref", open_tf32, tolerance_op, 1u << LAYER_BN};
    const OpBackend bf16 = {"cuda bf16 against ref", open_bf16, tolerance_op_bf16, 1u << LAYER_BN};
    Device *device;
    if (open_fp32(&device) != ST_OK) {
        printf("1..0 # SKIP %s\n", status_message());
        return 0;
    }
    device->ops->close(device);
    return op_compare(&fp32) + op_compare(&tf32) + op_compare(&bf16);
}
