/* grad_sum: its memory, the buckets and their messages. See grad_sum.h. */
#include <stdlib.h>
#include <string.h>

#include "grad_sum.h"
#include "lockstep/engine.h"
#include "tables.h"

_Static_assert((int)PARAM_ALIGN % (int)SHIFT_BLOCK == 0, "a parameter has whole blocks");

/* Bytes of an element on its way; so the buckets are the same at any number of ranks. */
static size_t sent_size(const GradSum *sum) {
    if (sum->exact)
        return sum->shifted ? sizeof(int32_t) : sizeof(int64_t);
    return dtype_size(sum->half ? DT_BF16 : sum->device->real);
}

/* Elements before bucket 0. */
static int64_t tail_elements(const Model *model, bool shifted) {
    return (TAIL_WORDS + model->running_flat + (shifted ? model->n_params : 0) + 7) / 8 * 8;
}

static int count_buckets(int64_t flat, size_t element_bytes, const RunConfig *config) {
    int64_t bytes = flat * (int64_t)element_bytes;
    int64_t n = (bytes + config->bucket_bytes - 1) / config->bucket_bytes;
    return n < 1 ? 1 : (int)n;
}

/* Where streams run by themselves a lock is held for as long as it takes to enqueue an addition. */
static int64_t piece_elements(const Device *device) {
    return device->ops->marks ? INT64_MAX : PIECE_ELEMENTS;
}

