/* loader: batches prepared ahead of the step loop.
 *
 * Batches of this rank are numbered k = 0, 1, ... in the order (step, lane); batch k lives in entry
 * k % depth of the ring. Threads claim batches in that order, each as soon as its entry is free,
 * and fill them side by side without the lock. As depth >= lanes, batch k's entry was last used by
 * an earlier step, which has been given back by the time the step loop asks for k: no deadlock.
 *
 * The shuffled order of a lane is kept twice: of the epoch being dealt out and of the next. A
 * thread copies its batch's record numbers out of the order while it holds the lock (a few hundred
 * bytes), so an order has no readers outside it and is swapped for the next at an epoch's end. The
 * next one is computed, without the lock, by a thread that finds the ring full.
 *
 * After loader_start nothing is allocated. Loader threads run at normal priority: they sleep
 * whenever the ring is full, which in a balanced run is most of the time. */
#include "lockstep/loader.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/clock.h"
#include "lockstep/thread.h"

typedef enum EntryState { ENTRY_FREE, ENTRY_FILLING, ENTRY_READY, ENTRY_TAKEN } EntryState;

typedef struct Entry {
    Batch batch; /* first, so that a Batch pointer is its entry */
    EntryState state;
    int32_t *place; /* [batch] positions in the lane's shard */
} Entry;

typedef enum OrderState { ORDER_NONE, ORDER_BUSY, ORDER_READY } OrderState;

typedef struct LaneOrder {
    int64_t epoch;       /* of `now`; -1 before the first */
    int64_t upcoming;    /* epoch of `next` */
    OrderState state;    /* of `next` */
    int32_t *now, *next; /* [records of the shard] */
} LaneOrder;

struct Loader {
    LoaderConfig config;
    int64_t last_epoch; /* of the last batch */
    int64_t end;        /* batches in all */
    int32_t changes;    /* ImageRule.changes */
    pthread_mutex_t lock;
    pthread_cond_t work;  /* a entry became free, or an order ready */
    pthread_cond_t ready; /* a batch became ready */
    bool stop;
    int64_t next;      /* first batch nobody has claimed */
    Entry *ring;       /* [depth] */
    LaneOrder *orders; /* [lane_count] */
    int started;
    pthread_t *threads; /* [threads] */
};

/* ---- work of the loader threads ---- */

/* The image, unmixed, of the record at `at`, which is its place in the shard. */
static void make_image(const Loader *loader, const Shard *shard, int64_t epoch, int64_t at,
                       float *image) {
    const LoaderConfig *config = &loader->config;
    augment_train(config->augment, config->image, config->sampler->seed, epoch, shard->ids[at],
                  shard->pixels + at * shape_count(config->image), image);
}

/* What is done to the record at `at`, as image i of a batch, but for mixing. */
static void draw(const Loader *loader, const Shard *shard, int64_t epoch, int64_t at,
                 const ImageDraws *draws, int64_t i) {
    const LoaderConfig *config = &loader->config;
    uint64_t seed = config->sampler->seed;
    draws->placement[i] =
        augment_draw(config->augment, config->image, seed, epoch, shard->ids[at], (int32_t)at);
    if (loader->changes > 0)
        augment_draw_changes(config->augment, config->image, seed, epoch, shard->ids[at],
                             draws->change + i * loader->changes);
}

/* Image i of the batch. Its partner, of any place in the lane's shard, looks as it does in this
 * epoch when it is itself the first. */
static void fill_image(const Loader *loader, const Shard *shard, int64_t epoch, Batch *batch,
                       int64_t i, int64_t at) {
    const LoaderConfig *config = &loader->config;
    Shape shape = config->image;
    Mix mix = augment_mix(config->augment, shape, config->sampler->seed, epoch, shard->ids[at],
                          shard->count);
    if (batch->second)
        batch->second[i] = (SecondLabel){shard->labels[mix.partner], mix.label_share};
    if (config->draw_only) {
        draw(loader, shard, epoch, at, &batch->drawn, i);
        batch->drawn.placement[i].mix = mix;
        if (batch->partner.placement)
            draw(loader, shard, epoch, mix.partner, &batch->partner, i);
        return;
    }
    float *image = batch->image + i * shape_count(shape);
    make_image(loader, shard, epoch, at, image);
    if (mix.label_share > 0) {
        float second[IMAGE_CHANNELS_MAX * IMAGE_SIDE_MAX * IMAGE_SIDE_MAX];
        make_image(loader, shard, epoch, mix.partner, second);
        augment_blend(&mix, shape, second, image);
    }
}

