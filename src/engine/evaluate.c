/* evaluate: see evaluate.h.
 *
 * A thread computes its batches in rounds: it enqueues all of a round, waits once, and counts what
 * came of each image. Where images are in device memory a round is many batches, so that a device
 * that runs by itself is never idle; elsewhere it is one. */
#include "lockstep/evaluate.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/bf16.h"
#include "lockstep/exact_sum.h"
#include "views.h"

/* What is counted: these, then the images of each class, then the confusion matrix. */
enum { AT_LOSS, AT_BAD, AT_IMAGES, AT_CLASSES };

static int64_t count_room(int64_t classes) {
    return AT_CLASSES + classes + classes * classes;
}

enum { ROUND_IMAGES_MAX = 16384 };

/* What one thread has enqueued and not counted, host memory. */
typedef struct Round {
    int64_t n;            /* batches */
    int64_t *batch;       /* [round_batches] */
    int32_t *label;       /* [round_batches][batch], as all below */
    Placement *placement; /* NULL: images are not in device memory */
    float *loss;
    int32_t *predicted;
    char *logits; /* [round_batches][logit_bytes] */
} Round;

typedef struct EvalJob {
    Engine *engine;
    const EvalSet *set;
    const Augment *augment;
    atomic_llong next;
    int64_t room;    /* of the counts of one thread */
    int64_t *counts; /* [threads][room] */
    int n_views;
    View view[VIEWS_MAX];
    int64_t round_batches; /* of a round, at most */
    Round *rounds;         /* [threads] */
    size_t logit_bytes;    /* of a batch */
    int64_t *outcomes;     /* [records of the set] see outcome_of */
    double *share;         /* [records of the set][outputs] by softmax, or NULL */
} EvalJob;

/* Loads batch `i` of a round, the `images` records from `at` in the rank's records. */
static Status load_batch(const EvalJob *job, const Worker *worker, const Round *round, int64_t i,
                         Executor *executor, int64_t at, int64_t images) {
    const EvalSet *set = job->set;
    Shape shape = job->engine->model->image;
    int64_t pixels = shape_count(shape);
    int32_t *label = round->label + i * set->batch;
    Placement *placement = set->resident ? round->placement + i * set->batch : NULL;
    for (int64_t k = 0; k < images; k++) {
        label[k] = set->shard.labels[at + k];
        if (placement)
            placement[k] = placement_plain((int32_t)(at + k));
        else
            augment_plain(job->augment, shape, set->shard.pixels + (at + k) * pixels,
                          worker->image + k * pixels);
    }
    if (!placement)
        return executor_load(executor, worker->image, label);
    const ImageRule rule = {.scale = augment_scale(job->augment)};
    const ImageDraws drawn = {.placement = placement}, none = {.placement = NULL};
    return executor_load_records(executor, set->resident, &drawn, &none, &rule, label);
}

/* One image of class `label`. */
static void count_image(int64_t *counts, int64_t classes, int64_t label, int64_t predicted) {
    counts[AT_CLASSES + label]++;
    if (predicted < classes)
        counts[AT_CLASSES + classes + label * classes + predicted]++;
}

/* The logits of one view of the `images` records from `at`. They return when they are on the host.
 */
static Status view_logits(const EvalJob *job, const View *view, const Worker *worker,
                          const int32_t *label, Executor *executor, int64_t at, int64_t images,
                          double *logits) {
    uint8_t made[IMAGE_CHANNELS_MAX * IMAGE_SIDE_MAX * IMAGE_SIDE_MAX];
    Tensor tensor = executor_logits(executor);
    Shape shape = job->engine->model->image;
    int64_t pixels = shape_count(shape);
    LaneRun run = {0};
    for (int64_t i = 0; i < images; i++) {
        view_make(view, shape, job->set->shard.pixels + (at + i) * pixels, made);
        augment_plain(job->augment, shape, made, worker->image + i * pixels);
    }
    TRY(executor_load(executor, worker->image, label));
    TRY(executor_forward(executor, &run));
    return job->engine->device->ops->read_tensor(worker->stream, logits, &tensor);
}

/* Leaves the executor with loss and prediction of the mean of all views' logits, summed in one
 * order. */
