/* grad_sum: see grad_sum.h. */
#include "grad_sum.h"

#include <stdlib.h>
#include <string.h>

#include "lockstep/engine.h"

/* Between these two, under the lock of the bucket's piece, an addition is enqueued. */
static Status after_others(const GradSum *sum, Stream *stream, int bucket) {
    return sum->mark ? sum->device->ops->marks->wait(stream, sum->mark[bucket]) : ST_OK;
}

static Status before_others(const GradSum *sum, Stream *stream, int bucket) {
    return sum->mark ? sum->device->ops->marks->set(stream, sum->mark[bucket]) : ST_OK;
}

/* In shared memory no rank may still need the sums of the step before. Returns the seconds waited
 * for other ranks. `bucket`: the piece's. */
static double lock_piece(GradSum *sum, int piece, int bucket) {
    if (!sum->share) {
        pthread_mutex_lock(&sum->pieces.piece[piece].lock);
        return 0;
    }
    double waited = share_await(sum->share, &sum->shared->begun, sum->steps, bucket);
    return waited + share_lock(sum->share, &sum->shared->piece[piece].lock, bucket);
}

static void unlock_piece(GradSum *sum, int piece) {
    if (sum->share)
        share_unlock(&sum->shared->piece[piece].lock);
    else
        pthread_mutex_unlock(&sum->pieces.piece[piece].lock);
}

/* Whether the piece has something of this step already, as it has from now on. Under its lock. */
static bool take_over(GradSum *sum, int piece) {
    if (!sum->share)
        return sum->pieces.piece[piece].arrived > 0;
    SharedPiece *shared = &sum->shared->piece[piece];
    bool before = shared->step == sum->steps;
    shared->step = sum->steps;
    return before;
}

/* The lock of the first piece guards the tail. */
static double lock_tail(GradSum *sum) {
    return lock_piece(sum, 0, 0);
}

static void unlock_tail(GradSum *sum) {
    unlock_piece(sum, 0);
}

/* A shared tail is zeroed by who comes first. Under its lock. */
static void open_tail(GradSum *sum) {
    if (sum->shared->tail_step != sum->steps)
        memset(sum->fixed, 0, (size_t)sum->tail * sizeof *sum->fixed);
    sum->shared->tail_step = sum->steps;
}

/* Likewise, where no rank of the host has added. */
static void clear_shared(GradSum *sum) {
    for (int b = 0; b < sum->buckets; b++) {
        for (int p = sum->pieces.first[b]; p < sum->pieces.first[b + 1]; p++) {
            const Piece *piece = &sum->pieces.piece[p];
            size_t count = (size_t)(piece->end - piece->begin);
            lock_piece(sum, p, b);
            if (!take_over(sum, p))
                memset(sum->fixed + sum->tail + piece->begin, 0, count * sizeof *sum->fixed);
            unlock_piece(sum, p);
        }
    }
}

static Status zero(GradSum *sum, Stream *stream, void *memory, size_t element_bytes) {
    static const char zeros[65536];
    size_t bytes = memory ? (size_t)sum->flat * element_bytes : 0;
    for (size_t done = 0; done < bytes; done += sizeof zeros) {
        size_t part = bytes - done < sizeof zeros ? bytes - done : sizeof zeros;
        TRY(sum->device->ops->upload(stream, (char *)memory + done, zeros, part));
    }
    return ST_OK;
}

/* A rank without images in a shorter step still takes part in every sum: with zeros. */
static Status clear(GradSum *sum, Stream *stream) {
    if (sum->half)
        return zero(sum, stream, sum->half, sizeof *sum->half);
    if (!sum->exact)
        return zero(sum, stream, sum->real, dtype_size(sum->device->real));
    if (sum->share) {
        clear_shared(sum);
        return ST_OK;
    }
    TRY(zero(sum, stream, sum->low, sizeof *sum->low));
    return zero(sum, stream, sum->fixed + sum->tail, sizeof *sum->fixed);
}

static Status begin_shifts(GradSum *sum, Stream *stream, const int64_t *peak) {
    for (int p = 0; sum->shifted && p < sum->model->n_params; p++)
        sum->shift[p] = (int8_t)fixed_shift(peak[p]);
    return sum->shifted ? sum->device->ops->upload(stream, sum->device_shift, sum->shift,
                                                   (size_t)sum->model->n_params)
                        : ST_OK;
}

/* The first words of the tail, ordered as an addition to bucket 0: no wait. The host's words stay
 * as they are until grad_sum_wait. `last`: of the step; what the device has counted of this rank
 * then comes back. */