static void fill(const Loader *loader, Entry *entry) {
    const Sampler *sampler = loader->config.sampler;
    Batch *batch = &entry->batch;
    const Shard *shard = &loader->config.shards[batch->lane - loader->config.first_lane];
    int64_t epoch = batch->step / sampler->steps_per_epoch;
    for (int64_t i = 0; i < batch->images; i++) {
        int64_t at = entry->place[i];
        batch->label[i] = shard->labels[at];
        batch->record[i] = shard->ids[at];
        fill_image(loader, shard, epoch, batch, i, at);
    }
}

/* The lane whose next order has to be computed now, or -1: `wanted` if it is set, else any. */
static int64_t lane_without_order(const Loader *loader, int64_t wanted) {
    for (int64_t i = 0; i < loader->config.lane_count; i++) {
        const LaneOrder *order = &loader->orders[i];
        if (order->state == ORDER_NONE && order->upcoming <= loader->last_epoch &&
            (wanted < 0 || wanted == i))
            return i;
    }
    return -1;
}

/* Claims the next batch if its entry is free and its epoch's order ready. Otherwise *lane is the
 * lane whose order it waits for, or -1. Call with the lock held. */
static Entry *claim_batch(Loader *loader, int64_t *lane) {
    const LoaderConfig *config = &loader->config;
    *lane = -1;
    if (loader->next == loader->end)
        return NULL;
    Entry *entry = &loader->ring[loader->next % config->depth];
    if (entry->state != ENTRY_FREE)
        return NULL;
    int64_t index = loader->next % config->lane_count;
    int64_t step = config->first_step + loader->next / config->lane_count;
    int64_t epoch = step / config->sampler->steps_per_epoch;
    LaneOrder *order = &loader->orders[index];
    if (order->epoch != epoch) {
        if (order->state != ORDER_READY) {
            *lane = index;
            return NULL;
        }
        int32_t *old = order->now;
        order->now = order->next;
        order->next = old;
        order->epoch = order->upcoming++;
        order->state = ORDER_NONE;
    }
    Batch *batch = &entry->batch;
    batch->step = step;
    batch->lane = config->first_lane + index;
    batch->images = sampler_images(config->sampler, step, batch->lane);
    int64_t begin = step % config->sampler->steps_per_epoch * config->sampler->batch;
    memcpy(entry->place, order->now + begin, (size_t)batch->images * sizeof *entry->place);
    entry->state = ENTRY_FILLING;
    loader->next++;
    return entry;
}

/* Call with the lock held; releases it while it works. */
static void prepare_batch(Loader *loader, Entry *entry, TraceRow *row) {
    pthread_mutex_unlock(&loader->lock);
    double start = trace_now(row);
    fill(loader, entry);
    trace_span(row, "data", "batch", (TraceAt){entry->batch.step, entry->batch.lane}, start);
    pthread_mutex_lock(&loader->lock);
    entry->state = ENTRY_READY;
    pthread_cond_broadcast(&loader->ready);
}

/* Call with the lock held; releases it while it works. */
static void prepare_order(Loader *loader, int64_t index) {
    LaneOrder *order = &loader->orders[index];
    order->state = ORDER_BUSY;
    int64_t epoch = order->upcoming;
    int32_t *next = order->next;
    pthread_mutex_unlock(&loader->lock);
    sampler_order(loader->config.sampler, epoch, loader->config.first_lane + index, next);
    pthread_mutex_lock(&loader->lock);
    order->state = ORDER_READY;
    pthread_cond_broadcast(&loader->work);
}

