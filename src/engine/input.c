/* input: see input.h. */
#include "lockstep/input.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/hash.h"
#include "lockstep/log.h"
#include "lockstep/moments.h"
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
    TRY(dataset_open(folder, config->seed, dataset));
    return config->labels == LABELS_COARSE ? dataset_coarse(dataset) : ST_OK;
}

void input_lanes(int64_t lanes, int size, int rank, int64_t *first, int64_t *count) {
    int64_t each = lanes / size, more = lanes % size;
    *count = each + (rank < more);
    *first = each * rank + (rank < more ? rank : more);
}

Status input_open(Input *input, const RunConfig *config, bool accelerator) {
    *input = (Input){.eval_batch = config->eval_batch * (accelerator ? EVAL_BATCHES_AT_ONCE : 1)};
    return input_dataset(config, &input->dataset);
}

static Split split_of(const RunConfig *config) {
    return (Split){.records = config->train_records, .holdout = config->holdout};
}

Status input_plan(Input *input, const RunConfig *config) {
    int64_t train, own = input->dataset.count[DATASET_PART_HOLDOUT];
    Split split = split_of(config);
    if (own > 0 && config->holdout > 0)
        return FAIL(ST_USAGE,
                    "holdout %" PRId64 ": %s has %" PRId64
                    " held-out records of its own, which select the best; leave holdout out",
                    config->holdout, input->dataset.path, own);
    TRY(split_train_count(&split, input->dataset.count[DATASET_PART_TRAIN], &train));
    return sampler_init(&input->sampler, train, config->lanes, config->batch_size / config->lanes,
                        config->drop_last, config->seed);
}

/* ---- Where ranks find the data set ---- */

static void describe_place(const Place *place, char *text, size_t room) {
    snprintf(text, room,
             "%" PRId64 " training and %" PRId64 " test records of %" PRId64 " classes, %" PRId64
             " x %" PRId64 " x %" PRId64 ", in %s",
             place->count[DATASET_PART_TRAIN], place->count[DATASET_PART_TEST], place->classes,
             place->image.c, place->image.h, place->image.w,
             place->synthetic ? "memory (synthetic)" : place->folder);
}

static bool is_alike(const Place *a, const Place *b) {
    return a->synthetic == b->synthetic && a->classes == b->classes &&
           memcmp(a->count, b->count, sizeof a->count) == 0 && a->image.c == b->image.c &&
           a->image.h == b->image.h && a->image.w == b->image.w;
}

static bool may_be_cifar10(const Place *place) {
    Dataset dataset = {
        .synthetic = place->synthetic != 0, .image = place->image, .classes = place->classes};
    memcpy(dataset.count, place->count, sizeof dataset.count);
    return dataset_may_be_cifar10(&dataset);
}

/* ST_DATA on the lowest rank that differs from rank 0, which speaks. Local. */
static Status judge_places(const Place *places, int size, int rank) {
    char here[384], there[384];
    int other = 1;
    while (other < size && is_alike(&places[0], &places[other]))
        other++;
    if (other != rank || other == size)
        return ST_OK;
    describe_place(&places[rank], here, sizeof here);
    describe_place(&places[0], there, sizeof there);
    return FAIL(ST_DATA,
                "rank %d on %s finds %s; rank 0 on %s finds %s: give all ranks the same images "
                "(--data, CIFAR10_DIR%s)",
                rank, places[rank].host, here, places[0].host, there,
                may_be_cifar10(&places[rank]) || may_be_cifar10(&places[0])
                    ? ", scripts/get-cifar10.sh"
                    : "");
}

static void find_copies(Input *input, int size) {
    Place *places = input->places;
    for (int r = 0; r < size; r++) {
        int first = 0;
        while (places[first].files != places[r].files ||
               strcmp(places[first].host, places[r].host) != 0)
            first++;
        places[r].copy = first;
        input->copies += first == r;
    }
}

Status input_compare(Input *input, Comm *comm) {
    int size = comm_size(comm);
    const Dataset *dataset = &input->dataset;
    Place mine;
    input->copies = 1;
    if (size == 1)
        return ST_OK;
    memset(&mine, 0, sizeof mine); /* gathered as bytes */
    snprintf(mine.host, sizeof mine.host, "%s", comm_host(comm));
    snprintf(mine.folder, sizeof mine.folder, "%.*s", (int)sizeof mine.folder - 1, dataset->path);
    memcpy(mine.count, dataset->count, sizeof mine.count);
    mine.classes = dataset->classes;
    mine.image = dataset->image;
    mine.synthetic = dataset->synthetic;
    Status status = dataset_files(dataset, &mine.files);
    if (status == ST_OK) {
        input->places = calloc((size_t)size, sizeof *input->places);
        status = input->places ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
    }
    TRY(comm_agree(comm, status));
    TRY(comm_allgather(comm, &mine, sizeof mine, input->places));
    TRY(comm_agree(comm, judge_places(input->places, size, comm_rank(comm))));
    input->copies = 0;
    find_copies(input, size);
    return ST_OK;
}

/* ---- Parts: what each rank works on ---- */