static Status put_tail(GradSum *sum, Stream *stream, const int64_t *words, int64_t count,
                       bool last) {
    lock_tail(sum);
    Status status = after_others(sum, stream, 0);
    if (status == ST_OK)
        status = sum->device->ops->upload(stream, sum->fixed, words, (size_t)count * sizeof *words);
    if (status == ST_OK && last && sum->kept.device)
        status = sum->device->ops->download(stream, &sum->kept_bad, sum->fixed + TAIL_BAD_KEPT,
                                            sizeof sum->kept_bad);
    if (status == ST_OK)
        status = before_others(sum, stream, 0);
    unlock_tail(sum);
    return status;
}

Status grad_sum_begin(GradSum *sum, Stream *stream, int64_t step, int lanes, const int64_t *peak) {
    sum->expected = lanes;
    sum->resummed = 0;
    sum->stats_arrived = 0;
    for (int b = 0; b < sum->buckets; b++)
        atomic_store(&sum->added[b], 0);
    pieces_begin(&sum->pieces);
    memset(sum->staged, 0, (size_t)sum->tail * sizeof *sum->staged);
    sum->steps++;
    if (sum->share)
        share_arrive(sum->share, &sum->shared->begun, sum->steps);
    else
        TRY(put_tail(sum, stream, sum->staged, sum->tail, false));
    if (sum->kept.device)
        TRY(kept_begin(&sum->kept, sum->mark[0]));
    TRY(begin_shifts(sum, stream, peak));
    if (lanes == 0)
        TRY(clear(sum, stream));
    if (sum->shifted || lanes == 0) /* what additions to other buckets read, or nobody orders */
        TRY(sum->device->ops->sync(stream, SYNC_SECONDS));
    reducer_begin(sum->reducer, step);
    for (int b = sum->buckets - 1; lanes == 0 && b > 0; b--)
        reducer_submit(sum->reducer, b);
    return ST_OK;
}

/* Elements [begin, begin + count) of `real`, once complete, as what travels. */
static Status narrow(GradSum *sum, Stream *stream, int64_t begin, int64_t count) {
    return sum->device->ops->convert(stream, sum->half + begin, DT_BF16,
                                     grad_sum_element(sum, sum->real, begin), sum->device->real,
                                     count);
}

/* How the sums from element `begin` on are shifted. */
static Shifts shifts_at(const GradSum *sum, int64_t begin) {
    return (Shifts){.param = sum->param_of + begin / SHIFT_BLOCK, .shift = sum->device_shift};
}

/* One addition to the rank's sum. */
typedef struct Addition {
    const LaneGradient *lane; /* NULL: all lanes, which are kept */
    bool add;                 /* to what is there */
    bool last;                /* of the step */
} Addition;

/* Assigns elements [begin, end) of the sum of all lanes. */
static Status sum_range(GradSum *sum, Stream *stream, int64_t begin, int64_t end, int64_t *bad) {
    const TermOps *ops = sum->device->ops->terms;
    int64_t *fixed = sum->fixed + sum->tail + begin;
    Terms terms;
    kept_terms(&sum->kept, &terms);
    terms.begin = begin;
    terms.param = sum->term_param;
    terms.param_of = sum->param_of + begin / SHIFT_BLOCK;
    if (sum->shifted) {
        Shifts shifts = shifts_at(sum, begin);
        return ops->shifted(stream, fixed, sum->low ? sum->low + begin : NULL, &terms, end - begin,
                            &shifts, sum->gradient.scale, sum->gradient.bound, bad);
    }
    if (sum->exact)
        return ops->fixed(stream, fixed, &terms, end - begin, sum->gradient.scale,
                          sum->gradient.bound, bad);
    return ops->real(stream, grad_sum_element(sum, sum->real, begin), &terms, end - begin);
}

/* Adds elements [begin, end) of a lane's gradient. */
static Status add_range(GradSum *sum, Stream *stream, int64_t begin, int64_t end,
                        const Addition *to, int64_t *bad) {
    const DeviceOps *ops = sum->device->ops;
    if (begin >= end)
        return ST_OK;
    if (!to->lane)
        return sum_range(sum, stream, begin, end, bad);
    const void *value = grad_sum_element(sum, (void *)(uintptr_t)to->lane->value, begin);
    int64_t *fixed = sum->fixed + sum->tail + begin;
    if (sum->shifted) {
        Shifts shifts = shifts_at(sum, begin);
        return ops->to_shifted(stream, fixed, to->last && sum->low ? sum->low + begin : NULL, value,
                               end - begin, &shifts, sum->gradient.scale, sum->gradient.bound,
                               to->add, bad, to->lane->peak);
    }
    if (sum->exact)
        return ops->to_fixed(stream, fixed, value, end - begin, sum->gradient.scale,
                             sum->gradient.bound, to->add, bad);
    return ops->to_real(stream, grad_sum_element(sum, sum->real, begin), value, end - begin,
                        to->add);
}

