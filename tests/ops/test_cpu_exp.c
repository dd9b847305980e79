/* Powers of two in vectors of floats (src/cpu/f32_exp.h) against exp2 in double: every 89th float
 * from -126 to 0, and the edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "../../src/cpu/clones.h"

#if FOR_X86

#include "../../src/cpu/f32_exp.h"

/* Of itself: what f32_exp.h says. Found: 7.3e-8. */
#define BOUND 1e-7

VECTOR_FN static void power(const float *x, float *y) {
    _mm256_storeu_ps(y, vector_power_of_two(_mm256_loadu_ps(x)));
}

static void against_double(void **state) {
    const uint32_t apart = 89, zero = 0x80000000u, last = 0xc2fc0000u; /* -0, -126 */
    double worst = 0;
    (void)state;
    for (uint32_t bits = zero; bits < last - VECTOR * apart; bits += VECTOR * apart) {
        float x[VECTOR], y[VECTOR];
        for (uint32_t i = 0; i < VECTOR; i++) {
            uint32_t each = bits + i * apart;
            memcpy(&x[i], &each, sizeof each);
        }
        power(x, y);
        for (int i = 0; i < VECTOR; i++) {
            double exact = exp2((double)x[i]), error = fabs((double)y[i] - exact) / exact;
            worst = error > worst ? error : worst;
        }
    }
    printf("# off by %.3g of itself at most\n", worst);
    assert_true(worst > 0 && worst < BOUND);
}

static void edges(void **state) {
    const float x[VECTOR] = {0,      -0.0f,     -126, nextafterf(-126, -INFINITY),
                             -1e30f, -INFINITY, NAN,  -1};
    const float expected[VECTOR] = {1, 1, 0x1p-126f, 0, 0, 0, NAN, 0.5f};
    float y[VECTOR];
    (void)state;
    power(x, y);
    for (int i = 0; i < VECTOR; i++)
        if (isnan(expected[i]) ? !isnan(y[i]) : y[i] != expected[i])
            fail_msg("2^%g is %g", (double)x[i], (double)y[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_double), cmocka_unit_test(edges)};
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
        printf("1..1\nok 1 - powers of two # SKIP no AVX2 and FMA here\n");
        return 0;
    }
    return cmocka_run_group_tests_name("powers of two", tests, NULL, NULL);
}

#else

int main(void) {
    printf("1..1\nok 1 - powers of two # SKIP compiled for x86-64 alone\n");
    return 0;
}

#endif
