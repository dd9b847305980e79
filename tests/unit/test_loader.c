/* The loader's batches against the same work done in line, with any number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/clock.h"
#include "lockstep/loader.h"

enum { RECORDS = 135, LANES = 4, BATCH = 8, MAX_SHARD = 34, PIXELS = 3 * 32 * 32 };

static const Shape shape = {1, 3, 32, 32};

static const Augment augment = {
    .crop_pad = 4, .flip = 0.5, .cutout = 8, .mean = {0.5f, 0.5f, 0.5f}, .std = {0.2f, 0.2f, 0.2f}};
static Augment used; /* by the running test */
static Shard shards[LANES];
static Sampler sampler; /* 33 + 34 + 34 + 34 records: 4 steps of 8, then one of 1 or 2 */

static int each(void **state) {
    (void)state;
    used = augment;
    return 0;
}

static int setup_group(void **state) {
    (void)state;
    Dataset dataset;
    int64_t ids[RECORDS];
    for (int64_t i = 0; i < RECORDS; i++)
        ids[i] = 3 * i; /* record numbers are not positions */
    if (dataset_open("synthetic", 1, &dataset) != ST_OK ||
        sampler_init(&sampler, RECORDS, LANES, BATCH, false, 5) != ST_OK)
        return -1;
    for (int64_t lane = 0; lane < LANES; lane++) {
        int64_t first, count;
        sampler_shard(&sampler, lane, &first, &count);
        if (shard_read(&dataset, DATASET_PART_TRAIN, ids, first, count, &shards[lane], NULL) !=
            ST_OK)
            return -1;
    }
    return 0;
}

static int teardown_group(void **state) {
    (void)state;
    for (int64_t lane = 0; lane < LANES; lane++)
        shard_free(&shards[lane]);
    return 0;
}

static LoaderConfig config_of(const Sampler *s, int threads, int64_t depth, int64_t steps) {
    return (LoaderConfig){.sampler = s,
                          .augment = &used,
                          .image = shape,
                          .shards = shards,
                          .lane_count = LANES,
                          .end_step = steps,
                          .threads = threads,
                          .depth = depth};
}

/* What is drawn for image i of a batch is that for the record at `at`. */
static void check_drawn(const ImageDraws *drawn, int64_t i, const Sampler *s, int64_t epoch,
                        const Shard *shard, int64_t at, Mix mix) {
    Placement placement = augment_draw(&used, shape, s->seed, epoch, shard->ids[at], (int32_t)at);
    PixelChange change[PIXEL_CHANGES_MAX];
    int32_t changes = augment_rule(&used, s->seed).changes;
    placement.mix = mix;
    assert_memory_equal(&placement, &drawn->placement[i], sizeof placement);
    assert_int_equal(drawn->change != NULL, changes > 0);
    if (changes == 0)
        return;
    augment_draw_changes(&used, shape, s->seed, epoch, shard->ids[at], change);
    assert_memory_equal(change, drawn->change + i * changes, (size_t)changes * sizeof *change);
}

/* The batch must be what sampler and augment say. */
static void check_batch(const Sampler *s, const Batch *batch, int64_t step, int64_t lane) {
    static float image[PIXELS], other[PIXELS];
    int32_t order[MAX_SHARD];
    int64_t epoch = step / s->steps_per_epoch, begin = step % s->steps_per_epoch * s->batch;
    assert_int_equal(batch->step, step);
    assert_int_equal(batch->lane, lane);
    assert_int_equal(batch->images, sampler_images(s, step, lane));
    sampler_order(s, epoch, lane, order);
    for (int64_t i = 0; i < batch->images; i++) {
        int64_t at = order[begin + i];
        assert_int_equal(batch->record[i], shards[lane].ids[at]);
        assert_int_equal(batch->label[i], shards[lane].labels[at]);
        const Shard *shard = &shards[lane];
        Mix mix = augment_mix(&used, shape, s->seed, epoch, shard->ids[at], shard->count);
        if (batch->second) {
            assert_int_equal(batch->second[i].share, mix.label_share);
            assert_int_equal(batch->second[i].label, shard->labels[mix.partner]);
        }
        if (batch->drawn.placement) {
            assert_null(batch->image);
            check_drawn(&batch->drawn, i, s, epoch, shard, at, mix);
            if (mix.label_share > 0)
                check_drawn(&batch->partner, i, s, epoch, shard, mix.partner, mix_none());
            continue;
        }
        augment_train(&used, shape, s->seed, epoch, shard->ids[at], shard->pixels + at * PIXELS,
                      image);
        if (mix.label_share > 0) {
            augment_train(&used, shape, s->seed, epoch, shard->ids[mix.partner],
                          shard->pixels + mix.partner * PIXELS, other);
            augment_blend(&mix, shape, other, image);
        }
        assert_memory_equal(image, batch->image + i * PIXELS, sizeof image);
    }
}