/* What is frozen is added as well, so that the sum is whole, but is nobody's trouble. */
static Status add_piece(GradSum *sum, Stream *stream, const Piece *piece, const Addition *to) {
    int64_t *bad = to->lane ? to->lane->bad : sum->fixed + TAIL_BAD_KEPT;
    const Grouping *grouping = sum->grouping;
    if (!sum->frozen)
        return add_range(sum, stream, piece->begin, piece->end, to, &bad[0]);
    for (int r = 0; r < grouping->n_ranges; r++) {
        const GroupRange *range = &grouping->range[r];
        TRY(add_range(sum, stream, range->begin > piece->begin ? range->begin : piece->begin,
                      range->end < piece->end ? range->end : piece->end, to,
                      &bad[sum->frozen[range->group]]));
    }
    return ST_OK;
}

/* An addition to a piece, under its lock. */
static Status take_in(GradSum *sum, Stream *stream, int bucket, const Piece *piece,
                      const Addition *to) {
    TRY(after_others(sum, stream, bucket));
    TRY(add_piece(sum, stream, piece, to));
    if (to->last && sum->half)
        TRY(narrow(sum, stream, piece->begin, piece->end - piece->begin));
    return before_others(sum, stream, bucket);
}

static Status add_lane(GradSum *sum, Stream *stream, int bucket, int p, const LaneGradient *lane) {
    Piece *piece = &sum->pieces.piece[p];
    *lane->waited_s += lock_piece(sum, p, bucket);
    Addition to = {.lane = lane, .add = take_over(sum, p)};
    to.last = ++piece->arrived == sum->expected;
    Status status = take_in(sum, stream, bucket, piece, &to);
    unlock_piece(sum, p);
    return status;
}

/* All lanes of the rank have brought the bucket, which is one piece. Each brings its buckets in
 * falling order, so bucket 0 is the last of all to be summed, and who waits for its mark, as the
 * tail does, waits for the whole sum. Behind it the lanes' largest sizes are known as well: these
 * are good values, so none is bad. */
static Status add_kept(GradSum *sum, int bucket) {
    Kept *kept = &sum->kept;
    Terms peaks;
    int p = sum->pieces.first[bucket];
    Addition to = {.last = true};
    pthread_mutex_lock(&kept->lock);
    lock_piece(sum, p, bucket);
    Status status = kept_gather(kept, bucket);
    if (status == ST_OK)
        status = take_in(sum, kept->stream, bucket, &sum->pieces.piece[p], &to);
    if (status == ST_OK && bucket == 0 && sum->shifted) {
        kept_peaks(kept, &peaks);
        status = sum->device->ops->terms->fixed(
            kept->stream, sum->fixed + TAIL_WORDS + sum->running_flat, &peaks, sum->model->n_params,
            sum->gradient.scale, sum->gradient.bound, sum->fixed + TAIL_BAD_KEPT);
        if (status == ST_OK)
            status = before_others(sum, kept->stream, bucket);
    }
    unlock_piece(sum, p);
    pthread_mutex_unlock(&kept->lock);
    return status;
}

Status grad_sum_begin_lane(GradSum *sum, Stream *stream, const LaneGradient *lane) {
    size_t bytes = (size_t)sum->model->n_params * dtype_size(sum->device->real);
    if (sum->kept.device)
        kept_begin_lane(&sum->kept, lane->index, lane->worker, lane->value, lane->peak);
    return sum->shifted ? sum->device->ops->upload(stream, lane->peak, sum->no_peak, bytes) : ST_OK;
}

Status grad_sum_add(GradSum *sum, Stream *stream, int bucket, const LaneGradient *lane,
                    bool *complete) {
    int n = sum->pieces.first[bucket + 1] - sum->pieces.first[bucket];
    if (sum->kept.device)
        TRY(kept_bring(&sum->kept, stream, lane->worker, bucket));
    for (int i = 0; !sum->kept.device && i < n; i++)
        TRY(add_lane(sum, stream, bucket,
                     pieces_turn(&sum->pieces, bucket, lane->lane, sum->lanes, i), lane));
    /* Who is last has seen the additions of all. */
    *complete = atomic_fetch_add(&sum->added[bucket], 1) + 1 == sum->expected;
    if (*complete && sum->kept.device)
        TRY(add_kept(sum, bucket));
    if (*complete && bucket > 0) /* bucket 0 waits for the tail */
        reducer_submit(sum->reducer, bucket);
    return ST_OK;
}

/* Of what is kept the largest sizes are not known yet. They are good values, so none is bad. */
static Status add_to_tail(GradSum *sum, Stream *stream, const LaneGradient *lane, const void *stats,
                          double weight, bool add) {
    const DeviceOps *ops = sum->device->ops;
    int64_t *at = sum->fixed + TAIL_WORDS, running = sum->running_flat;
    if (running > 0)
        TRY(ops->to_fixed(stream, at, stats, running, sum->statistics.scale * weight,
                          sum->statistics.bound, add, lane->bad));
    if (sum->shifted && !sum->kept.device)
        TRY(ops->to_fixed(stream, at + running, lane->peak, sum->model->n_params,
                          sum->gradient.scale, sum->gradient.bound, add, lane->bad));
    return ST_OK;
}

