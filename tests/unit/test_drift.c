/* Who is in the minority: the others must be more than half of all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "../../src/run/drift.h"

/* values and who is odd, a character each */
static void check(const char *values, const char *odd, int count) {
    uint64_t value[16] = {0};
    bool found[16];
    int n = (int)strlen(values);
    for (int i = 0; i < n; i++)
        value[i] = (uint64_t)values[i] << 40;
    assert_int_equal(drift_minority(value, n, found), count);
    for (int i = 0; i < n; i++)
        assert_int_equal(found[i], odd[i] == 'x');
}

static void minority(void **state) {
    (void)state;
    check("aab", "..x", 1);
    check("baa", "x..", 1);
    check("abaca", ".x.x.", 2);
    check("aaaa", "....", 0);
    check("baaaaaaa", "x.......", 1);
}

static void nobody_can_tell(void **state) {
    (void)state;
    check("ab", "..", 0);
    check("aabb", "....", 0);
    check("abc", "...", 0);
    check("aabc", "....", 0); /* two of four are no more than half */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(minority),
                                       cmocka_unit_test(nobody_can_tell)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
