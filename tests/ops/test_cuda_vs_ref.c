/* The cuda backend in fp32 against the reference backend; skipped where there is no GPU. */
#include <stdio.h>

#include "op_compare.h"
#include "tolerance.h"

static Status open_cuda(Device **device) {
    const CudaOptions options = {.precision = PRECISION_FP32, .exact = true};
    return device_open_cuda(&options, device);
}

int main(void) {
    const OpBackend cuda = {"cuda against ref", open_cuda, tolerance_op};
    Device *device;
    if (open_cuda(&device) != ST_OK) {
        printf("1..0 # SKIP %s\n", status_message());
        return 0;
    }
    device->ops->close(device);
    return op_compare(&cuda);
}
