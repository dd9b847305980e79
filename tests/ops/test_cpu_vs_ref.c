/* The cpu backend against the reference backend. */
#include "op_compare.h"
#include "tolerance.h"

int main(void) {
    const OpBackend cpu = {"cpu against ref", device_open_cpu, tolerance_op, 0};
    return op_compare(&cpu);
}
