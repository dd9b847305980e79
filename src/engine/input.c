/* input: see input.h. */
#include "lockstep/input.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/hash.h"
#include "lockstep/log.h"
#include "lockstep/path.h"

Status input_dataset(const RunConfig *config, Dataset *dataset) {
    const char *variable = getenv("CIFAR10_DIR");
    char folder[CONFIG_PATH_MAX] = "data/cifar10";
    if (config->data[0]) {
        snprintf(folder, sizeof folder, "%s", config->data);
    } else if (variable && variable[0]) {
        Status status = path_expand(variable, folder, sizeof folder);
        if (status != ST_OK)
            status_prefix("CIFAR10_DIR");
        TRY(status);
    }
    return dataset_open(folder, config->seed, dataset);
}

void input_lanes(int64_t lanes, int size, int rank, int64_t *first, int64_t *count) {
    int64_t each = lanes / size, more = lanes % size;
    *count = each + (rank < more);
    *first = each * rank + (rank < more ? rank : more);
}

Status input_open(Input *input, const RunConfig *config) {
    *input = (Input){0};
    return input_dataset(config, &input->dataset);
}

static Split split_of(const RunConfig *config) {
    return (Split){.records = config->train_records, .holdout = config->holdout};
}

Status input_plan(Input *input, const RunConfig *config) {
    int64_t train;
    Split split = split_of(config);
    TRY(split_train_count(&split, input->dataset.count[DATASET_PART_TRAIN], &train));
    return sampler_init(&input->sampler, train, config->lanes, config->batch_size / config->lanes,
                        config->drop_last, config->seed);
}

/* Reads the records of this rank's share of the batches of a set; `ids` NULL: records 0, 1, 2 ...
 */
static Status read_eval_set(Input *input, EvalSet *set, const char *name, DatasetPart part,
                            const int64_t *ids, int64_t records, int64_t batch, int rank,
                            int size) {
    int64_t batches = (records + batch - 1) / batch, count;
    int64_t *all = NULL;
    set->name = name;
    set->records = records;
    set->batch = batch;
    input_lanes(batches, size, rank, &set->first, &count);
    set->end = set->first + count;
    int64_t from = set->first * batch, to = set->end * batch;
    if (to > records)
        to = records;
    if (!ids) {
        all = malloc((size_t)records * sizeof *all);
        TRY_ALLOC(all);
        for (int64_t i = 0; i < records; i++)
            all[i] = i;
        ids = all;
    }
    Status status = ST_OK;
    if (to > from)
        status =
            shard_read(&input->dataset, part, ids, from, to - from, &set->shard, &input->bytes);
    free(all);
    return status;
}

Status input_read_test(Input *input, const RunConfig *config, int rank, int size) {
    return read_eval_set(input, &input->test, "test", DATASET_PART_TEST, NULL,
                         input->dataset.count[DATASET_PART_TEST], config->eval_batch, rank, size);
}

Status input_read(Input *input, const RunConfig *config, int rank, int size) {
    Status status = ST_OK;
    int64_t *train = NULL, *held = NULL;
    Split split = split_of(config);
    input_lanes(config->lanes, size, rank, &input->first_lane, &input->lane_count);
    input->shards = calloc((size_t)input->lane_count, sizeof *input->shards);
    input->resident = calloc((size_t)input->lane_count, sizeof *input->resident);
    TRY_ALLOC(input->shards);
    TRY_ALLOC(input->resident);
    TRY_DONE(
        split_ids(&split, input->dataset.count[DATASET_PART_TRAIN], config->seed, &train, &held));
    for (int64_t i = 0; i < input->lane_count; i++) {
        int64_t first, count;
        sampler_shard(&input->sampler, input->first_lane + i, &first, &count);
        TRY_DONE(shard_read(&input->dataset, DATASET_PART_TRAIN, train, first, count,
                            &input->shards[i], &input->bytes));
    }
    if (config->holdout > 0)
        TRY_DONE(read_eval_set(input, &input->holdout, "holdout", DATASET_PART_TRAIN, held,
                               config->holdout, config->eval_batch, rank, size));
    TRY_DONE(input_read_test(input, config, rank, size));
done:
    free(train);
    free(held);
    return status;
}

