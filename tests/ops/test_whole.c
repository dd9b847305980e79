/* Muon, LARS and LAMB on the cpu backend, and on the reference backend in float, against that in
 * double. */
#include "whole_compare.h"

static Status open_cpu(Device **device) {
    return device_open_cpu(&(DeviceOptions){0}, device);
}

static Status open_ref(Device **device) {
    return device_open_ref(&(DeviceOptions){0}, device);
}

int main(void) {
    return whole_compare("whole tensors: ref in float", open_ref) +
           whole_compare("whole tensors: cpu", open_cpu);
}
