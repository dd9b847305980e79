/* grad_sum: see grad_sum.h. */
#include "grad_sum.h"

#include <stdlib.h>
#include <string.h>

#include "lockstep/engine.h"

static void *element(const GradSum *sum, void *real, int64_t offset) {
    return (char *)real + (size_t)offset * dtype_size(sum->device->real);
}

/* Bytes of an element on its way. */
static size_t sent_size(const GradSum *sum) {
    return sum->exact ? sizeof(int64_t) : dtype_size(sum->half ? DT_BF16 : sum->device->real);
}

/* Near-equal ranges of at most config->bucket_bytes a message, on multiples of PARAM_ALIGN. */
static Status cut_buckets(GradSum *sum, const RunConfig *config) {
    int64_t bytes = sum->flat * (int64_t)sent_size(sum);
    int64_t n = (bytes + config->bucket_bytes - 1) / config->bucket_bytes;
    sum->buckets = n < 1 ? 1 : (int)n;
    sum->begin = calloc((size_t)sum->buckets + 1, sizeof *sum->begin);
    sum->lock = calloc((size_t)sum->buckets, sizeof *sum->lock);
    sum->arrived = calloc((size_t)sum->buckets, sizeof *sum->arrived);
    TRY_ALLOC(sum->begin);
    TRY_ALLOC(sum->lock);
    TRY_ALLOC(sum->arrived);
    for (int b = 0; b < sum->buckets; b++) {
        pthread_mutex_init(&sum->lock[b], NULL);
        split_range(sum->flat, PARAM_ALIGN, sum->buckets, b, &sum->begin[b], &sum->begin[b + 1]);
    }
    return ST_OK;
}

static Status open_marks(GradSum *sum) {
    const DeviceOps *ops = sum->device->ops;
    if (!ops->marks)
        return ST_OK;
    sum->mark = calloc((size_t)sum->buckets, sizeof *sum->mark);
    TRY_ALLOC(sum->mark);
    for (int b = 0; b < sum->buckets; b++)
        TRY(ops->marks->open(sum->device, &sum->mark[b]));
    return ST_OK;
}

static Status allocate(GradSum *sum, const RunConfig *config) {
    Device *device = sum->device;
    size_t flat = (size_t)sum->flat, fixed = (size_t)sum->tail + (sum->exact ? flat : 0);
    TRY(device->ops->alloc(device, fixed * sizeof *sum->fixed, (void **)&sum->fixed));
    if (!sum->exact)
        TRY(device->ops->alloc(device, flat * dtype_size(device->real), &sum->real));
    if (config->reduction_type == REDUCTION_BF16)
        TRY(device->ops->alloc(device, flat * sizeof *sum->half, (void **)&sum->half));
    sum->staged = calloc((size_t)sum->tail, sizeof *sum->staged);
    TRY_ALLOC(sum->staged);
    return ST_OK;
}

/* Between these two, under the bucket's lock, an addition to it is enqueued. */
static Status after_others(const GradSum *sum, Stream *stream, int bucket) {
    return sum->mark ? sum->device->ops->marks->wait(stream, sum->mark[bucket]) : ST_OK;
}

static Status before_others(const GradSum *sum, Stream *stream, int bucket) {
    return sum->mark ? sum->device->ops->marks->set(stream, sum->mark[bucket]) : ST_OK;
}

static Status start_reducer(GradSum *sum, Comm *comm, TraceRow *row) {
    BucketMessage(*messages)[2] = calloc((size_t)sum->buckets, sizeof *messages);
    TRY_ALLOC(messages);
    for (int b = 0; b < sum->buckets; b++) {
        int64_t begin = sum->begin[b], count = sum->begin[b + 1] - begin;
        void *after = sum->mark ? sum->mark[b] : NULL;
        if (sum->exact)
            messages[b][0] = (BucketMessage){sum->fixed + sum->tail + begin, count, DT_I64, after};
        else if (sum->half)
            messages[b][0] = (BucketMessage){sum->half + begin, count, DT_BF16, after};
        else
            messages[b][0] = (BucketMessage){element(sum, sum->real, begin), count, DT_F32, after};
    }
    if (sum->exact) { /* the tail and bucket 0 are one message */
        messages[0][0].data = sum->fixed;
        messages[0][0].count += sum->tail;
    } else {
        messages[0][1] = (BucketMessage){sum->fixed, sum->tail, DT_I64, messages[0][0].after};
    }
    Status status =
        reducer_start(comm, sum->buckets, (const BucketMessage(*)[2])messages, row, &sum->reducer);
    free(messages);
    return status;
}

