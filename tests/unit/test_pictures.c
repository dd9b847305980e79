/* Which evaluations have pictures: as many as may, evenly apart, the last one always. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/run/pictures.h"

static void evenly_apart_and_the_last(void **state) {
    (void)state;
    for (int64_t planned = 0; planned <= 100; planned++) {
        for (int64_t most = 1; most <= 20; most++) {
            int64_t n = 0, last = 0, shortest = planned, longest = 0;
            for (int64_t i = 1; i <= planned; i++) {
                if (!pictures_due(i, planned, most))
                    continue;
                shortest = i - last < shortest ? i - last : shortest;
                longest = i - last > longest ? i - last : longest;
                last = i;
                n++;
            }
            assert_int_equal(n, planned < most ? planned : most);
            assert_int_equal(last, planned);
            assert_true(longest - shortest <= 1);
        }
    }
    assert_false(pictures_due(0, 10, 20));
    assert_false(pictures_due(11, 10, 20)); /* more than planned: nobody's */
    assert_false(pictures_due(1, 10, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(evenly_apart_and_the_last)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
