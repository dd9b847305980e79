/* The cpu backend against the reference backend. */
#include "op_compare.h"
#include "tolerance.h"

int main(void) {
    const OpBackend cpu = {
        .name = "cpu against ref", .open = device_open_cpu, .tolerance = tolerance_op};
    return op_compare(&cpu);
}