Status grad_sum_open(GradSum *sum, Comm *comm, Device *device, const Model *model,
                     const RunConfig *config, TraceRow *row) {
    *sum = (GradSum){.device = device,
                     .exact = config->reduction == REDUCTION_EXACT,
                     .gradient = fixed_gradient(config->lanes),
                     .statistics = fixed_statistics(config->lanes),
                     .flat = model->flat,
                     .running_flat = model->running_flat};
    sum->tail = (TAIL_WORDS + sum->running_flat + 7) / 8 * 8;
    TRY(allocate(sum, config));
    TRY(cut_buckets(sum, config));
    TRY(open_marks(sum));
    return start_reducer(sum, comm, row);
}

void grad_sum_close(GradSum *sum) {
    if (!sum->device)
        return;
    reducer_stop(sum->reducer);
    for (int b = 0; sum->lock && b < sum->buckets; b++)
        pthread_mutex_destroy(&sum->lock[b]);
    for (int b = 0; sum->mark && b < sum->buckets; b++) {
        if (sum->mark[b])
            sum->device->ops->marks->close(sum->mark[b]);
    }
    free(sum->mark);
    free(sum->begin);
    free(sum->lock);
    free(sum->arrived);
    free(sum->staged);
    sum->device->ops->release(sum->device, sum->fixed);
    sum->device->ops->release(sum->device, sum->real);
    sum->device->ops->release(sum->device, sum->half);
    memset(sum, 0, sizeof *sum);
}

/* A rank without images in a shorter step still takes part in every sum: with zeros. */
static Status clear(GradSum *sum, Stream *stream) {
    static const char zeros[65536];
    char *memory = sum->exact  ? (char *)(sum->fixed + sum->tail)
                   : sum->half ? (char *)sum->half
                               : sum->real;
    size_t bytes = (size_t)sum->flat * sent_size(sum);
    for (size_t done = 0; done < bytes; done += sizeof zeros) {
        size_t part = bytes - done < sizeof zeros ? bytes - done : sizeof zeros;
        TRY(sum->device->ops->upload(stream, memory + done, zeros, part));
    }
    return ST_OK;
}

Status grad_sum_begin(GradSum *sum, Stream *stream, int64_t step, int lanes) {
    sum->expected = lanes;
    sum->stats_arrived = 0;
    memset(sum->arrived, 0, (size_t)sum->buckets * sizeof *sum->arrived);
    memset(sum->staged, 0, (size_t)sum->tail * sizeof *sum->staged);
    TRY(sum->device->ops->upload(stream, sum->fixed, sum->staged,
                                 (size_t)sum->tail * sizeof *sum->staged));
    if (lanes == 0)
        TRY(clear(sum, stream));
    TRY(sum->device->ops->sync(stream, SYNC_SECONDS));
    reducer_begin(sum->reducer, step);
    for (int b = sum->buckets - 1; lanes == 0 && b > 0; b--)
        reducer_submit(sum->reducer, b);
    return ST_OK;
}

/* Elements [begin, begin + count) of `real`, once complete, as what travels. */
static Status narrow(GradSum *sum, Stream *stream, int64_t begin, int64_t count) {
    return sum->device->ops->convert(stream, sum->half + begin, DT_BF16,
                                     element(sum, sum->real, begin), sum->device->real, count);
}

/* Adds elements [begin, end) of a lane's gradient to the rank's sum. */
static Status add_range(GradSum *sum, Stream *stream, int64_t begin, int64_t end,
                        const void *gradient, bool add, int64_t *bad) {
    const DeviceOps *ops = sum->device->ops;
    const void *value = element(sum, (void *)(uintptr_t)gradient, begin);
    if (begin >= end)
        return ST_OK;
    if (sum->exact)
        return ops->to_fixed(stream, sum->fixed + sum->tail + begin, value, end - begin,
                             sum->gradient.scale, sum->gradient.bound, add, bad);
    return ops->to_real(stream, element(sum, sum->real, begin), value, end - begin, add);
}