static void *loader_main(void *argument) {
    Loader *loader = argument;
    TraceRow *row = trace_row(loader->config.trace, "loader");
    pthread_setname_np(pthread_self(), "loader");
    pthread_mutex_lock(&loader->lock);
    while (!loader->stop) {
        int64_t lane;
        Entry *entry = claim_batch(loader, &lane);
        if (entry) {
            prepare_batch(loader, entry, row);
            continue;
        }
        lane = lane_without_order(loader, lane);
        if (lane >= 0)
            prepare_order(loader, lane);
        else
            pthread_cond_wait(&loader->work, &loader->lock);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

/* ---- start and stop ---- */

static Status check_config(const LoaderConfig *config) {
    if (config->threads < 1 || config->lane_count < 1 || config->depth < config->lane_count ||
        config->first_step > config->end_step)
        return FAIL(ST_INTERNAL,
                    "loader: %d threads, %" PRId64 " lanes, depth %" PRId64 ", steps %" PRId64
                    " to %" PRId64,
                    config->threads, config->lane_count, config->depth, config->first_step,
                    config->end_step);
    for (int64_t i = 0; i < config->lane_count; i++) {
        int64_t first, count;
        sampler_shard(config->sampler, config->first_lane + i, &first, &count);
        if (config->shards[i].first != first || config->shards[i].count != count)
            return FAIL(ST_INTERNAL, "loader: shard %" PRId64 " is not that of lane %" PRId64, i,
                        config->first_lane + i);
    }
    return ST_OK;
}

static Status make_draws(const Loader *loader, ImageDraws *draws) {
    size_t images = (size_t)loader->config.sampler->batch, changes = (size_t)loader->changes;
    draws->placement = calloc(images, sizeof *draws->placement);
    TRY_ALLOC(draws->placement);
    if (changes > 0) {
        draws->change = calloc(images * changes, sizeof *draws->change);
        TRY_ALLOC(draws->change);
    }
    return ST_OK;
}

static Status make_batch(const Loader *loader, Batch *batch) {
    const LoaderConfig *config = &loader->config;
    size_t images = (size_t)config->sampler->batch;
    size_t bytes = images * (size_t)shape_count(config->image) * sizeof(float);
    bool mixes = augment_mixes(config->augment);
    batch->label = malloc(images * sizeof *batch->label);
    TRY_ALLOC(batch->label);
    batch->record = malloc(images * sizeof *batch->record);
    TRY_ALLOC(batch->record);
    if (mixes) {
        batch->second = malloc(images * sizeof *batch->second);
        TRY_ALLOC(batch->second);
    }
    if (!config->draw_only) {
        batch->image = aligned_alloc(64, (bytes + 63) / 64 * 64);
        TRY_ALLOC(batch->image);
        return ST_OK;
    }
    TRY(make_draws(loader, &batch->drawn));
    return mixes ? make_draws(loader, &batch->partner) : ST_OK;
}

static Status make_ring(Loader *loader) {
    loader->ring = calloc((size_t)loader->config.depth, sizeof *loader->ring);
    TRY_ALLOC(loader->ring);
    for (int64_t i = 0; i < loader->config.depth; i++) {
        Entry *entry = &loader->ring[i];
        entry->place = malloc((size_t)loader->config.sampler->batch * sizeof *entry->place);
        TRY_ALLOC(entry->place);
        TRY(make_batch(loader, &entry->batch));
    }
    return ST_OK;
}

static Status make_orders(Loader *loader) {
    const LoaderConfig *config = &loader->config;
    loader->orders = calloc((size_t)config->lane_count, sizeof *loader->orders);
    TRY_ALLOC(loader->orders);
    for (int64_t i = 0; i < config->lane_count; i++) {
        LaneOrder *order = &loader->orders[i];
        order->epoch = -1;
        order->upcoming = config->first_step / config->sampler->steps_per_epoch;
        order->now = malloc((size_t)config->shards[i].count * sizeof *order->now);
        order->next = malloc((size_t)config->shards[i].count * sizeof *order->next);
        TRY_ALLOC(order->now);
        TRY_ALLOC(order->next);
    }
    return ST_OK;
}

static Status start_threads(Loader *loader) {
    loader->threads = calloc((size_t)loader->config.threads, sizeof *loader->threads);
    TRY_ALLOC(loader->threads);
    for (int i = 0; i < loader->config.threads; i++) {
        int error = pthread_create(&loader->threads[i], NULL, loader_main, loader);
        if (error != 0)
            return FAIL(ST_INTERNAL, "cannot start loader thread %d of %d: %s", i + 1,
                        loader->config.threads, strerror(error));
        loader->started++;
    }
    return ST_OK;
}

Status loader_start(const LoaderConfig *config, Loader **out) {
    Status status = ST_OK;
    *out = NULL;
    TRY(check_config(config));
    Loader *loader = calloc(1, sizeof *loader);
    TRY_ALLOC(loader);
    loader->config = *config;
    loader->changes = augment_rule(config->augment, config->sampler->seed).changes;
    loader->end = (config->end_step - config->first_step) * config->lane_count;
    loader->last_epoch = (config->end_step - 1) / config->sampler->steps_per_epoch;
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->work, NULL);
    status = cond_init_monotonic(&loader->ready);
    if (status != ST_OK) {
        pthread_cond_destroy(&loader->work);
        pthread_mutex_destroy(&loader->lock);
        free(loader);
        return status;
    }
    TRY_DONE(make_ring(loader));
    TRY_DONE(make_orders(loader));
    TRY_DONE(start_threads(loader));
    *out = loader;
done:
    if (status != ST_OK)
        loader_stop(loader);
    return status;
}

void loader_stop(Loader *loader) {
    if (!loader)
        return;
    pthread_mutex_lock(&loader->lock);
    loader->stop = true;
    pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->lock);
    for (int i = 0; i < loader->started; i++)
        pthread_join(loader->threads[i], NULL);
    for (int64_t i = 0; loader->orders && i < loader->config.lane_count; i++) {
        free(loader->orders[i].now);
        free(loader->orders[i].next);
    }
    for (int64_t i = 0; loader->ring && i < loader->config.depth; i++) {
        Entry *entry = &loader->ring[i];
        free(entry->batch.image);
        free(entry->batch.drawn.placement);
        free(entry->batch.drawn.change);
        free(entry->batch.partner.placement);
        free(entry->batch.partner.change);
        free(entry->batch.second);
        free(entry->batch.record);
        free(entry->batch.label);
        free(entry->place);
    }
    free(loader->threads);
    free(loader->orders);
    free(loader->ring);
    pthread_cond_destroy(&loader->ready);
    pthread_cond_destroy(&loader->work);
    pthread_mutex_destroy(&loader->lock);
    free(loader);
}

