/* No row of the op table goes through one of oneDNN's primitives for any processor in bf16: those
 * are ten to hundreds of times slower, and nothing would say so. Where it has no other the op
 * computes in fp32, with copies around it (plan_primitives). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../src/cpu/plan.h"
#include "op_run.h"

static Device *cpu;

static bool is_activation(Operand operand) {
    return operand.kind == OPERAND_IN || operand.kind == OPERAND_OUT ||
           operand.kind == OPERAND_GRAD_IN || operand.kind == OPERAND_GRAD_OUT;
}

static bool is_slow(const Step *step) {
    bool bf16 = false;
    for (int i = 0; i < step->n_args; i++)
        bf16 = bf16 || is_activation(step->arg[i].operand);
    return bf16 && step->work && primitive_is_generic(step->work);
}

static void test_compiled(void **state) {
    (void)state;
    int primitives = 0;
    for (int i = 0; i < op_table_count; i++) {
        OpRun run;
        if (!op_supported(cpu, &op_table[i]))
            continue;
        if (op_run_open(cpu, &op_table[i], &run) != ST_OK)
            fail_msg("%s: %s", op_table[i].name, status_message());
        const StepPlan *plan = (const StepPlan *)run.plan;
        for (int pass = 0; pass < PASSES; pass++) {
            for (int s = 0; s < plan->n_steps[pass]; s++) {
                const Step *step = &plan->step[pass][s];
                primitives += step->work != NULL;
                if (is_slow(step))
                    fail_msg("%s: %s", op_table[i].name, primitive_name(step->work));
            }
        }
        op_run_close(&run);
    }
    assert_true(primitives > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_compiled)};
    if (device_open_cpu(&(DeviceOptions){.precision = PRECISION_BF16}, &cpu) != ST_OK) {
        printf("1..0 # SKIP %s\n", status_message());
        return 0;
    }
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    cpu->ops->close(cpu);
    return failures;
}