/* A sum over records, so it does not matter who has which. Collective. */
static Status hash_test(Input *input, Comm *comm) {
    const Shard *shard = &input->test.shard;
    size_t bytes = (size_t)shape_count(input->dataset.image);
    uint64_t sum = 0;
    int64_t wrapped;
    for (int64_t i = 0; i < shard->count; i++) {
        const uint64_t part[3] = {(uint64_t)shard->ids[i], shard->labels[i],
                                  hash_bytes(shard->pixels + (size_t)i * bytes, bytes)};
        sum += hash_bytes(part, sizeof part);
    }
    memcpy(&wrapped, &sum, sizeof wrapped);
    TRY(comm_sum_i64(comm, &wrapped, 1)); /* modulo 2^64 */
    input->test_hash = hash_bytes(&wrapped, sizeof wrapped) | 1;
    return ST_OK;
}

Status input_hash(Input *input, Comm *comm) {
    int64_t lanes = input->sampler.lanes;
    int64_t *hashes = calloc((size_t)lanes, sizeof *hashes);
    TRY_ALLOC(hashes);
    for (int64_t i = 0; i < input->lane_count; i++)
        memcpy(&hashes[input->first_lane + i], &input->shards[i].hash, sizeof *hashes);
    Status status = comm_sum_i64(comm, hashes, lanes); /* every lane has one owner: a gather */
    input->hash = hash_bytes(hashes, (size_t)lanes * sizeof *hashes);
    free(hashes);
    return status == ST_OK ? hash_test(input, comm) : status;
}

typedef struct ReportLine {
    char text[256];
} ReportLine;

Status input_report(const Input *input, Comm *comm) {
    int size = comm_size(comm);
    ReportLine mine;
    int64_t first, last, count;
    ReportLine *all = calloc((size_t)size, sizeof *all);
    TRY_ALLOC(all);
    sampler_shard(&input->sampler, input->first_lane, &first, &count);
    sampler_shard(&input->sampler, input->first_lane + input->lane_count - 1, &last, &count);
    snprintf(mine.text, sizeof mine.text,
             "rank %d on %s: lanes %" PRId64 "-%" PRId64 ", training records %" PRId64 "-%" PRId64
             ", %.1f MB read",
             comm_rank(comm), comm_host(comm), input->first_lane,
             input->first_lane + input->lane_count - 1, first, last + count - 1,
             (double)input->bytes / 1e6);
    Status status = comm_allgather(comm, &mine, sizeof mine, all);
    for (int r = 0; status == ST_OK && r < size; r++)
        log_info("%s", all[r].text);
    free(all);
    return status;
}

static int add_size(int64_t *sizes, int n, int64_t size) {
    int at = n;
    for (int i = 0; i < n; i++) {
        if (sizes[i] == size)
            return n;
    }
    if (size == 0)
        return n;
    for (; at > 0 && sizes[at - 1] < size; at--)
        sizes[at] = sizes[at - 1];
    sizes[at] = size;
    return n + 1;
}

int input_eval_sizes(const Input *input, int64_t sizes[4]) {
    const EvalSet *sets[] = {&input->test, &input->holdout};
    int n = 0;
    for (int i = 0; i < 2; i++) {
        if (sets[i]->records >= sets[i]->batch && sets[i]->batch > 0)
            n = add_size(sizes, n, sets[i]->batch);
        if (sets[i]->batch > 0)
            n = add_size(sizes, n, sets[i]->records % sets[i]->batch);
    }
    return n;
}

void input_free(Input *input) {
    for (int64_t i = 0; input->shards && i < input->lane_count; i++)
        shard_free(&input->shards[i]);
    free(input->shards);
    free(input->resident);
    shard_free(&input->test.shard);
    shard_free(&input->holdout.shard);
    memset(input, 0, sizeof *input);
}
