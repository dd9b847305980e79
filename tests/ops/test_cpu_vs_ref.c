/* The cpu backend against the reference backend: in fp32, and, where the processor has it, in
 * bf16. */
#include <stdio.h>

#include "op_compare.h"
#include "tolerance.h"

static Status open_fp32(Device **device) {
    return device_open_cpu(&(DeviceOptions){0}, device);
}

static Status open_bf16(Device **device) {
    return device_open_cpu(&(DeviceOptions){.precision = PRECISION_BF16}, device);
}

int main(void) {
    const OpBackend fp32 = {
        .name = "cpu in fp32 against ref", .open = open_fp32, .tolerance = tolerance_op};
    const OpBackend bf16 = {.name = "cpu in bf16 against ref",
                            .open = open_bf16,
                            .tolerance = tolerance_bf16,
                            .bits = 8};
    Device *device;
    int failures = op_compare(&fp32);
    if (open_bf16(&device) != ST_OK) {
        printf("1..1\nok 1 - cpu in bf16 against ref # SKIP %s\n", status_message());
        return failures;
    }
    device->ops->close(device);
    return failures + op_compare(&bf16);
}
