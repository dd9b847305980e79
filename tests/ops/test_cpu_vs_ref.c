/* The cpu backend against the reference backend. */
#include "op_compare.h"
#include "tolerance.h"

static Status open_cpu(Device **device) {
    return device_open_cpu(&(DeviceOptions){0}, device);
}

int main(void) {
    const OpBackend cpu = {.name = "cpu against ref", .open = open_cpu, .tolerance = tolerance_op};
    return op_compare(&cpu);
}
