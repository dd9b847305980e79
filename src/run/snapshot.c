/* snapshot: the state of a run as a checkpoint, when to take one, and the end of a run. */
#include "train.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lockstep/clock.h"
#include "lockstep/hash.h"
#include "lockstep/log.h"
#include "version.h"

void checkpoint_view(Run *run, Checkpoint *checkpoint) {
    *checkpoint = (Checkpoint){.model = &run->model,
                               .config = run->config_text,
                               .autotune = run->choices,
                               .seed = run->config->seed,
                               .lanes = run->config->lanes,
                               .dataset_hash = run->input.hash,
                               .n_slots = run->engine.n_slots,
                               .weight = run->host.weight,
                               .running = run->host.running,
                               .ema = run->host.ema,
                               .state = run->state};
    snprintf(checkpoint->git, sizeof checkpoint->git, "%s", LOCKSTEP_GIT);
    snprintf(checkpoint->dataset, sizeof checkpoint->dataset, "%s",
             dataset_name(&run->input.dataset));
    snprintf(checkpoint->instruction_set, sizeof checkpoint->instruction_set, "%s",
             run->engine.device->instruction_set);
    for (int i = 0; i < run->engine.n_slots; i++) {
        checkpoint->slot_name[i] = optimizer_slot_name(&run->config->optimizer, i);
        checkpoint->slot[i] = run->host.slot[i];
    }
}

static Status before_commit(void *context, int64_t step) {
    Run *run = context;
    (void)step; /* everything up to it is written: only durability is missing */
    return metrics_sync(&run->dir);
}

static Status after_commit(void *context, int64_t step, const char *file_name, bool is_best) {
    Run *run = context;
    log_debug("checkpoint of step %" PRId64 ": %s/%s", step, run->dir.checkpoints, file_name);
    return is_best ? rundir_link_best(&run->dir, file_name) : ST_OK;
}

static void spare_best(void *context, char file_name[256]) {
    Run *run = context;
    rundir_best(&run->dir, file_name);
}

static Status still_ours(void *context) {
    Run *run = context;
    return rundir_check(&run->dir);
}

static Status take(void *context) {
    Run *run = context;
    return aside_take(&run->aside);
}

static Status fetch(void *context, const Checkpoint *to) {
    Run *run = context;
    HostState host = {.weight = to->weight, .running = to->running, .ema = to->ema};
    memcpy(host.slot, to->slot, sizeof host.slot);
    return aside_fetch(&run->aside, &host);
}

static void stop_if_lost(void *context) {
    Run *run = context;
    fence_check(run->comm, &run->dir);
}

Status start_writer(Run *run) {
    Status status = ST_OK;
    if (run->rank == 0) {
        Checkpoint shape;
        WriterHooks hooks = {.before = before_commit,
                             .after = after_commit,
                             .spare = spare_best,
                             .allowed = still_ours,
                             .failed = stop_if_lost,
                             .context = run};
        status = aside_open(&run->aside, &run->engine);
        if (run->aside.engine) {
            hooks.take = take;
            hooks.fetch = fetch;
        }
        checkpoint_view(run, &shape);
        if (status == ST_OK)
            status = writer_start(run->dir.checkpoints, run->dir.local, run->config->keep, &shape,
                                  hooks, &run->writer);
    }
    return comm_agree(run->comm, status);
}

static Status hand_over(Run *run, bool lasting, bool is_best) {
    Checkpoint checkpoint;
    if (run->rank != 0)
        return ST_OK;
    if (!run->aside.engine)
        TRY(engine_get(&run->engine, &run->host));
    checkpoint_view(run, &checkpoint);
    return writer_snapshot(run->writer, &checkpoint, lasting, is_best, run->config->deadline / 2);
}

/* Hashes the weights where they are, if the device can, else on the host: the same way on every
 * rank. */
static Status digest_of_weights(Run *run, Digest *digest) {
    Engine *engine = &run->engine;
    const DeviceOps *ops = engine->device->ops;
    HostState weight_only = {.weight = run->host.weight};
    int64_t flat = run->model.flat;
    if (ops->digest) {
        TRY(ops->digest(engine->stream, digest, engine->weights.weight, flat));
        return ops->sync(engine->stream, SYNC_SECONDS);
    }
    TRY(engine_get(engine, &weight_only));
    digest->bad = 0;
    for (int64_t i = 0; i < flat; i++)
        digest->bad += !isfinite(run->host.weight[i]);
    digest->hash = hash_bytes(run->host.weight, (size_t)flat * sizeof(float));
    return ST_OK;
}