static Status judge_views(const EvalJob *job, const Worker *worker, int32_t *label,
                          Executor *executor, int64_t at, int64_t images) {
    Tensor tensor = executor_logits(executor);
    int64_t n = shape_count(tensor.shape);
    LaneRun run = {0};
    Status status = ST_OK;
    double *one = calloc((size_t)n, sizeof *one), *mean = calloc((size_t)n, sizeof *mean);
    if (!one || !mean)
        TRY_DONE(FAIL(ST_INTERNAL, "out of memory"));
    for (int64_t i = 0; i < images; i++)
        label[i] = job->set->shard.labels[at + i];
    for (int v = 0; v < job->n_views; v++) {
        TRY_DONE(view_logits(job, &job->view[v], worker, label, executor, at, images, one));
        for (int64_t i = 0; i < n; i++)
            mean[i] += job->view[v].weight * one[i];
    }
    TRY_DONE(job->engine->device->ops->write_tensor(worker->stream, &tensor, mean));
    TRY_DONE(executor_judge(executor, &run));
done:
    free(one);
    free(mean);
    return status;
}

static Status judge_plain(const EvalJob *job, const Worker *worker, const Round *round, int64_t i,
                          Executor *executor, int64_t at, int64_t images) {
    LaneRun run = {0};
    TRY(load_batch(job, worker, round, i, executor, at, images));
    return executor_forward(executor, &run);
}

static double logit(const void *logits, DType dtype, int64_t i) {
    switch (dtype) {
    case DT_F64:
        return ((const double *)logits)[i];
    case DT_BF16:
        return (double)bf16_to_float(((const uint16_t *)logits)[i]);
    default:
        return (double)((const float *)logits)[i];
    }
}

/* What softmax gives the predicted output, whose logit is the largest. */
static float probability(const void *logits, DType dtype, int64_t outputs, int64_t image,
                         int64_t predicted) {
    double top = logit(logits, dtype, image * outputs + predicted), sum = 0;
    for (int64_t c = 0; c < outputs; c++)
        sum += exp(logit(logits, dtype, image * outputs + c) - top);
    return (float)(1 / sum);
}

/* What softmax gives each output. */
static void put_shares(const void *logits, DType dtype, int64_t outputs, int64_t image,
                       int64_t predicted, double *share) {
    double top = logit(logits, dtype, image * outputs + predicted), sum = 0;
    for (int64_t c = 0; c < outputs; c++)
        sum += share[c] = exp(logit(logits, dtype, image * outputs + c) - top);
    for (int64_t c = 0; c < outputs; c++)
        share[c] /= sum;
}

/* What came of one image as one whole number: label, prediction, bits of the probability. Where all
 * ranks but one have zero, their sum brings it to all of them. */
static int64_t outcome_of(int32_t label, int32_t predicted, float share) {
    uint32_t bits;
    memcpy(&bits, &share, sizeof bits);
    return (int64_t)label << 48 | (int64_t)predicted << 32 | (int64_t)bits;
}

static void outcome_read(int64_t outcome, EvalResult *result, int64_t image) {
    uint32_t bits = (uint32_t)outcome;
    result->label[image] = (int32_t)(outcome >> 48);
    result->predicted[image] = (int32_t)(outcome >> 32 & 0xffff);
    memcpy(&result->probability[image], &bits, sizeof bits);
}

/* Images of a batch, the last of which may be shorter. */
static int64_t batch_images(const EvalSet *set, int64_t batch) {
    int64_t left = set->records - batch * set->batch;
    return left < set->batch ? left : set->batch;
}

static Executor *executor_of(const EvalJob *job, const Worker *worker, int64_t images) {
    return worker->eval[engine_find(job->engine->eval, job->engine->n_eval, images)];
}

/* Adds a batch to the round. What comes of it is on the host once the stream has been waited for.
 */
static Status enqueue_batch(const EvalJob *job, const Worker *worker, Round *round, int64_t batch) {
    const EvalSet *set = job->set;
    int64_t i = round->n++, images = batch_images(set, batch);
    int64_t at = (batch - set->first) * set->batch; /* in the rank's records */
    Executor *executor = executor_of(job, worker, images);
    Tensor output = executor_logits(executor);
    round->batch[i] = batch;
    if (job->n_views > 1)
        TRY(judge_views(job, worker, round->label + i * set->batch, executor, at, images));
    else
        TRY(judge_plain(job, worker, round, i, executor, at, images));
    TRY(executor_results(executor, round->loss + i * set->batch,
                         round->predicted + i * set->batch));
    return job->engine->device->ops->download(
        worker->stream, round->logits + (size_t)i * job->logit_bytes, output.data,
        (size_t)(images * output.shape.c) * dtype_size(output.dtype));
}

