/* Shards, batches and the shuffled order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lockstep/hash.h"
#include "lockstep/sampler.h"

/* For many N and L: shards follow one another, cover the set and have floor((N + l) / L) records.
 */
static void test_shards_partition(void **state) {
    (void)state;
    for (int64_t n = 1; n <= 130; n++) {
        for (int64_t lanes = 1; lanes <= 17 && lanes <= n; lanes++) {
            Sampler sampler;
            int64_t end = 0;
            assert_int_equal(sampler_init(&sampler, n, lanes, 1, true, 1), ST_OK);
            for (int64_t lane = 0; lane < lanes; lane++) {
                int64_t first, count;
                sampler_shard(&sampler, lane, &first, &count);
                assert_int_equal(first, end);
                assert_int_equal(count, (n + lane) / lanes);
                end = first + count;
            }
            assert_int_equal(end, n);
        }
    }
}

/* Deals out a whole epoch: how often each record came. */
static void deal_epoch(const Sampler *sampler, int64_t epoch, int *seen) {
    int32_t *order = malloc((size_t)sampler->records * sizeof *order);
    for (int64_t lane = 0; lane < sampler->lanes; lane++) {
        int64_t first, count;
        sampler_shard(sampler, lane, &first, &count);
        sampler_order(sampler, epoch, lane, order);
        for (int64_t s = 0; s < sampler->steps_per_epoch; s++) {
            int64_t step = epoch * sampler->steps_per_epoch + s;
            for (int64_t i = 0; i < sampler_images(sampler, step, lane); i++) {
                int64_t place = order[s * sampler->batch + i];
                assert_in_range(place, 0, count - 1);
                seen[first + place]++;
            }
        }
    }
    free(order);
}

/* An epoch shows no record twice; without drop_last it shows every record. Sums and the list of
 * batch sizes agree with what each step has. */
static void check_epoch(int64_t n, int64_t lanes, int64_t batch, bool drop_last) {
    Sampler sampler;
    int64_t images = 0, sizes[3], dealt = 0;
    int kinds, met[3] = {0};
    int *seen = calloc((size_t)n, sizeof *seen);
    assert_int_equal(sampler_init(&sampler, n, lanes, batch, drop_last, 3), ST_OK);
    kinds = sampler_batches(&sampler, sizes);
    assert_in_range(kinds, 1, 3);
    for (int i = 1; i < kinds; i++)
        assert_true(sizes[i] < sizes[i - 1] && sizes[i] > 0);
    for (int64_t s = 0; s < sampler.steps_per_epoch; s++) {
        int64_t step = 2 * sampler.steps_per_epoch + s, sum = 0;
        for (int64_t lane = 0; lane < lanes; lane++) {
            int64_t b = sampler_images(&sampler, step, lane);
            int known = b == 0;
            for (int i = 0; i < kinds; i++) {
                if (sizes[i] == b)
                    known = met[i] = 1;
            }
            assert_true(known);
            assert_in_range(b, 0, batch);
            sum += b;
        }
        assert_int_equal(sampler_step_images(&sampler, step), sum);
        assert_true(sum > 0);
        images += sum;
    }
    for (int i = 0; i < kinds; i++)
        assert_true(met[i] > 0);
    deal_epoch(&sampler, 2, seen);
    for (int64_t i = 0; i < n; i++) {
        assert_in_range(seen[i], 0, 1);
        dealt += seen[i];
    }
    assert_int_equal(dealt, images);
    assert_int_equal(images, drop_last ? n / lanes / batch * batch * lanes : n);
    free(seen);
}

static void test_epochs(void **state) {
    (void)state;
    for (int64_t n = 20; n <= 64; n++) {
        for (int64_t lanes = 1; lanes <= 5; lanes++) {
            for (int64_t batch = 1; batch <= n / lanes; batch++) {
                check_epoch(n, lanes, batch, true);
                check_epoch(n, lanes, batch, false);
            }
        }
    }
}