Status grad_sum_end_lane(GradSum *sum, Stream *stream, const LaneGradient *lane, const void *stats,
                         double weight) {
    if (sum->running_flat == 0 && (!sum->shifted || sum->kept.device))
        return ST_OK;
    *lane->waited_s += lock_tail(sum);
    bool add = sum->stats_arrived++ > 0 || sum->share;
    if (sum->share)
        open_tail(sum);
    Status status = after_others(sum, stream, 0);
    if (status == ST_OK)
        status = add_to_tail(sum, stream, lane, stats, weight, add);
    if (status == ST_OK)
        status = before_others(sum, stream, 0);
    unlock_tail(sum);
    return status;
}

Status grad_sum_finish(GradSum *sum, Stream *stream, const int64_t words[TAIL_WORDS]) {
    if (sum->share) {
        lock_tail(sum);
        open_tail(sum);
        for (int i = 0; i < TAIL_WORDS; i++)
            sum->fixed[i] += words[i];
        unlock_tail(sum);
    } else {
        TRY(put_tail(sum, stream, words, TAIL_SENT, true));
    }
    reducer_submit(sum->reducer, 0);
    return ST_OK;
}

static const int64_t *largest_of(const GradSum *sum) {
    return sum->staged + TAIL_WORDS + sum->running_flat;
}

/* Whether what came of the bucket is the sum: that of every parameter with elements in it fits. */
static bool fits(const GradSum *sum, int bucket) {
    const int64_t *largest = largest_of(sum);
    for (int p = 0; p < sum->model->n_params; p++) {
        const ParamView *view = &sum->model->params[p];
        if (view->offset < sum->begin[bucket + 1] &&
            view->offset + view->count > sum->begin[bucket] &&
            !fixed_fits(sum->shift[p], largest[p], sum->lanes))
            return false;
    }
    return true;
}

/* From int32 to the sums proper. The rank's own sum is still there of what did not fit: all ranks
 * see that from the tail, and it goes over them again, as it is. The reducer is idle. */
static Status widen_all(GradSum *sum, Stream *stream) {
    for (int b = sum->buckets - 1; b >= 0; b--) {
        int64_t begin = sum->begin[b], count = sum->begin[b + 1] - begin;
        int64_t *fixed = sum->fixed + sum->tail + begin;
        Shifts shifts = shifts_at(sum, begin);
        if (fits(sum, b)) {
            TRY(sum->device->ops->widen(stream, fixed, sum->low + begin, count, &shifts));
            continue;
        }
        sum->resummed++;
        TRY(comm_reduce(sum->comm, fixed, count, DT_I64, NULL, b));
    }
    return sum->device->ops->sync(stream, SYNC_SECONDS);
}

Status grad_sum_settle(GradSum *sum, Stream *stream, double *busy_s) {
    TRY(reducer_wait(sum->reducer, busy_s));
    return sum->half ? sum->device->ops->convert(stream, sum->real, sum->device->real, sum->half,
                                                 DT_BF16, sum->flat)
                     : ST_OK;
}

Status grad_sum_fetch(GradSum *sum, Stream *stream) {
    return sum->device->ops->download(stream, sum->staged, sum->fixed,
                                      (size_t)sum->tail * sizeof *sum->staged);
}

Status grad_sum_wait(GradSum *sum, Stream *stream, double *busy_s) {
    TRY(grad_sum_settle(sum, stream, busy_s));
    TRY(grad_sum_fetch(sum, stream));
    TRY(sum->device->ops->sync(stream, SYNC_SECONDS));
    return sum->low ? widen_all(sum, stream) : ST_OK;
}

void grad_sum_abandon(GradSum *sum) {
    reducer_abandon(sum->reducer);
}

void grad_sum_follow(const GradSum *sum, int64_t *peak) {
    for (int p = 0; sum->shifted && p < sum->model->n_params; p++)
        peak[p] = fixed_follow(peak[p], largest_of(sum)[p]);
}

void grad_sum_at(const GradSum *sum, int64_t offset, const int64_t **fixed, const void **real) {
    *fixed = sum->exact ? sum->fixed + sum->tail + offset : NULL;
    *real = sum->exact ? NULL : grad_sum_element(sum, sum->real, offset);
}

double grad_sum_unit(const GradSum *sum) {
    return (sum->exact ? sum->gradient.unit : 1.0) * sum->per_weight;
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
            gradient[i] = sum->per_weight *
                          (sum->exact ? fixed_value(sum->gradient, fixed[i]) : (double)real[i]);
    }
    return ST_OK;
}