/* Counts batch `i` of a round, which is on the host. */
static void count_batch(const EvalJob *job, const Worker *worker, const Round *round, int64_t i,
                        int64_t *counts) {
    const EvalSet *set = job->set;
    int64_t from = round->batch[i] * set->batch, images = batch_images(set, round->batch[i]);
    Tensor output = executor_logits(executor_of(job, worker, images));
    int64_t outputs = output.shape.c;
    const char *logits = round->logits + (size_t)i * job->logit_bytes;
    const int32_t *label = round->label + i * set->batch;
    const int32_t *predicted = round->predicted + i * set->batch;
    FixedPoint format = fixed_loss();
    for (int64_t k = 0; k < images; k++) {
        counts[AT_LOSS] += fixed_from(format, round->loss[i * set->batch + k], &counts[AT_BAD]);
        count_image(counts, job->engine->model->classes, label[k], predicted[k]);
        job->outcomes[from + k] = outcome_of(
            label[k], predicted[k], probability(logits, output.dtype, outputs, k, predicted[k]));
        if (job->share)
            put_shares(logits, output.dtype, outputs, k, predicted[k],
                       job->share + (from + k) * outputs);
    }
    counts[AT_IMAGES] += images;
}

static Status end_round(const EvalJob *job, const Worker *worker, Round *round, int64_t *counts) {
    if (round->n > 0)
        TRY(job->engine->device->ops->sync(worker->stream, SYNC_SECONDS));
    for (int64_t i = 0; i < round->n; i++)
        count_batch(job, worker, round, i, counts);
    round->n = 0;
    return ST_OK;
}

static Status evaluate_job(void *context, int thread) {
    EvalJob *job = context;
    const Worker *worker = &job->engine->workers[thread];
    Round *round = &job->rounds[thread];
    int64_t *counts = job->counts + thread * job->room;
    for (;;) {
        int64_t batch = atomic_fetch_add(&job->next, 1);
        if (batch >= job->set->end)
            return end_round(job, worker, round, counts);
        TRY(enqueue_batch(job, worker, round, batch));
        if (round->n == job->round_batches)
            TRY(end_round(job, worker, round, counts));
    }
}

/* Batches of a round: as many as fall to a thread, within memory, where nothing but their places
 * has to come from the host. */
static int64_t round_batches(const EvalJob *job) {
    const EvalSet *set = job->set;
    int64_t threads = team_size(job->engine->team), most = ROUND_IMAGES_MAX / set->batch;
    int64_t share = (set->end - set->first + threads - 1) / threads;
    share = share < most ? share : most;
    return !set->resident || job->n_views > 1 || share < 1 ? 1 : share;
}

static Status open_rounds(EvalJob *job) {
    size_t n = (size_t)job->round_batches, images = n * (size_t)job->set->batch;
    job->rounds = calloc((size_t)team_size(job->engine->team), sizeof *job->rounds);
    TRY_ALLOC(job->rounds);
    for (int t = 0; t < team_size(job->engine->team); t++) {
        Round *round = &job->rounds[t];
        round->batch = calloc(n, sizeof *round->batch);
        round->label = calloc(images, sizeof *round->label);
        round->loss = calloc(images, sizeof *round->loss);
        round->predicted = calloc(images, sizeof *round->predicted);
        round->logits = malloc(n * job->logit_bytes + 1);
        TRY_ALLOC(round->batch);
        TRY_ALLOC(round->label);
        TRY_ALLOC(round->loss);
        TRY_ALLOC(round->predicted);
        TRY_ALLOC(round->logits);
        if (job->set->resident) {
            round->placement = calloc(images, sizeof *round->placement);
            TRY_ALLOC(round->placement);
        }
    }
    return ST_OK;
}

static void close_rounds(EvalJob *job) {
    for (int t = 0; job->rounds && t < team_size(job->engine->team); t++) {
        Round *round = &job->rounds[t];
        free(round->batch);
        free(round->label);
        free(round->placement);
        free(round->loss);
        free(round->predicted);
        free(round->logits);
    }
    free(job->rounds);
}

/* This rank's share of what `asked` is set up for: adds to counts[room], and sets its own of
 * asked->outcomes and ->share. */