/* A ReLU or a maximum of oneDNN swallows NaN, so weights that are not finite need not show in the
 * loss: they must not get into a checkpoint either. Local. */
static Status look_at_weights(Run *run, Digest *digest) {
    TRY(digest_of_weights(run, digest));
    if (digest->bad > 0)
        return FAIL(ST_DIVERGED,
                    "diverged: %" PRId64 " weights are NaN or infinite; lower the learning rate or "
                    "clip gradients, the last checkpoint is untouched",
                    digest->bad);
    return ST_OK;
}

/* The cheap comparison on the way: parameters only. Collective. */
static Status compare_parameters(Run *run) {
    char what[64], hex[17];
    Digest digest;
    TRY(comm_agree(run->comm, look_at_weights(run, &digest)));
    hash_hex(digest.hash, hex);
    snprintf(what, sizeof what, "parameters after step %" PRId64, run->state.step);
    return comm_same(run->comm, what, hex);
}

Status checkpoint_now(Run *run, bool lasting, bool is_best) {
    if (run->saved_step == run->state.step && (run->saved_lasts || !lasting))
        return ST_OK;
    double start = clock_now();
    comm_at(run->comm, run->state.step, STAGE_CHECKPOINT);
    TRY(compare_parameters(run));
    TRY(comm_agree(run->comm, hand_over(run, lasting, is_best)));
    run->saved_step = run->state.step;
    run->saved_lasts = lasting;
    run->interval.checkpoint += clock_now() - start;
    return ST_OK;
}

/* Times of the whole run, the largest over ranks. Collective. */
static Status total_times(Run *run, PhaseTimes *times) {
    close_interval(run);
    *times = run->total;
    return comm_max_f64(run->comm, &times->data, (int64_t)(sizeof *times / sizeof(double)));
}

static Status write_result(Run *run, bool stopped, const PhaseTimes *times, double wall) {
    const RunConfig *config = run->config;
    const EvalResult *test = &run->test;
    Checkpoint checkpoint;
    TRY(engine_get(&run->engine, &run->host));
    checkpoint_view(run, &checkpoint);
    RunResult result = {.test_accuracy = run->tested_step < 0 ? (double)NAN : test->accuracy,
                        .test_loss = run->tested_step < 0 ? (double)NAN : test->loss,
                        .epoch = run->state.epoch,
                        .step = run->state.step,
                        .images_per_s = run->train_s > 0 ? (double)run->total_images / run->train_s
                                                         : (double)NAN,
                        .wall_s = wall,
                        .ranks = run->size,
                        .lanes = config->lanes,
                        .device = run->engine.device->ops->name,
                        .dataset = dataset_name(&run->input.dataset),
                        .git = LOCKSTEP_GIT,
                        .resumed_from = run->resumed_from,
                        .parameters = run->model.parameters,
                        .best_accuracy = run->state.best_accuracy,
                        .best_step = run->state.best_step,
                        .selected_on = config->holdout > 0 ? "holdout" : "test",
                        .times = *times,
                        .classes = run->model.classes,
                        .class_images = test->class_images,
                        .confusion = test->confusion,
                        .status = stopped ? "stopped" : "finished"};
    TRY(checkpoint_state_hash(&checkpoint, &result.state_hash));
    TRY(metrics_result(&run->dir, &result));
    summarize(run, &result);
    return ST_OK;
}

/* The last checkpoint must be on disk: a failed write is tried once more before the run fails. */
static Status flush_writer(Run *run) {
    double seconds = run->config->deadline / 2;
    if (run->rank != 0 || writer_flush(run->writer, seconds) == ST_OK)
        return ST_OK;
    status_clear();
    TRY(hand_over(run, true, false));
    return writer_flush(run->writer, seconds);
}

Status finish_run(Run *run, bool stopped) {
    PhaseTimes times;
    if (!stopped && run->tested_step != run->state.step) {
        comm_at(run->comm, run->state.step, STAGE_EVALUATE);
        TRY(evaluate(&run->engine, run->comm, &run->input.test, &run->config->augment, &run->test));
        run->tested_step = run->state.step;
    }
    TRY(checkpoint_now(run, true, false));
    comm_at(run->comm, run->state.step, STAGE_FINISH);
    TRY(comm_agree(run->comm, flush_writer(run)));
    TRY(total_times(run, &times));
    double wall = clock_now() - run->begin_s;
    return comm_agree(run->comm, run->rank == 0 ? write_result(run, stopped, &times, wall) : ST_OK);
}
