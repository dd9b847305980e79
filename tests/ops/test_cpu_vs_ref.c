/* The cpu backend against the reference backend. */
#include "op_compare.h"
#include "tolerance.h"

int main(void) {
    const OpBackend cpu = {"cpu against ref", device_open_cpu, tolerance_op};
    return op_compare(&cpu);
}