/* ---- the step loop's side ---- */

Status loader_take(Loader *loader, int64_t step, int64_t lane, double deadline_s, Batch **batch) {
    const LoaderConfig *config = &loader->config;
    int64_t index = lane - config->first_lane;
    if (step < config->first_step || step >= config->end_step || index < 0 ||
        index >= config->lane_count)
        return FAIL(ST_INTERNAL,
                    "loader: step %" PRId64 " of lane %" PRId64 " is not prepared here", step,
                    lane);
    int64_t k = (step - config->first_step) * config->lane_count + index;
    Entry *entry = &loader->ring[k % config->depth];
    Deadline deadline = deadline_after(deadline_s);
    bool ready = false, late = false;
    pthread_mutex_lock(&loader->lock);
    for (;;) {
        ready =
            entry->state == ENTRY_READY && entry->batch.step == step && entry->batch.lane == lane;
        if (ready || late)
            break;
        late = deadline_passed(&deadline);
        if (!late)
            cond_wait_before(&loader->ready, &loader->lock, &deadline);
    }
    if (ready)
        entry->state = ENTRY_TAKEN;
    pthread_mutex_unlock(&loader->lock);
    if (!ready)
        return FAIL(ST_DEADLINE,
                    "the batch of step %" PRId64 ", lane %" PRId64 " was not ready within %g s",
                    step, lane, deadline_s);
    *batch = &entry->batch;
    return ST_OK;
}

void loader_give(Loader *loader, Batch *batch) {
    Entry *entry = (Entry *)batch;
    pthread_mutex_lock(&loader->lock);
    entry->state = ENTRY_FREE;
    /* batches are claimed in order: no other entry lets anybody go on */
    if (entry == &loader->ring[loader->next % loader->config.depth])
        pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->lock);
}