static Status evaluate_local(const EvalJob *asked, Tta tta, int64_t *counts) {
    Engine *engine = asked->engine;
    int threads = team_size(engine->team);
    int64_t room = asked->room;
    EvalJob job = {.engine = engine,
                   .set = asked->set,
                   .augment = asked->augment,
                   .room = room,
                   .outcomes = asked->outcomes,
                   .share = asked->share};
    Status status = ST_OK;
    job.n_views = views_of(tta, job.view);
    atomic_store(&job.next, job.set->first);
    job.counts = calloc((size_t)(threads * room), sizeof *job.counts);
    TRY_ALLOC(job.counts);
    /* Programs stand by falling batch. */
    job.logit_bytes = engine->n_eval > 0 ? executor_logits(engine->workers[0].eval[0]).bytes : 0;
    job.round_batches = round_batches(&job);
    TRY_DONE(open_rounds(&job));
    for (int i = 0; i < engine->n_eval; i++)
        TRY_DONE(engine_pack(engine, &engine->eval[i]));
    TRY_DONE(team_run(engine->team, evaluate_job, &job));
    for (int64_t i = 0; i < threads * room; i++)
        counts[i % room] += job.counts[i];
done:
    close_rounds(&job);
    free(job.counts);
    return status;
}

int evaluate_views(Tta tta) {
    View view[VIEWS_MAX];
    return views_of(tta, view);
}

/* A zeroed result with room for the counts and the set's images. */
static Status result_open(EvalResult *result, int64_t classes, int64_t records) {
    eval_result_free(result);
    result->classes = classes;
    result->counts = calloc((size_t)count_room(classes), sizeof *result->counts);
    TRY_ALLOC(result->counts);
    result->class_images = result->counts + AT_CLASSES;
    result->confusion = result->class_images + classes;
    result->label = calloc((size_t)records, sizeof *result->label);
    result->predicted = calloc((size_t)records, sizeof *result->predicted);
    result->probability = calloc((size_t)records, sizeof *result->probability);
    TRY_ALLOC(result->label);
    TRY_ALLOC(result->predicted);
    TRY_ALLOC(result->probability);
    return ST_OK;
}

void eval_result_free(EvalResult *result) {
    free(result->counts);
    free(result->label);
    free(result->predicted);
    free(result->probability);
    *result = (EvalResult){0};
}

double eval_class_accuracy(const EvalResult *result, int64_t label) {
    int64_t images = result->class_images[label];
    int64_t right = result->confusion[label * result->classes + label];
    return images > 0 ? (double)right / (double)images : 0;
}

/* What the sum of losses is divided by: PyTorch's mean with weights. */
static double weight_of(const Model *model, const EvalResult *result) {
    double sum = 0;
    if (!model->class_weights)
        return (double)result->images;
    for (int64_t c = 0; c < result->classes; c++)
        sum += (double)result->class_images[c] * (double)model->class_weights[c];
    return sum;
}

Status evaluate(Engine *engine, Comm *comm, const EvalSet *set, const Augment *augment, Tta tta,
                EvalResult *result) {
    int64_t classes = engine->model->classes, room = count_room(classes);
    int64_t *outcomes = calloc((size_t)set->records, sizeof *outcomes);
    Status status = outcomes ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
    if (status == ST_OK)
        status = result_open(result, classes, set->records);
    EvalJob job = {
        .engine = engine, .set = set, .augment = augment, .room = room, .outcomes = outcomes};
    if (status == ST_OK)
        status = evaluate_local(&job, tta, result->counts);
    TRY_DONE(comm_agree(comm, status));
    TRY_DONE(comm_sum_i64(comm, result->counts, room));
    TRY_DONE(comm_sum_i64(comm, outcomes, set->records));
    const int64_t *counts = result->counts;
    result->images = counts[AT_IMAGES];
    for (int64_t i = 0; i < set->records; i++)
        outcome_read(outcomes[i], result, i);
    for (int64_t c = 0; c < classes; c++)
        result->correct += result->confusion[c * classes + c];
    result->accuracy = (double)result->correct / (double)result->images;
    result->loss = counts[AT_BAD] > 0 ? (double)NAN
                                      : fixed_value(fixed_loss(), counts[AT_LOSS]) /
                                            weight_of(engine->model, result);
done:
    free(outcomes);
    return status;
}

int64_t evaluate_outputs(const Engine *engine) {
    return executor_logits(engine->workers[0].eval[0]).shape.c;
}

Status evaluate_probabilities(Engine *engine, const EvalSet *set, const Augment *augment, Tta tta,
                              double *probability) {
    EvalJob job = {.engine = engine,
                   .set = set,
                   .augment = augment,
                   .room = count_room(engine->model->classes),
                   .share = probability};
    int64_t *counts = calloc((size_t)(job.room + set->records), sizeof *counts);
    TRY_ALLOC(counts);
    job.outcomes = counts + job.room;
    Status status = evaluate_local(&job, tta, counts);
    free(counts);
    return status;
}
