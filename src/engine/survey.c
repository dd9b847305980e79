/* survey: see survey.h.
 *
 * Each rank hashes its records, label and pixels. Sums of hashes by file say what a set is and
 * which files have the same records; the hashes of the test set go to all ranks, which look for
 * them among their training records. */
#include "lockstep/survey.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/log.h"

enum { TEST_MAX = 1000000, READ_RECORDS = 500 };

/* A test record's hash, and whether it was found. */
typedef struct TestRecord {
    uint64_t hash;
    int64_t place;
} TestRecord;

typedef struct Surveyor {
    Input *input;
    TestRecord *test; /* [n_test] sorted; NULL: not looked for */
    int64_t n_test;
    int64_t *found; /* [n_test] by place: how often it is in the training set */
} Surveyor;

static int by_hash(const void *a, const void *b) {
    const TestRecord *x = a, *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

/* Notes the test records that are this one. */
static void look_for(Surveyor *surveyor, uint64_t hash) {
    int64_t low = 0, high = surveyor->n_test;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (surveyor->test[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < surveyor->n_test && surveyor->test[low].hash == hash; low++)
        surveyor->found[surveyor->test[low].place]++;
}

static bool is_black(const uint8_t *pixels, size_t bytes) {
    return pixels[0] == 0 && memcmp(pixels, pixels + 1, bytes - 1) == 0;
}

static uint64_t add_record(SurveyFile *file, Shape image, uint16_t label, const uint8_t *pixels) {
    uint64_t hash = record_hash(image, label, pixels);
    file->sum += hash;
    file->records++;
    file->black += is_black(pixels, (size_t)shape_count(image));
    return hash;
}

/* Records of the training set. */
static void add_training(Surveyor *surveyor, const int64_t *ids, const uint16_t *labels,
                         const uint8_t *pixels, int64_t n) {
    const Dataset *dataset = &surveyor->input->dataset;
    Survey *survey = &surveyor->input->survey;
    int64_t size = shape_count(dataset->image);
    int64_t each = dataset->count[DATASET_PART_TRAIN] / dataset_file_count(dataset);
    for (int64_t i = 0; i < n; i++) {
        SurveyFile *file = &survey->train[ids[i] / each];
        look_for(surveyor, add_record(file, dataset->image, labels[i], pixels + i * size));
    }
}

/* This rank's share of the training records from `first` on, which no rank has. Local. */
static Status add_rest(Surveyor *surveyor, int64_t first, int rank, int size) {
    const Dataset *dataset = &surveyor->input->dataset;
    int64_t total = dataset->count[DATASET_PART_TRAIN], ids[READ_RECORDS], share, begin;
    Status status = ST_OK;
    input_lanes(total - first, size, rank, &begin, &share);
    uint16_t *labels = malloc(READ_RECORDS * sizeof *labels);
    uint8_t *pixels = malloc((size_t)(READ_RECORDS * shape_count(dataset->image)));
    if (!labels || !pixels)
        TRY_DONE(FAIL(ST_INTERNAL, "out of memory"));
    for (int64_t at = 0, n; at < share; at += n) {
        n = share - at < READ_RECORDS ? share - at : READ_RECORDS;
        for (int64_t i = 0; i < n; i++)
            ids[i] = first + begin + at + i;
        TRY_DONE(dataset_read(dataset, DATASET_PART_TRAIN, ids, n, labels, pixels, NULL));
        add_training(surveyor, ids, labels, pixels, n);
    }
done:
    free(pixels);
    free(labels);
    return status;
}

/* Of a rank that has shards, all training records that it has. Local. */
static Status add_all_training(Surveyor *surveyor, int rank, int size) {
    const Input *input = surveyor->input;
    const Dataset *dataset = &input->dataset;
    const Shard *held = &input->holdout.shard;
    bool own_holdout = dataset->count[DATASET_PART_HOLDOUT] > 0;
    int64_t used = input->sampler.records + (own_holdout ? 0 : input->holdout.records);
    for (int64_t i = 0; i < input->lane_count; i++) {
        const Shard *shard = &input->shards[i];
        add_training(surveyor, shard->ids, shard->labels, shard->pixels, shard->count);
    }
    if (!own_holdout)
        add_training(surveyor, held->ids, held->labels, held->pixels, held->count);
    return dataset_may_be_cifar10(dataset) ? add_rest(surveyor, used, rank, size) : ST_OK;
}

/* This rank's part of the test set; its hashes into hashes[n_test], NULL: nowhere. */
static void add_test(Input *input, int64_t *hashes) {
    const Shard *shard = &input->test.shard;
    int64_t size = shape_count(input->dataset.image);
    for (int64_t i = 0; i < shard->count; i++) {
        uint64_t hash = add_record(&input->survey.test, input->dataset.image, shard->labels[i],
                                   shard->pixels + i * size);
        if (hashes)
            memcpy(&hashes[shard->ids[i]], &hash, sizeof hash);
    }
}

/* Brings the hashes of the test set to all ranks, sorted. Collective, agreed. */
static Status gather_test(Surveyor *surveyor, Comm *comm) {
    Input *input = surveyor->input;
    int64_t n = input->dataset.count[DATASET_PART_TEST];
    if (input->lane_count == 0 || n > TEST_MAX) {
        add_test(input, NULL);
        return ST_OK;
    }
    surveyor->test = calloc((size_t)n, sizeof *surveyor->test);
    surveyor->found = calloc((size_t)n, sizeof *surveyor->found);
    bool there = surveyor->test && surveyor->found;
    TRY(comm_agree(comm, there ? ST_OK : FAIL(ST_INTERNAL, "out of memory")));
    add_test(input, surveyor->found);
    TRY(comm_sum_i64(comm, surveyor->found, n)); /* every record has one owner: a gather */
    for (int64_t i = 0; i < n; i++) {
        memcpy(&surveyor->test[i].hash, &surveyor->found[i], sizeof(uint64_t));
        surveyor->test[i].place = i;
        surveyor->found[i] = 0;
    }
    surveyor->n_test = n;
    qsort(surveyor->test, (size_t)n, sizeof *surveyor->test, by_hash);
    return ST_OK;
}

/* Over all ranks. Collective. */
static Status sum_up(Surveyor *surveyor, Comm *comm) {
    Survey *survey = &surveyor->input->survey;
    _Static_assert(sizeof *survey % sizeof(int64_t) == 0, "it is summed as numbers");
    int64_t sums[sizeof *survey / sizeof(int64_t)];
    memcpy(sums, survey, sizeof sums);
    TRY(comm_sum_i64(comm, sums, sizeof sums / sizeof *sums));
    memcpy(survey, sums, sizeof sums);
    if (surveyor->n_test > 0)
        TRY(comm_sum_i64(comm, surveyor->found, surveyor->n_test));
    for (int64_t i = 0; i < surveyor->n_test; i++)
        survey->test_in_train += surveyor->found[i] > 0;
    return ST_OK;
}

Status survey_take(Input *input, Comm *comm) {
    Surveyor surveyor = {.input = input};
    Survey *survey = &input->survey;
    uint64_t train = 0;
    Status status = ST_OK;
    *survey = (Survey){0};
    if (input->dataset.synthetic)
        return ST_OK;
    TRY_DONE(gather_test(&surveyor, comm));
    if (input->lane_count > 0)
        TRY_DONE(comm_agree(comm, add_all_training(&surveyor, comm_rank(comm), comm_size(comm))));
    TRY_DONE(sum_up(&surveyor, comm));
    for (int i = 0; i < dataset_file_count(&input->dataset); i++)
        train += survey->train[i].sum;
    dataset_recognise(&input->dataset, input->lane_count > 0 ? &train : NULL, survey->test.sum);
done:
    free(surveyor.test);
    free(surveyor.found);
    return status;
}

static void warn_of_black(const Dataset *dataset, const char *name, const SurveyFile *file) {
    if (2 * file->black > file->records)
        log_warn("data: %" PRId64 " of %" PRId64 " images of %s in %s are black: was it written "
                 "whole?",
                 file->black, file->records, name, dataset->path);
}

void survey_announce(const Input *input) {
    const Dataset *dataset = &input->dataset;
    const Survey *survey = &input->survey;
    int n = dataset->synthetic ? 0 : dataset_file_count(dataset);
    for (int i = 0; i < n; i++) {
        const SurveyFile *file = &survey->train[i];
        warn_of_black(dataset, dataset_file_name(dataset, i), file);
        for (int k = 0; k < i; k++) {
            const SurveyFile *other = &survey->train[k];
            if (file->records > 0 && file->records == other->records && file->sum == other->sum)
                log_warn("data: %s and %s in %s have the same records: is one a copy?",
                         dataset_file_name(dataset, k), dataset_file_name(dataset, i),
                         dataset->path);
        }
    }
    if (n > 0)
        warn_of_black(dataset, dataset_file_name(dataset, n), &survey->test);
    if (100 * survey->test_in_train > survey->test.records)
        log_warn("data: %" PRId64 " of %" PRId64 " test images are training images as well: what "
                 "is said of the test set says little",
                 survey->test_in_train, survey->test.records);
}
