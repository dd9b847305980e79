/* Views: their weights, and their pixels on a record small enough to write down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/views.h"

static void weights(void **state) {
    static const int count[3] = {[TTA_NONE] = 1, [TTA_FLIP] = 2, [TTA_SHIFTS] = 6};
    (void)state;
    for (int tta = TTA_NONE; tta <= TTA_SHIFTS; tta++) {
        View view[VIEWS_MAX];
        double sum = 0, mirrored = 0;
        assert_int_equal(views_of((Tta)tta, view), count[tta]);
        for (int v = 0; v < count[tta]; v++) {
            sum += view[v].weight;
            mirrored += view[v].mirror ? view[v].weight : 0;
        }
        assert_float_equal(sum, 1, 0);
        assert_float_equal(mirrored, tta == TTA_NONE ? 0 : 0.5, 0);
        assert_true(view[0].down == 0 && view[0].right == 0 && !view[0].mirror);
    }
}

/* Two channels of 3 x 3, the second 100 above the first. */
static void pixels(void **state) {
    static const uint8_t record[18] = {0,   1,   2,   3,   4,   5,   6,   7,   8,
                                       100, 101, 102, 103, 104, 105, 106, 107, 108};
    static const struct {
        View view;
        uint8_t image[9];
    } cases[] = {
        {{0, 0, false, 0}, {0, 1, 2, 3, 4, 5, 6, 7, 8}},
        {{0, 0, true, 0}, {2, 1, 0, 5, 4, 3, 8, 7, 6}},
        {{-1, -1, false, 0}, {4, 3, 4, 1, 0, 1, 4, 3, 4}},
        {{1, 1, false, 0}, {4, 5, 4, 7, 8, 7, 4, 5, 4}},
        {{1, -1, true, 0}, {4, 3, 4, 7, 6, 7, 4, 3, 4}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t image[18];
        view_make(&cases[i].view, (Shape){1, 2, 3, 3}, record, image);
        assert_memory_equal(image, cases[i].image, 9);
        for (int p = 0; p < 9; p++)
            assert_int_equal(image[9 + p], cases[i].image[p] + 100);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights),
        cmocka_unit_test(pixels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
