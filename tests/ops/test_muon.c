/* Muon on the cpu backend, and on the reference backend in float, against that in double. */
#include "muon_compare.h"

static Status open_cpu(Device **device) {
    return device_open_cpu(&(DeviceOptions){0}, device);
}

static Status open_ref(Device **device) {
    return device_open_ref(&(DeviceOptions){0}, device);
}

int main(void) {
    return muon_compare("muon: ref in float", open_ref) + muon_compare("muon: cpu", open_cpu);
}
