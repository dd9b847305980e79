/* The ledger: what the loader delivers is what the sampler plans, step by step and lane by lane;
 * over a whole epoch without leftovers it is each record once, whatever the sampler says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lockstep/hash.h"
#include "lockstep/ledger.h"
#include "lockstep/loader.h"

enum { RECORDS = 135, LANES = 4, BATCH = 8, MAX_SHARD = 34, EPOCHS = 2 };

static const Shape shape = {1, 3, 32, 32};
static const Augment augment = {.std = {1, 1, 1}};
static int64_t ids[RECORDS];
static Shard shards[LANES];

/* 33 + 34 + 34 + 34 records: 4 steps of 8, then, unless dropped, one of 1 or 2. */
static void open_set(Sampler *sampler, bool drop_last) {
    Dataset dataset;
    assert_int_equal(dataset_open("synthetic", 1, &dataset), ST_OK);
    assert_int_equal(sampler_init(sampler, RECORDS, LANES, BATCH, drop_last, 5), ST_OK);
    for (int64_t i = 0; i < RECORDS; i++)
        ids[i] = 3 * i; /* record numbers are not positions */
    for (int64_t lane = 0; lane < LANES; lane++) {
        int64_t first, count;
        sampler_shard(sampler, lane, &first, &count);
        assert_int_equal(
            shard_read(&dataset, DATASET_PART_TRAIN, ids, first, count, &shards[lane], NULL),
            ST_OK);
    }
}

static void close_all(void) {
    for (int64_t lane = 0; lane < LANES; lane++)
        shard_free(&shards[lane]);
}

/* delivered[step][lane] */
static void deliver(const Sampler *sampler, uint64_t (*delivered)[LANES]) {
    Loader *loader;
    LoaderConfig config = {.sampler = sampler,
                           .augment = &augment,
                           .image = shape,
                           .shards = shards,
                           .lane_count = LANES,
                           .end_step = EPOCHS * sampler->steps_per_epoch,
                           .threads = 2,
                           .depth = 2 * LANES};
    assert_int_equal(loader_start(&config, &loader), ST_OK);
    for (int64_t step = 0; step < config.end_step; step++) {
        for (int64_t lane = 0; lane < LANES; lane++) {
            Batch *batch;
            assert_int_equal(loader_take(loader, step, lane, 30, &batch), ST_OK);
            delivered[step][lane] =
                ledger_sum(step / sampler->steps_per_epoch, batch->record, batch->images);
            loader_give(loader, batch);
        }
    }
    loader_stop(loader);
}

static void as_planned(void **state) {
    (void)state;
    for (int drop = 0; drop < 2; drop++) {
        Sampler sampler;
        uint64_t delivered[EPOCHS * 5][LANES];
        int32_t order[MAX_SHARD];
        open_set(&sampler, drop);
        int64_t steps = sampler.steps_per_epoch;
        assert_int_equal(steps, drop ? 4 : 5);
        deliver(&sampler, delivered);
        for (int64_t epoch = 0; epoch < EPOCHS; epoch++) {
            for (int64_t from = 0; from <= steps; from++) {
                for (int64_t to = from; to <= steps; to++) {
                    uint64_t all = 0, some = 0;
                    for (int64_t step = from; step < to; step++) {
                        for (int64_t lane = 0; lane < LANES; lane++)
                            all += delivered[epoch * steps + step][lane];
                        some += delivered[epoch * steps + step][1];
                        some += delivered[epoch * steps + step][2];
                    }
                    assert_true(all ==
                                ledger_planned(&sampler, ids, epoch, from, to, 0, LANES, order));
                    assert_true(some ==
                                ledger_planned(&sampler, ids, epoch, from, to, 1, 3, order));
                }
            }
        }
        close_all();
    }
}

/* Not asked of the sampler: without leftovers an epoch has each record once. */
static void each_record_once(void **state) {
    (void)state;
    Sampler sampler;
    uint64_t delivered[EPOCHS * 5][LANES];
    open_set(&sampler, false);
    deliver(&sampler, delivered);
    for (int64_t epoch = 0; epoch < EPOCHS; epoch++) {
        uint64_t sum = 0;
        for (int64_t i = 0; i < RECORDS; i++) {
            const int64_t both[2] = {epoch, 3 * i};
            sum += hash_bytes(both, sizeof both);
        }
        for (int64_t step = 0; step < 5; step++) {
            for (int64_t lane = 0; lane < LANES; lane++)
                sum -= delivered[epoch * 5 + step][lane];
        }
        assert_true(sum == 0);
    }
    close_all();
}

static void what_shows(void **state) {
    (void)state;
    const int64_t a[] = {7, 8, 9}, turned[] = {9, 7, 8}, twice[] = {7, 8, 8}, other[] = {7, 8, 10};
    assert_true(ledger_sum(0, a, 3) == ledger_sum(0, turned, 3));
    assert_true(ledger_sum(0, a, 3) == ledger_sum(0, a, 1) + ledger_sum(0, a + 1, 2));
    assert_true(ledger_sum(0, a, 3) != ledger_sum(0, twice, 3));
    assert_true(ledger_sum(0, a, 3) != ledger_sum(0, other, 3));
    assert_true(ledger_sum(0, a, 3) != ledger_sum(0, a, 2));
    assert_true(ledger_sum(0, a, 3) != ledger_sum(1, a, 3));
    assert_true(ledger_sum(0, a, 0) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_planned),
                                       cmocka_unit_test(each_record_once),
                                       cmocka_unit_test(what_shows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