/* Takes every batch, lanes backwards in odd steps, all of a step before any is given back. */
static void run_through(const Sampler *s, LoaderConfig config) {
    Loader *loader;
    Batch *held[LANES];
    assert_int_equal(loader_start(&config, &loader), ST_OK);
    for (int64_t step = config.first_step; step < config.end_step; step++) {
        for (int64_t i = 0; i < config.lane_count; i++) {
            int64_t lane = config.first_lane + (step % 2 ? config.lane_count - 1 - i : i);
            assert_int_equal(loader_take(loader, step, lane, 60, &held[i]), ST_OK);
            check_batch(s, held[i], step, lane);
        }
        for (int64_t i = 0; i < config.lane_count; i++)
            loader_give(loader, held[i]);
    }
    loader_stop(loader);
}

/* Three epochs and their short steps, any threads, any depth: always the same bytes. */
static void test_content(void **state) {
    (void)state;
    assert_int_equal(sampler.steps_per_epoch, 5);
    for (int threads = 1; threads <= 5; threads += 2)
        for (int64_t depth = LANES; depth <= 4 * LANES; depth += 3)
            run_through(&sampler, config_of(&sampler, threads, depth, 15));
}

/* For a device that makes the images: only what was drawn. */
static void test_draw_only(void **state) {
    (void)state;
    Batch *batch;
    Loader *loader;
    LoaderConfig config = config_of(&sampler, 2, LANES, 15);
    config.draw_only = true;
    run_through(&sampler, config);
    assert_int_equal(loader_start(&config, &loader), ST_OK);
    assert_int_equal(loader_take(loader, 0, 0, 60, &batch), ST_OK);
    assert_non_null(batch->drawn.placement);
    loader_stop(loader);
}

/* Both kinds of mixing and changes of bytes, by the loader and for a device. */
static void test_mixed(void **state) {
    (void)state;
    Batch *batch;
    Loader *loader;
    used.mixup = used.cutmix = 1;
    used.policy = POLICY_RANDAUGMENT;
    used.policy_ops = 3;
    used.jitter[JITTER_HUE] = 0.1;
    used.mix_probability = 0.7;
    for (int draw_only = 0; draw_only < 2; draw_only++) {
        LoaderConfig config = config_of(&sampler, 2, LANES, 15);
        config.draw_only = draw_only;
        run_through(&sampler, config);
        assert_int_equal(loader_start(&config, &loader), ST_OK);
        assert_int_equal(loader_take(loader, 0, 0, 60, &batch), ST_OK);
        assert_non_null(batch->second);
        assert_int_equal(batch->partner.placement != NULL, draw_only);
        loader_stop(loader);
    }
}

/* Part of the lanes, from the middle of an epoch, as after a resume on another number of ranks. */
static void test_part(void **state) {
    (void)state;
    LoaderConfig config = config_of(&sampler, 2, 5, 14);
    config.first_lane = 1;
    config.lane_count = 2;
    config.shards = &shards[1];
    config.first_step = 8;
    run_through(&sampler, config);
}

/* One step an epoch: orders change at every batch. A last step where a lane has nothing. */
static void test_short_epochs(void **state) {
    (void)state;
    Sampler one;
    assert_int_equal(sampler_init(&one, RECORDS, LANES, 33, true, 5), ST_OK);
    assert_int_equal(one.steps_per_epoch, 1);
    run_through(&one, config_of(&one, 3, 9, 20));
    assert_int_equal(sampler_init(&one, RECORDS, LANES, 33, false, 5), ST_OK);
    assert_int_equal(one.steps_per_epoch, 2);
    assert_int_equal(sampler_images(&one, 1, 0), 0);
    run_through(&one, config_of(&one, 3, 9, 20));
}

typedef struct Consumer {
    Loader *loader;
    pthread_barrier_t *step_end;
    int64_t first_lane, steps;
    bool failed;
} Consumer;

