/* Which parts there are, and which rank reads another's parts as well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/engine/crosscheck.h"

enum { RANKS_MAX = 16 };

/* The readers of ranks on hosts[r], which read copy copies[r], a lane each: "1 0", one for each
 * owner. */
static const char *readers_of(const char *hosts, const char *copies) {
    static char text[4 * RANKS_MAX];
    static Place places[RANKS_MAX];
    int64_t lanes[RANKS_MAX] = {0}, load[RANKS_MAX];
    int reader[RANKS_MAX], size = (int)strlen(hosts), used = 0;
    for (int r = 0; r < size; r++) {
        snprintf(places[r].host, sizeof places[r].host, "%c", hosts[r]);
        places[r].copy = copies[r];
        lanes[r] = 1;
    }
    crosscheck_readers(places, lanes, size, load, reader);
    for (int r = 0; r < size; r++)
        used += snprintf(text + used, sizeof text - (size_t)used, r ? " %d" : "%d", reader[r]);
    return text;
}

static void one_copy_has_no_readers(void **state) {
    (void)state;
    assert_string_equal(readers_of("a", "0"), "-1");
    assert_string_equal(readers_of("aaaa", "0000"), "-1 -1 -1 -1");
}

/* A reader is of another copy, and all read as much as they own. */
static void the_work_is_shared(void **state) {
    (void)state;
    assert_string_equal(readers_of("ab", "01"), "1 0");
    assert_string_equal(readers_of("abcd", "0123"), "1 2 3 0");
    assert_string_equal(readers_of("aabb", "0022"), "2 3 0 1");
    assert_string_equal(readers_of("aabbcc", "002244"), "2 3 4 5 0 1");
    assert_string_equal(readers_of("abab", "0101"), "1 2 3 0");
    assert_string_equal(readers_of("aaab", "0003"), "3 3 3 0");
}

/* Another node says more than another folder of the same. */
static void other_hosts_come_first(void **state) {
    (void)state;
    assert_string_equal(readers_of("aab", "012"), "2 2 0");
    assert_string_equal(readers_of("aa", "01"), "1 0");
}

/* Every record of each list is in one part, whatever the number of ranks; and the owner of a lane
 * is who trains on it. */
static void parts_are_everything(void **state) {
    (void)state;
    static RunConfig config;
    static Input input;
    enum { TRAIN = 103, TESTS = 61, LANES = 7 };
    config.lanes = LANES;
    config.batch_size = 14;
    input.eval_batch = 10;
    config.holdout = 23;
    config.seed = 5;
    dataset_cifar10(&input.dataset);
    input.dataset.count[DATASET_PART_TRAIN] = TRAIN;
    input.dataset.count[DATASET_PART_TEST] = TESTS;
    assert_int_equal(input_plan(&input, &config), ST_OK);
    for (int size = 1; size <= LANES; size++) {
        InputPart parts[LANES + 2 * LANES];
        int seen[3][TRAIN] = {{0}};
        int64_t n = input_part_count(&input, size);
        assert_int_equal(n, LANES + 2 * size);
        input_parts(&input, &config, size, parts);
        for (int64_t i = 0; i < n; i++) {
            int64_t first, count;
            input_lanes(LANES, size, parts[i].owner, &first, &count);
            if (parts[i].set == INPUT_LANE)
                assert_in_range(parts[i].lane, first, first + count - 1);
            for (int64_t at = 0; at < parts[i].count; at++)
                seen[parts[i].set][parts[i].first + at]++;
        }
        for (int at = 0; at < TRAIN; at++) {
            assert_int_equal(seen[INPUT_LANE][at], at < TRAIN - 23);
            assert_int_equal(seen[INPUT_HOLDOUT][at], at < 23);
            assert_int_equal(seen[INPUT_TEST][at], at < TESTS);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_copy_has_no_readers),
        cmocka_unit_test(the_work_is_shared),
        cmocka_unit_test(other_hosts_come_first),
        cmocka_unit_test(parts_are_everything),
    };
    return cmocka_run_group_tests_name("crosscheck", tests, NULL, NULL);
}
