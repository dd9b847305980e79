/* shard: the records of a lane in memory, and the split of the training set before lanes share it.
 *
 * The shard's hash is taken over what the lane will really compute with (record numbers, labels,
 * pixels), so that ranks and checkpoints compare data, not file names. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/dataset.h"
#include "lockstep/rng.h"

/* Marks `holdout` of `total` records: the first draws of a Fisher-Yates shuffle. */
static void choose_held(int64_t total, int64_t holdout, uint64_t seed, int32_t *order, bool *held) {
    RngKey key = rng_key(seed, RNG_HOLDOUT);
    RngBlock block = {{0}};
    for (int64_t i = 0; i < total; i++)
        order[i] = (int32_t)i;
    for (int64_t draw = 0; draw < holdout; draw++) {
        if (draw % 4 == 0)
            block = rng_block(key, (uint32_t)(draw / 4), 0, 0, 0);
        int64_t j = draw + rng_below(block.word[draw % 4], (uint32_t)(total - draw));
        held[order[j]] = true;
        order[j] = order[draw];
    }
}

Status split_train_count(const Split *split, int64_t total, int64_t *count) {
    int64_t holdout = split->holdout, records = split->records;
    *count = records > 0 ? records : total - holdout;
    if (holdout < 0 || records < 0 || *count < 1 || *count > total - holdout || total > INT32_MAX)
        return FAIL(ST_USAGE,
                    "train-records %" PRId64 " and holdout %" PRId64
                    " do not fit: the training set has %" PRId64 " records",
                    records, holdout, total);
    return ST_OK;
}

Status split_ids(const Split *split, int64_t total, uint64_t seed, int64_t **train,
                 int64_t **held) {
    Status status = ST_OK;
    int64_t count;
    *train = *held = NULL;
    TRY(split_train_count(split, total, &count));
    int32_t *order = malloc((size_t)total * sizeof *order);
    bool *chosen = calloc((size_t)total, sizeof *chosen);
    *train = malloc((size_t)count * sizeof **train);
    *held = malloc((size_t)(split->holdout + 1) * sizeof **held); /* never empty, so never NULL */
    if (!order || !chosen || !*train || !*held)
        TRY_DONE(FAIL(ST_INTERNAL, "out of memory for the list of %" PRId64 " records", total));
    if (split->records > 0)
        memset(chosen + count, true, (size_t)split->holdout);
    else
        choose_held(total, split->holdout, seed, order, chosen);
    int64_t trained = 0, kept = 0;
    for (int64_t i = 0; i < count + split->holdout; i++) {
        if (chosen[i])
            (*held)[kept++] = i;
        else
            (*train)[trained++] = i;
    }
done:
    if (status != ST_OK) {
        free(*train);
        free(*held);
        *train = *held = NULL;
    }
    free(chosen);
    free(order);
    return status;
}

void dataset_hash(const Dataset *dataset, const uint16_t *labels, const uint8_t *pixels, int64_t n,
                  HashState *hash) {
    enum { BYTE_CLASSES = 256 };
    for (int64_t i = 0; i < n && dataset->classes <= BYTE_CLASSES; i++) {
        uint8_t label = (uint8_t)labels[i];
        hash_add(hash, &label, sizeof label);
    }
    if (dataset->classes > BYTE_CLASSES)
        hash_add(hash, labels, (size_t)n * sizeof *labels);
    hash_add(hash, pixels, (size_t)(n * shape_count(dataset->image)));
}

static Status shard_hash(const Dataset *dataset, Shard *shard) {
    HashState *hash = hash_new();
    TRY_ALLOC(hash);
    hash_add(hash, shard->ids, (size_t)shard->count * sizeof *shard->ids);
    dataset_hash(dataset, shard->labels, shard->pixels, shard->count, hash);
    shard->hash = hash_value(hash);
    hash_free(hash);
    return ST_OK;
}

Status shard_read(const Dataset *dataset, DatasetPart part, const int64_t *ids, int64_t first,
                  int64_t count, Shard *shard, int64_t *bytes) {
    Status status = ST_OK;
    size_t n = (size_t)count, pixels = (size_t)shape_count(dataset->image);
    memset(shard, 0, sizeof *shard);
    shard->first = first;
    shard->count = count;
    shard->ids = malloc((n + 1) * sizeof *shard->ids); /* + 1: an empty shard is not NULL */
    shard->labels = malloc((n + 1) * sizeof *shard->labels);
    shard->pixels = malloc(n * pixels + 1);
    if (!shard->ids || !shard->labels || !shard->pixels)
        TRY_DONE(FAIL(ST_INTERNAL, "out of memory for a shard of %" PRId64 " records", count));
    memcpy(shard->ids, ids + first, n * sizeof *shard->ids);
    TRY_DONE(dataset_read(dataset, part, shard->ids, count, shard->labels, shard->pixels, bytes));
    TRY_DONE(shard_hash(dataset, shard));
done:
    if (status != ST_OK)
        shard_free(shard);
    return status;
}

void shard_free(Shard *shard) {
    free(shard->pixels);
    free(shard->labels);
    free(shard->ids);
    memset(shard, 0, sizeof *shard);
}