/* Takes two lanes of each step, each given back before the next is taken. */
static void *consume(void *argument) {
    Consumer *me = argument;
    for (int64_t step = 0; step < me->steps; step++) {
        for (int64_t lane = me->first_lane; lane < me->first_lane + 2; lane++) {
            Batch *batch;
            if (loader_take(me->loader, step, lane, 60, &batch) != ST_OK || batch->step != step ||
                batch->lane != lane)
                me->failed = true;
            else
                loader_give(me->loader, batch);
        }
        pthread_barrier_wait(me->step_end);
    }
    return NULL;
}

/* Compute threads take lanes side by side. */
static void test_consumers(void **state) {
    (void)state;
    Loader *loader;
    pthread_t threads[2];
    pthread_barrier_t barrier;
    Consumer consumers[2];
    LoaderConfig config = config_of(&sampler, 2, LANES + 2, 60);
    assert_int_equal(loader_start(&config, &loader), ST_OK);
    pthread_barrier_init(&barrier, NULL, 2);
    for (int i = 0; i < 2; i++) {
        consumers[i] = (Consumer){loader, &barrier, 2 * i, 60, false};
        assert_int_equal(pthread_create(&threads[i], NULL, consume, &consumers[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_false(consumers[i].failed);
    }
    pthread_barrier_destroy(&barrier);
    loader_stop(loader);
}

/* A batch whose entry of the ring is still held cannot come: the wait ends at its deadline and says
 * what for. */
static void test_deadline(void **state) {
    (void)state;
    Loader *loader;
    Batch *batch, *next;
    LoaderConfig config = config_of(&sampler, 2, LANES, 10);
    assert_int_equal(loader_start(&config, &loader), ST_OK);
    clock_sleep(0.05); /* the batch of step 0 is ready: it must not pass for that of step 1 */
    assert_int_equal(loader_take(loader, 1, 0, 0, &next), ST_DEADLINE);
    status_clear();
    assert_int_equal(loader_take(loader, 0, 0, 60, &batch), ST_OK);
    double begin = clock_now();
    assert_int_equal(loader_take(loader, 1, 0, 0.2, &next), ST_DEADLINE);
    double waited = clock_now() - begin;
    assert_true(waited > 0.19 && waited < 30);
    assert_non_null(strstr(status_message(), "step 1, lane 0"));
    status_clear();
    loader_give(loader, batch);
    assert_int_equal(loader_take(loader, 1, 0, 60, &next), ST_OK);
    loader_stop(loader);
}

static void test_stop_early(void **state) {
    (void)state;
    for (int taken = 0; taken <= LANES; taken++) {
        Loader *loader;
        Batch *batch;
        LoaderConfig config = config_of(&sampler, 3, 2 * LANES, 1000);
        assert_int_equal(loader_start(&config, &loader), ST_OK);
        for (int64_t lane = 0; lane < taken; lane++)
            assert_int_equal(loader_take(loader, 0, lane, 60, &batch), ST_OK);
        loader_stop(loader);
    }
    loader_stop(NULL);
}

static void test_misuse(void **state) {
    (void)state;
    Loader *loader;
    Batch *batch;
    LoaderConfig config = config_of(&sampler, 1, LANES, 10), bad = config;
    bad.depth = LANES - 1;
    assert_int_equal(loader_start(&bad, &loader), ST_INTERNAL);
    assert_null(loader);
    status_clear();
    bad = config;
    bad.first_lane = 2;
    bad.lane_count = 2;
    bad.shards = &shards[1]; /* as large, but of other lanes */
    assert_int_equal(loader_start(&bad, &loader), ST_INTERNAL);
    status_clear();
    config.first_step = config.end_step = 10; /* nothing to do */
    assert_int_equal(loader_start(&config, &loader), ST_OK);
    assert_int_equal(loader_take(loader, 10, 0, 60, &batch), ST_INTERNAL);
    status_clear();
    assert_int_equal(loader_take(loader, 9, 0, 60, &batch), ST_INTERNAL);
    loader_stop(loader);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_content, each),
        cmocka_unit_test_setup(test_draw_only, each),
        cmocka_unit_test_setup(test_mixed, each),
        cmocka_unit_test_setup(test_part, each),
        cmocka_unit_test_setup(test_short_epochs, each),
        cmocka_unit_test_setup(test_consumers, each),
        cmocka_unit_test_setup(test_deadline, each),
        cmocka_unit_test_setup(test_stop_early, each),
        cmocka_unit_test_setup(test_misuse, each),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