static void test_batches(void **state) {
    (void)state;
    Sampler sampler;
    int64_t sizes[3];
    assert_int_equal(sampler_init(&sampler, 50000, 8, 64, true, 1), ST_OK);
    assert_int_equal(sampler.steps_per_epoch, 97);
    assert_int_equal(sampler_batches(&sampler, sizes), 1);
    assert_int_equal(sizes[0], 64);
    assert_int_equal(sampler_init(&sampler, 50003, 8, 64, false, 1), ST_OK);
    assert_int_equal(sampler.full_steps, 97);
    assert_int_equal(sampler.steps_per_epoch, 98);
    assert_int_equal(sampler_batches(&sampler, sizes), 3);
    assert_int_equal(sizes[1], 43);
    assert_int_equal(sizes[2], 42);
    assert_int_equal(sampler_images(&sampler, 98 + 97, 4), 42);
    assert_int_equal(sampler_images(&sampler, 98 + 97, 5), 43);
    /* the least lane has nothing left over, the last has one record */
    assert_int_equal(sampler_init(&sampler, 33, 4, 8, false, 1), ST_OK);
    assert_int_equal(sampler.steps_per_epoch, 2);
    assert_int_equal(sampler_batches(&sampler, sizes), 2);
    assert_int_equal(sizes[1], 1);
    assert_int_equal(sampler_images(&sampler, 1, 0), 0);
    assert_int_equal(sampler_images(&sampler, 1, 3), 1);
}

static void test_refuses(void **state) {
    (void)state;
    Sampler sampler;
    assert_int_equal(sampler_init(&sampler, 100, 8, 13, true, 1), ST_USAGE);
    assert_non_null(strstr(status_message(), "12 a lane, 96 in all"));
    status_clear();
    assert_int_equal(sampler_init(&sampler, 100, 8, 12, true, 1), ST_OK);
    assert_int_equal(sampler_init(&sampler, 3, 4, 1, true, 1), ST_USAGE);
    assert_non_null(strstr(status_message(), "at most 3 lanes"));
    status_clear();
    assert_int_equal(sampler_init(&sampler, 100, 0, 1, true, 1), ST_USAGE);
    status_clear();
    assert_int_equal(sampler_init(&sampler, 100, 1, 0, true, 1), ST_USAGE);
    status_clear();
    assert_int_equal(sampler_init(&sampler, 0, 1, 1, true, 1), ST_USAGE);
}

/* Seed, epoch and lane each change the order. */
static void test_order_differs(void **state) {
    (void)state;
    enum { N = 64 };
    Sampler sampler, other;
    int32_t base[N], order[N];
    assert_int_equal(sampler_init(&sampler, 2 * N, 2, 8, true, 1), ST_OK);
    assert_int_equal(sampler_init(&other, 2 * N, 2, 8, true, 2), ST_OK);
    sampler_order(&sampler, 0, 0, base);
    sampler_order(&sampler, 0, 0, order);
    assert_memory_equal(base, order, sizeof base);
    sampler_order(&sampler, 1, 0, order);
    assert_memory_not_equal(base, order, sizeof base);
    sampler_order(&sampler, 0, 1, order);
    assert_memory_not_equal(base, order, sizeof base);
    sampler_order(&other, 0, 0, order);
    assert_memory_not_equal(base, order, sizeof base);
}

/* Every place is equally likely for every record: chi-square over many epochs. */
static void test_order_uniform(void **state) {
    (void)state;
    enum { N = 8, EPOCHS = 8000 };
    Sampler sampler;
    int32_t order[N];
    int64_t count[N][N] = {{0}};
    double chi = 0, expected = (double)EPOCHS / N;
    assert_int_equal(sampler_init(&sampler, N, 1, 1, true, 9), ST_OK);
    for (int64_t epoch = 0; epoch < EPOCHS; epoch++) {
        sampler_order(&sampler, epoch, 0, order);
        for (int i = 0; i < N; i++)
            count[i][order[i]]++;
    }
    for (int i = 0; i < N * N; i++) {
        double off = (double)count[i / N][i % N] - expected;
        chi += off * off / expected;
    }
    assert_true(chi > 10 && chi < 95); /* 49 degrees of freedom: 95 has p < 1e-4 */
}

/* The order is part of what a checkpoint promises: it must never change silently. The numbers are
 * those of tests/oracle/draws.py, a program of its own. */
static void test_order_pinned(void **state) {
    (void)state;
    static const int32_t first[] = {1117, 1277, 1426, 3478, 1707, 4579, 4689, 2481};
    static int32_t order[6250];
    Sampler sampler;
    assert_int_equal(sampler_init(&sampler, 50000, 8, 64, true, 42), ST_OK);
    sampler_order(&sampler, 3, 5, order);
    assert_memory_equal(order, first, sizeof first);
    assert_true(hash_bytes(order, sizeof order) == UINT64_C(0x066ff80fff976832));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shards_partition), cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_batches),          cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_order_differs),    cmocka_unit_test(test_order_uniform),
        cmocka_unit_test(test_order_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