/* A rank's share of the batches of a set. */
static InputPart eval_part(InputSet set, int64_t records, int64_t batch, int rank, int size) {
    int64_t batches = (records + batch - 1) / batch, first, count;
    input_lanes(batches, size, rank, &first, &count);
    int64_t from = first * batch, to = (first + count) * batch;
    if (to > records)
        to = records;
    return (InputPart){set, rank, -1, from, to > from ? to - from : 0};
}

static InputPart lane_part(const Input *input, int64_t lane, int owner) {
    InputPart part = {.set = INPUT_LANE, .owner = owner, .lane = lane};
    sampler_shard(&input->sampler, lane, &part.first, &part.count);
    return part;
}

/* Of the set's own, or of its training records. */
static int64_t holdout_records(const Input *input, const RunConfig *config) {
    int64_t own = input->dataset.count[DATASET_PART_HOLDOUT];
    return own > 0 ? own : config->holdout;
}

static InputPart holdout_part(const Input *input, const RunConfig *config, int rank, int size) {
    return eval_part(INPUT_HOLDOUT, holdout_records(input, config), input->eval_batch, rank, size);
}

static InputPart test_part(const Input *input, int rank, int size) {
    return eval_part(INPUT_TEST, input->dataset.count[DATASET_PART_TEST], input->eval_batch, rank,
                     size);
}

int64_t input_part_count(const Input *input, int size) {
    return input->sampler.lanes + 2 * (int64_t)size;
}

void input_parts(const Input *input, const RunConfig *config, int size, InputPart *parts) {
    for (int r = 0; r < size; r++) {
        int64_t first, count, lanes = input->sampler.lanes;
        input_lanes(lanes, size, r, &first, &count);
        for (int64_t lane = first; lane < first + count; lane++)
            parts[lane] = lane_part(input, lane, r);
        parts[lanes + r] =
            lanes > 0 ? holdout_part(input, config, r, size) : (InputPart){.set = INPUT_HOLDOUT};
        parts[lanes + size + r] = test_part(input, r, size);
    }
}

uint64_t input_part_hash(const Input *input, const InputPart *part) {
    if (part->count == 0)
        return 0;
    switch (part->set) {
    case INPUT_LANE:
        return input->shards[part->lane - input->first_lane].hash;
    case INPUT_HOLDOUT:
        return input->holdout.shard.hash;
    case INPUT_TEST:
        return input->test.shard.hash;
    }
    return 0;
}

/* All of a part, in order. */
static Status list_all(int64_t records, int64_t **list) {
    *list = malloc((size_t)(records + 1) * sizeof **list);
    TRY_ALLOC(*list);
    for (int64_t i = 0; i < records; i++)
        (*list)[i] = i;
    return ST_OK;
}

Status input_lists(const Input *input, const RunConfig *config, InputLists *lists) {
    const int64_t *count = input->dataset.count;
    Split split = split_of(config);
    *lists = (InputLists){0};
    if (input->sampler.lanes > 0)
        TRY(split_ids(&split, count[DATASET_PART_TRAIN], config->seed, &lists->train,
                      &lists->held));
    if (input->sampler.lanes > 0 && count[DATASET_PART_HOLDOUT] > 0) {
        free(lists->held); /* nothing: its own is all there is */
        TRY(list_all(count[DATASET_PART_HOLDOUT], &lists->held));
    }
    return list_all(count[DATASET_PART_TEST], &lists->test);
}

void input_lists_free(InputLists *lists) {
    free(lists->train);
    free(lists->held);
    free(lists->test);
    *lists = (InputLists){0};
}

Status input_read_part(const Dataset *dataset, const InputLists *lists, const InputPart *part,
                       Shard *shard, int64_t *bytes) {
    const int64_t *list = part->set == INPUT_LANE      ? lists->train
                          : part->set == INPUT_HOLDOUT ? lists->held
                                                       : lists->test;
    bool own = part->set == INPUT_HOLDOUT && dataset->count[DATASET_PART_HOLDOUT] > 0;
    DatasetPart of = part->set == INPUT_TEST ? DATASET_PART_TEST
                     : own                   ? DATASET_PART_HOLDOUT
                                             : DATASET_PART_TRAIN;
    return shard_read(dataset, of, list, part->first, part->count, shard, bytes);
}

/* ---- What this rank works on ---- */

static Status read_eval_set(Input *input, EvalSet *set, const char *name, int64_t records,
                            const InputLists *lists, const InputPart *part) {
    int64_t batch = input->eval_batch;
    set->name = name;
    set->records = records;
    set->batch = batch;
    set->first = part->first / batch;
    set->end = set->first + (part->count + batch - 1) / batch;
    return part->count > 0
               ? input_read_part(&input->dataset, lists, part, &set->shard, &input->bytes)
               : ST_OK;
}

static Status read_test(Input *input, const InputLists *lists, int rank, int size) {
    InputPart part = test_part(input, rank, size);
    return read_eval_set(input, &input->test, "test", input->dataset.count[DATASET_PART_TEST],
                         lists, &part);
}

