/* core: error records, Philox against its published vectors, hashing in parts, the compute team. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lockstep/hash.h"
#include "lockstep/rng.h"
#include "lockstep/status.h"
#include "lockstep/thread.h"

static Status inner(void) {
    return FAIL(ST_DATA, "record %d is bad", 7);
}

static Status outer(void) {
    TRY(inner());
    return ST_OK;
}

static void test_first_failure_is_kept(void **state) {
    (void)state;
    status_clear();
    assert_int_equal(outer(), ST_DATA);
    (void)FAIL(ST_INTERNAL, "a later one");
    assert_string_equal(status_message(), "record 7 is bad");
    assert_non_null(strstr(status_trace_text(), " < "));
    status_prefix("file %s", "a.bin");
    assert_string_equal(status_message(), "file a.bin: record 7 is bad");
    StatusRecord record;
    status_take(&record);
    assert_int_equal(record.status, ST_DATA);
    assert_string_equal(status_message(), "");
    assert_int_equal(status_put(&record), ST_DATA);
    status_clear();
}

static void test_messages_are_one_line_and_cut(void **state) {
    (void)state;
    char longer[2 * STATUS_MESSAGE_MAX];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    status_clear();
    (void)FAIL(ST_DATA, "a\nb");
    assert_string_equal(status_message(), "a b");
    status_clear();
    (void)FAIL(ST_DATA, "%s", longer);
    status_prefix("p");
    assert_int_equal(strlen(status_message()), STATUS_MESSAGE_MAX - 1);
    assert_memory_equal(status_message(), "p: xxx", 6);
    status_clear();
}

/* Vectors of Random123's kat_vectors, philox4x32 with 10 rounds. */
static void test_philox_known_answers(void **state) {
    (void)state;
    static const uint32_t vectors[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
         0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1}};
    for (int i = 0; i < 3; i++) {
        const uint32_t *v = vectors[i];
        RngBlock block = rng_block((RngKey){{v[4], v[5]}}, v[0], v[1], v[2], v[3]);
        for (int w = 0; w < 4; w++)
            assert_int_equal(block.word[w], v[6 + w]);
    }
}

static void test_rng_ranges(void **state) {
    (void)state;
    assert_true(rng_unit(0) == 0.0f);
    assert_true(rng_unit(UINT32_MAX) < 1.0f);
    assert_int_equal(rng_below(UINT32_MAX, 10), 9);
    assert_int_equal(rng_below(0, 10), 0);
    RngKey a = rng_key(1, RNG_INIT), b = rng_key(1, RNG_SHUFFLE), c = rng_key(2, RNG_INIT);
    assert_memory_not_equal(&a, &b, sizeof a);
    assert_memory_not_equal(&a, &c, sizeof a);
}

static void test_hash_in_parts(void **state) {
    (void)state;
    const char text[] = "the same bits at any rank count";
    HashState *hash = hash_new();
    assert_non_null(hash);
    hash_add(hash, text, 10);
    hash_add(hash, text + 10, sizeof text - 10);
    assert_true(hash_value(hash) == hash_bytes(text, sizeof text));
    hash_free(hash);
}

static Status mark(void *context, int thread) {
    int *seen = context;
    seen[thread]++;
    return thread == 2 ? FAIL(ST_DEVICE, "thread %d", thread) : ST_OK;
}

static void test_team_runs_all_and_reports_the_lowest_failure(void **state) {
    (void)state;
    Team *team;
    int seen[4] = {0};
    assert_int_equal(team_start(4, &team), ST_OK);
    status_clear();
    for (int round = 1; round <= 50; round++) {
        assert_int_equal(team_run(team, mark, seen), ST_DEVICE);
        assert_string_equal(status_message(), "thread 2");
        status_clear();
        for (int i = 0; i < 4; i++)
            assert_int_equal(seen[i], round);
    }
    team_stop(team);
}

static void test_split_range_covers_once(void **state) {
    (void)state;
    for (int64_t total = 0; total < 200; total += 7) {
        for (int parts = 1; parts < 9; parts++) {
            int64_t next = 0;
            for (int i = 0; i < parts; i++) {
                int64_t begin, end;
                split_range(total, 16, parts, i, &begin, &end);
                assert_int_equal(begin, next);
                assert_true(begin % 16 == 0 || begin == total);
                assert_true(end >= begin);
                next = end;
            }
            assert_int_equal(next, total);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_failure_is_kept),
        cmocka_unit_test(test_messages_are_one_line_and_cut),
        cmocka_unit_test(test_philox_known_answers),
        cmocka_unit_test(test_rng_ranges),
        cmocka_unit_test(test_hash_in_parts),
        cmocka_unit_test(test_team_runs_all_and_reports_the_lowest_failure),
        cmocka_unit_test(test_split_range_covers_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