/* Near-equal ranges of at most config->bucket_bytes a message, on multiples of PARAM_ALIGN. */
static Status cut_buckets(GradSum *sum, const RunConfig *config) {
    sum->buckets = count_buckets(sum->flat, sent_size(sum), config);
    sum->begin = calloc((size_t)sum->buckets + 1, sizeof *sum->begin);
    sum->added = calloc((size_t)sum->buckets, sizeof *sum->added);
    TRY_ALLOC(sum->begin);
    TRY_ALLOC(sum->added);
    for (int b = 0; b < sum->buckets; b++)
        split_range(sum->flat, PARAM_ALIGN, sum->buckets, b, &sum->begin[b], &sum->begin[b + 1]);
    return pieces_open(&sum->pieces, sum->begin, sum->buckets, piece_elements(sum->device));
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

static Status allocate_shifted(GradSum *sum) {
    Device *device = sum->device;
    size_t params = (size_t)sum->model->n_params, flat = (size_t)sum->flat;
    if (comm_size(sum->comm) > 1)
        TRY(device->ops->alloc(device, flat * sizeof *sum->low, (void **)&sum->low));
    TRY(device->ops->alloc(device, params + 1, (void **)&sum->device_shift));
    sum->shift = calloc(params + 1, sizeof *sum->shift);
    TRY_ALLOC(sum->shift);
    sum->no_peak = calloc(params + 1, dtype_size(device->real));
    TRY_ALLOC(sum->no_peak);
    return table_of_blocks(device, sum->model, &sum->param_of);
}

/* Where `fixed` begins in shared memory. */
static size_t shared_offset(const Model *model, const RunConfig *config) {
    int buckets = count_buckets(model->flat, sizeof(int64_t), config);
    int pieces = pieces_most(model->flat, buckets, PIECE_ELEMENTS);
    size_t bytes = sizeof(SharedSum) + (size_t)pieces * sizeof(SharedPiece);
    return (bytes + 63) / 64 * 64;
}

/* Those of an accelerator are in its memory, native ones are not added in any order, and of exact32
 * each rank needs its own. */
size_t grad_sum_shared_bytes(const Device *device, const Model *model, const RunConfig *config) {
    if (device->accelerator || config->reduction != REDUCTION_EXACT)
        return 0;
    return shared_offset(model, config) +
           (size_t)(tail_elements(model, false) + model->flat) * sizeof(int64_t);
}

static void place_in_shared(GradSum *sum, const RunConfig *config) {
    sum->shared = share_memory(sum->share);
    sum->fixed = (int64_t *)(void *)((char *)sum->shared + shared_offset(sum->model, config));
}

static Status allocate(GradSum *sum, const RunConfig *config) {
    Device *device = sum->device;
    size_t flat = (size_t)sum->flat, fixed = (size_t)sum->tail + (sum->exact ? flat : 0);
    if (sum->share)
        place_in_shared(sum, config);
    else
        TRY(device->ops->alloc(device, fixed * sizeof *sum->fixed, (void **)&sum->fixed));
    if (!sum->exact)
        TRY(device->ops->alloc(device, flat * dtype_size(device->real), &sum->real));
    if (config->reduction_type == REDUCTION_BF16)
        TRY(device->ops->alloc(device, flat * sizeof *sum->half, (void **)&sum->half));
    sum->staged = calloc((size_t)sum->tail, sizeof *sum->staged);
    TRY_ALLOC(sum->staged);
    return sum->shifted ? allocate_shifted(sum) : ST_OK;
}

static BucketMessage message_of(const GradSum *sum, int b) {
    int64_t begin = sum->begin[b], count = sum->begin[b + 1] - begin;
    void *after = sum->mark ? sum->mark[b] : NULL;
    if (sum->low)
        return (BucketMessage){sum->low + begin, count, DT_I32, after};
    if (sum->exact)
        return (BucketMessage){sum->fixed + sum->tail + begin, count, DT_I64, after};
    if (sum->half)
        return (BucketMessage){sum->half + begin, count, DT_BF16, after};
    return (BucketMessage){grad_sum_element(sum, sum->real, begin), count, DT_F32, after};
}

static Status start_reducer(GradSum *sum, TraceRow *row) {
    BucketMessage(*messages)[2] = calloc((size_t)sum->buckets, sizeof *messages);
    TRY_ALLOC(messages);
    for (int b = 0; b < sum->buckets; b++)
        messages[b][0] = message_of(sum, b);
    if (messages[0][0].dtype == DT_I64) { /* the tail and bucket 0 are one message */
        messages[0][0].data = sum->fixed;
        messages[0][0].count += sum->tail;
    } else {
        messages[0][1] = (BucketMessage){sum->fixed, sum->tail, DT_I64, messages[0][0].after};
    }
    Status status = reducer_start(sum->comm, sum->buckets, (const BucketMessage(*)[2])messages, row,
                                  &sum->reducer);
    free(messages);
    return status;
}

Status grad_sum_open(GradSum *sum, Comm *comm, Share *share, Device *device, const Model *model,
                     const RunConfig *config, TraceRow *row) {
    *sum = (GradSum){.device = device,
                     .share = share,
                     .comm = comm,
                     .model = model,
                     .exact = config->reduction != REDUCTION_NATIVE,
                     .shifted = config->reduction == REDUCTION_EXACT32,
                     .lanes = config->lanes,
                     .gradient = fixed_gradient(config->lanes),
                     .statistics = fixed_statistics(config->lanes),
                     .flat = model->flat,
                     .running_flat = model->running_flat,
                     .per_weight = 1};
    sum->tail = tail_elements(model, sum->shifted);
    TRY(allocate(sum, config));
    TRY(cut_buckets(sum, config));
    TRY(open_marks(sum));
    return start_reducer(sum, row);
}

Status grad_sum_keep(GradSum *sum, int workers, const TermForm *form) {
    if (!sum->param_of)
        TRY(table_of_blocks(sum->device, sum->model, &sum->param_of));
    TRY(table_of_forms(sum->device, sum->model, form, &sum->term_param));
    return kept_open(&sum->kept, sum->device, workers, sum->buckets);
}

void grad_sum_close(GradSum *sum) {
    if (!sum->device)
        return;
    reducer_stop(sum->reducer);
    kept_close(&sum->kept);
    pieces_close(&sum->pieces);
    for (int b = 0; sum->mark && b < sum->buckets; b++) {
        if (sum->mark[b])
            sum->device->ops->marks->close(sum->mark[b]);
    }
    free(sum->mark);
    free(sum->begin);
    free(sum->added);
    free(sum->staged);
    free(sum->shift);
    free(sum->no_peak);
    sum->device->ops->release(sum->device, sum->low);
    sum->device->ops->release(sum->device, sum->param_of);
    sum->device->ops->release(sum->device, sum->term_param);
    sum->device->ops->release(sum->device, sum->device_shift);
    if (!sum->share)
        sum->device->ops->release(sum->device, sum->fixed);
    sum->device->ops->release(sum->device, sum->real);
    sum->device->ops->release(sum->device, sum->half);
    memset(sum, 0, sizeof *sum);
}