Status input_read_test(Input *input, const RunConfig *config, int rank, int size) {
    InputLists lists;
    Status status = input_lists(input, config, &lists);
    if (status == ST_OK)
        status = read_test(input, &lists, rank, size);
    input_lists_free(&lists);
    return status;
}

Status input_read(Input *input, const RunConfig *config, int rank, int size) {
    Status status = ST_OK;
    InputLists lists;
    input_lanes(config->lanes, size, rank, &input->first_lane, &input->lane_count);
    input->shards = calloc((size_t)input->lane_count, sizeof *input->shards);
    input->resident = calloc((size_t)input->lane_count, sizeof *input->resident);
    TRY_ALLOC(input->shards);
    TRY_ALLOC(input->resident);
    TRY_DONE(input_lists(input, config, &lists));
    for (int64_t i = 0; i < input->lane_count; i++) {
        InputPart part = lane_part(input, input->first_lane + i, rank);
        TRY_DONE(input_read_part(&input->dataset, &lists, &part, &input->shards[i], &input->bytes));
    }
    int64_t held = holdout_records(input, config);
    if (held > 0) {
        InputPart part = holdout_part(input, config, rank, size);
        TRY_DONE(read_eval_set(input, &input->holdout, "holdout", held, &lists, &part));
    }
    TRY_DONE(read_test(input, &lists, rank, size));
done:
    input_lists_free(&lists);
    return status;
}

/* ---- Hashes and the report ---- */

/* A sum over records, so it does not matter who has which. */
static uint64_t sum_hashes(const Dataset *dataset, const Shard *shard) {
    size_t bytes = (size_t)shape_count(dataset->image);
    uint64_t sum = 0;
    for (int64_t i = 0; i < shard->count; i++) {
        const uint64_t part[3] = {(uint64_t)shard->ids[i], shard->labels[i],
                                  hash_bytes(shard->pixels + (size_t)i * bytes, bytes)};
        sum += hash_bytes(part, sizeof part);
    }
    return sum;
}

Status input_hash_test(Input *input, Comm *comm) {
    uint64_t sum = sum_hashes(&input->dataset, &input->test.shard);
    int64_t wrapped;
    memcpy(&wrapped, &sum, sizeof wrapped);
    TRY(comm_sum_i64(comm, &wrapped, 1)); /* modulo 2^64 */
    input->test_hash = hash_bytes(&wrapped, sizeof wrapped) | 1;
    return ST_OK;
}

Status input_hash(Input *input, Comm *comm) {
    int64_t lanes = input->sampler.lanes;
    int64_t n = lanes + (input->dataset.count[DATASET_PART_HOLDOUT] > 0); /* one of its own */
    int64_t *hashes = calloc((size_t)n, sizeof *hashes);
    TRY_ALLOC(hashes);
    if (n > lanes) {
        uint64_t held = sum_hashes(&input->dataset, &input->holdout.shard);
        memcpy(&hashes[lanes], &held, sizeof held);
    }
    for (int64_t i = 0; i < input->lane_count; i++)
        memcpy(&hashes[input->first_lane + i], &input->shards[i].hash, sizeof *hashes);
    Status status = comm_sum_i64(comm, hashes, n); /* every lane has one owner: a gather */
    input->hash = hash_bytes(hashes, (size_t)n * sizeof *hashes);
    free(hashes);
    return status == ST_OK ? input_hash_test(input, comm) : status;
}

Status input_moments(const Input *input, Comm *comm, double mean[IMAGE_CHANNELS_MAX],
                     double std[IMAGE_CHANNELS_MAX]) {
    const Dataset *dataset = &input->dataset;
    int64_t sums[MOMENTS_COUNT] = {0};
    for (int64_t c = 0; dataset->mean && c < dataset->image.c; c++) {
        mean[c] = dataset->mean[c];
        std[c] = dataset->std[c];
    }
    if (dataset->mean)
        return ST_OK;
    for (int64_t i = 0; i < input->lane_count; i++)
        moments_add(dataset->image, input->shards[i].pixels, input->shards[i].count, sums);
    TRY(comm_sum_i64(comm, sums, MOMENTS_COUNT));
    moments_take(dataset->image, sums, mean, std);
    for (int64_t c = 0; c < dataset->image.c; c++) {
        mean[c] /= 255;
        std[c] = std[c] > 0 ? std[c] / 255 : 1; /* of a channel that is everywhere the same */
    }
    return ST_OK;
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

/* What this rank has read. */
static void free_parts(Input *input) {
    for (int64_t i = 0; input->shards && i < input->lane_count; i++)
        shard_free(&input->shards[i]);
    free(input->shards);
    free(input->resident);
    input->shards = NULL;
    input->resident = NULL;
    shard_free(&input->test.shard);
    shard_free(&input->holdout.shard);
}

Status input_read_again(Input *input, const RunConfig *config, int rank, int size) {
    free_parts(input);
    return input_read(input, config, rank, size);
}

void input_free(Input *input) {
    free_parts(input);
    free(input->places);
    dataset_free(&input->dataset);
    memset(input, 0, sizeof *input);
}