/* What is frozen is added as well, so that the sum is whole, but is nobody's trouble. */
static Status add_bucket(GradSum *sum, Stream *stream, int bucket, const void *gradient, bool add,
                         int64_t *bad) {
    int64_t begin = sum->begin[bucket], end = sum->begin[bucket + 1];
    const Grouping *grouping = sum->grouping;
    if (!sum->frozen)
        return add_range(sum, stream, begin, end, gradient, add, &bad[0]);
    for (int r = 0; r < grouping->n_ranges; r++) {
        const GroupRange *range = &grouping->range[r];
        TRY(add_range(sum, stream, range->begin > begin ? range->begin : begin,
                      range->end < end ? range->end : end, gradient, add,
                      &bad[sum->frozen[range->group]]));
    }
    return ST_OK;
}

Status grad_sum_add(GradSum *sum, Stream *stream, int bucket, const void *gradient, int64_t *bad,
                    bool *complete) {
    int64_t begin = sum->begin[bucket], count = sum->begin[bucket + 1] - begin;
    pthread_mutex_lock(&sum->lock[bucket]);
    bool add = sum->arrived[bucket] > 0;
    *complete = ++sum->arrived[bucket] == sum->expected;
    Status status = after_others(sum, stream, bucket);
    if (status == ST_OK)
        status = add_bucket(sum, stream, bucket, gradient, add, bad);
    if (status == ST_OK && *complete && sum->half)
        status = narrow(sum, stream, begin, count);
    if (status == ST_OK)
        status = before_others(sum, stream, bucket);
    pthread_mutex_unlock(&sum->lock[bucket]);
    TRY(status);
    if (*complete && bucket > 0) /* bucket 0 waits for the tail */
        reducer_submit(sum->reducer, bucket);
    return ST_OK;
}

Status grad_sum_add_stats(GradSum *sum, Stream *stream, const void *stats, double weight,
                          int64_t *bad) {
    if (sum->running_flat == 0)
        return ST_OK;
    pthread_mutex_lock(&sum->lock[0]);
    Status status = after_others(sum, stream, 0);
    if (status == ST_OK)
        status = sum->device->ops->to_fixed(stream, sum->fixed + TAIL_WORDS, stats,
                                            sum->running_flat, sum->statistics.scale * weight,
                                            sum->statistics.bound, sum->stats_arrived++ > 0, bad);
    if (status == ST_OK)
        status = before_others(sum, stream, 0);
    pthread_mutex_unlock(&sum->lock[0]);
    return status;
}

Status grad_sum_finish(GradSum *sum, Stream *stream, const int64_t words[TAIL_WORDS]) {
    TRY(sum->device->ops->upload(stream, sum->fixed, words, TAIL_WORDS * sizeof *words));
    TRY(sum->device->ops->sync(stream, SYNC_SECONDS));
    reducer_submit(sum->reducer, 0);
    return ST_OK;
}

Status grad_sum_wait(GradSum *sum, Stream *stream, double *busy_s) {
    TRY(reducer_wait(sum->reducer, busy_s));
    if (sum->half)
        TRY(sum->device->ops->convert(stream, sum->real, sum->device->real, sum->half, DT_BF16,
                                      sum->flat));
    TRY(sum->device->ops->download(stream, sum->staged, sum->fixed,
                                   (size_t)sum->tail * sizeof *sum->staged));
    return sum->device->ops->sync(stream, SYNC_SECONDS);
}

void grad_sum_at(const GradSum *sum, int64_t offset, const int64_t **fixed, const void **real) {
    *fixed = sum->exact ? sum->fixed + sum->tail + offset : NULL;
    *real = sum->exact ? NULL : element(sum, sum->real, offset);
}

double grad_sum_unit(const GradSum *sum) {
    return sum->exact ? sum->gradient.unit : 1.0;
}

Status grad_sum_get(const GradSum *sum, Stream *stream, int64_t from, int64_t count,
                    double *gradient) {
    enum { PIECE = 4096 };
    const DeviceOps *ops = sum->device->ops;
    int64_t fixed[PIECE];
    float real[PIECE];
    for (int64_t n; count > 0; from += n, gradient += n, count -= n) {
        const int64_t *fixed_at;
        const void *real_at;
        n = count < PIECE ? count : PIECE;
        grad_sum_at(sum, from, &fixed_at, &real_at);
        if (sum->exact)
            TRY(ops->download(stream, fixed, fixed_at, (size_t)n * sizeof *fixed));
        else
            TRY(ops->download(stream, real, real_at, (size_t)n * sizeof *real));
        TRY(ops->sync(stream, SYNC_SECONDS));
        for (int64_t i = 0; i < n; i++)
            gradient[i] = sum->exact ? fixed_value(sum->gradient, fixed[i]) : (double)real[i];
    }
    return ST_OK;
}
