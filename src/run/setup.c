/* setup: see setup.h. */
#include "setup.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autotune.h"
#include "crash.h"
#include "cuda_library.h"
#include "lockstep/log.h"
#include "site.h"
#include "version.h"

int cores_available(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? n : 1;
}

Status start_ranks(Run *run, Status status) {
    StatusRecord record;
    Status opened;
    double deadline = run->config->deadline > 0 ? run->config->deadline : 300;
    status_take(&record);
    if (comm_launched())
        opened = comm_open_mpi(NULL, NULL, deadline, &run->comm);
    else
        opened = comm_open_self(deadline, &run->comm);
    if (opened != ST_OK) {
        log_fatal(-1, status_message());
        return opened;
    }
    run->rank = comm_rank(run->comm);
    run->size = comm_size(run->comm);
    if (status != ST_OK)
        status_put(&record);
    return comm_agree(run->comm, status);
}

Status parse_model(const RunConfig *config, const Dataset *dataset, Model *model) {
    return model_parse(config->model, config->file, config->model_line, dataset->image,
                       dataset->classes, config->label_smoothing, model);
}

/* Where two texts differ: the first differing line of each, cut to `room`. */
static void first_difference(const char *a, const char *b, char *line_a, char *line_b, int room) {
    for (;;) {
        int la = (int)strcspn(a, "\n"), lb = (int)strcspn(b, "\n");
        if (la != lb || memcmp(a, b, (size_t)la) != 0 || (!a[la] && !b[lb])) {
            snprintf(line_a, (size_t)room, "%.*s", la, a);
            snprintf(line_b, (size_t)room, "%.*s", lb, b);
            return;
        }
        a += la + (a[la] == '\n');
        b += lb + (b[lb] == '\n');
    }
}

/* Rank 0's configuration is what the others must have. Collective, agreed. */
static Status compare_config(Run *run) {
    enum { ROOM = 200 };
    char *mine = NULL, *root = NULL;
    char mine_line[ROOM], root_line[ROOM];
    uint64_t bytes;
    Status status = config_text(run->config, false, &mine);
    TRY(comm_agree(run->comm, status));
    bytes = strlen(mine) + 1;
    TRY_DONE(comm_bcast(run->comm, &bytes, sizeof bytes, 0));
    root = calloc(1, bytes);
    TRY_DONE(comm_agree(run->comm, root ? ST_OK : FAIL(ST_INTERNAL, "out of memory")));
    if (run->rank == 0)
        memcpy(root, mine, bytes);
    TRY_DONE(comm_bcast(run->comm, root, bytes, 0));
    if (strcmp(mine, root) != 0) {
        first_difference(mine, root, mine_line, root_line, ROOM);
        status = FAIL(ST_USAGE,
                      "the configuration of rank %d differs from that of rank 0: `%s` against "
                      "`%s`; start all ranks with the same file, flags and environment",
                      run->rank, mine_line, root_line);
    }
    TRY_DONE(comm_agree(run->comm, status));
done:
    free(mine);
    free(root);
    return status;
}

int compute_threads(const Run *run, int64_t wanted) {
    int cores = cores_available() / comm_local_size(run->comm);
    if (wanted > 0)
        return (int)wanted;
    bool beside = run->engine.device && run->engine.device->accelerator;
    return beside || cores < 1 ? 1 : cores;
}

/* Threads and lanes that the configuration left to the machine. Local, the same on every rank. */
static Status resolve_sizes(Run *run) {
    RunConfig *config = run->config;
    run->threads = compute_threads(run, config->threads);
    if (config->lanes == 0)
        config->lanes = (int64_t)run->size * run->threads;
    TRY(config_check(config));
    if (run->size > config->lanes)
        return FAIL(ST_USAGE,
                    "%d ranks, but only %" PRId64 " lanes: each rank runs at least one lane; start "
                    "at most %" PRId64 " ranks or raise --lanes",
                    run->size, config->lanes, config->lanes);
    return ST_OK;
}

static Status open_device(Run *run) {
    Device *device;
    TRY(engine_open_device(run->config, comm_local_rank(run->comm), &device));
    run->engine.device = device;
    return ST_OK;
}

Status open_data_plane(Run *run) {
    Status (*open_nccl)(Comm *) = NULL;
    if (!run->engine.device->accelerator || run->size == 1)
        return ST_OK;
    TRY(comm_agree(run->comm, cuda_library_find("comm_open_nccl", (void **)&open_nccl)));
    return open_nccl(run->comm);
}

static Status find_model(Run *run) {
    TRY(input_open(&run->input, run->config));
    return parse_model(run->config, &run->input.dataset, &run->model);
}

static Status read_data(Run *run) {
    TRY(input_plan(&run->input, run->config));
    return input_read(&run->input, run->config, run->rank, run->size);
}

/* The records stay in the memory of a device that makes images itself. */
static Status keep_records(Run *run) {
    Input *input = &run->input;
    for (int64_t i = 0; i < input->lane_count; i++)
        TRY(engine_keep(&run->engine, &input->shards[i], &input->kept[i]));
    TRY(engine_keep(&run->engine, &input->held.shard, &input->held.kept));
    return engine_keep(&run->engine, &input->test.shard, &input->test.kept);
}

static Status plan(Run *run, const EngineSizes *sizes) {
    const Optimizer *optimizer = &run->config->optimizer;
    TRY(engine_open(&run->engine, run->engine.device, &run->model, optimizer, run->threads, sizes));
    TRY(keep_records(run));
    TRY(grad_sum_open(&run->sum, run->comm, run->engine.device, &run->model, run->config));
    for (int t = 0; t < run->threads; t++) {
        for (int i = 0; i < sizes->n_train; i++)
            executor_cut(run->engine.workers[t].train[i], run->sum.begin, run->sum.buckets);
    }
    if (optimizer->clip_norm > 0) {
        run->norm_partial =
            calloc((size_t)(run->model.flat / NORM_CHUNK + 1), sizeof *run->norm_partial);
        TRY_ALLOC(run->norm_partial);
    }
    return ST_OK;
}

static bool directory_lost(const void *dir) {
    return rundir_lost(dir);
}

static Status take_directory(Run *run) {
    if (run->rank != 0 || run->without_files)
        return ST_OK;
    TRY(rundir_open(run->config->out, &run->dir));
    TRY(rundir_open_log(&run->dir));
    log_to_file(run->dir.log_fd, directory_lost, &run->dir);
    return fence_start(run->comm, &run->dir, &run->fence);
}

/* Says which layers the device's library does not compute, or not all of. */
static void announce_own_kernels(const PackedProgram *programs, int n) {
    char layers[1024];
    for (int i = 0; i < n; i++) {
        if (program_own_kernels(programs[i].program, layers, sizeof layers))
            log_info("lockstep's own kernels, where the device's library has no engine: %s",
                     layers);
    }
}

static void announce(const Run *run) {
    const RunConfig *config = run->config;
    char site[512];
    log_info("lockstep %s (%s), %s: %d rank%s x %d thread%s, %" PRId64 " lanes of %" PRId64
             " images, rank 0 on %s",
             LOCKSTEP_VERSION, LOCKSTEP_GIT, comm_library(run->comm), run->size,
             run->size == 1 ? "" : "s", run->threads, run->threads == 1 ? "" : "s", config->lanes,
             config->batch_size / config->lanes, comm_host(run->comm));
    site_job(site, sizeof site);
    if (site[0])
        log_info("%s", site);
    site_network(site, sizeof site);
    if (site[0])
        log_info("network: %s", site);
    log_info("device %s%s: %s", config->device == DEVICE_AUTO ? "auto: takes " : "",
             run->engine.device->ops->name, run->engine.device->description);
    announce_own_kernels(run->engine.train, run->engine.n_train);
    announce_own_kernels(run->engine.eval, run->engine.n_eval);
    if (run->input.dataset.synthetic)
        log_warn(
            "data: synthetic images, made from the seed; accuracies say nothing about CIFAR-10");
    else
        log_info("data: CIFAR-10 in %s", run->input.dataset.folder);
    log_info("model: %" PRId64 " parameters, %.1f M multiply-adds an image; %" PRId64
             " steps an epoch; %.0f MB of buffers a rank",
             run->model.parameters, (double)model_multiply_adds(&run->model) / 1e6,
             run->input.sampler.steps_per_epoch, (double)engine_bytes(&run->engine) / 1e6);
    if (run->without_files)
        return;
    crash_announce(&config->crash, run->size);
    if (config->holdout > 0)
        log_info("best.h5 is selected on %" PRId64 " held-out training records", config->holdout);
    else
        log_info("best.h5 is selected on the test set (--holdout N selects honestly)");
}

Status setup_ranks(Run *run) {
    char lanes[24];
    TRY(comm_same(run->comm, "build", LOCKSTEP_VERSION " " LOCKSTEP_GIT));
    TRY(compare_config(run));
    TRY(comm_agree(run->comm, resolve_sizes(run)));
    snprintf(lanes, sizeof lanes, "%" PRId64, run->config->lanes);
    return comm_same(run->comm, "number of lanes (auto follows the host's cores)", lanes);
}

Status setup_run(Run *run) {
    const RunConfig *config = run->config;
    EngineSizes sizes = {0};
    TRY(comm_agree(run->comm, open_device(run))); /* the number of threads follows from it */
    TRY(setup_ranks(run));
    TRY(comm_agree(run->comm, find_model(run)));
    TRY(comm_same(run->comm, "instruction set", run->engine.device->instruction_set));
    TRY(open_data_plane(run));
    TRY(comm_agree(run->comm, take_directory(run)));
    comm_at(run->comm, -1, STAGE_DATA);
    TRY(comm_agree(run->comm, read_data(run)));
    TRY(input_hash(&run->input, run->comm));
    comm_at(run->comm, -1, STAGE_SETUP);
    if (!run->without_files)
        TRY(resume_choose(run));
    sizes.n_train = sampler_batches(&run->input.sampler, sizes.train);
    sizes.n_eval = input_eval_sizes(&run->input, sizes.eval);
    TRY(autotune_begin(run, &sizes));
    TRY(comm_agree(run->comm, plan(run, &sizes)));
    TRY(autotune_end(run));
    announce(run);
    TRY(input_report(&run->input, run->comm));
    TRY(comm_agree(run->comm, config_text(config, true, &run->config_text)));
    run->end_step = config->epochs * run->input.sampler.steps_per_epoch;
    if (config->steps > 0 && config->steps < run->end_step)
        run->end_step = config->steps;
    return ST_OK;
}

Status start_loader(Run *run) {
    LoaderConfig config = {.sampler = &run->input.sampler,
                           .augment = &run->config->augment,
                           .image = run->model.image,
                           .shards = run->input.shards,
                           .first_lane = run->input.first_lane,
                           .lane_count = run->input.lane_count,
                           .first_step = run->state.step,
                           .end_step = run->end_step,
                           .threads = (int)run->config->loader_threads,
                           .depth = 2 * run->input.lane_count,
                           .draw_only = run->engine.device->ops->load_images != NULL};
    return loader_start(&config, &run->loader);
}

static Status open_outputs(Run *run) {
    char *text = NULL;
    if (run->rank != 0)
        return ST_OK;
    TRY(rundir_begin_local(&run->dir, run->config->checkpoint_local));
    TRY(config_text(run->config, false, &text));
    Status status = rundir_write_config(&run->dir, text);
    free(text);
    TRY(status);
    TRY(rundir_write_autotune(&run->dir, run->choices));
    return metrics_open(&run->dir, run->state.step);
}

Status setup_outputs(Run *run) {
    TRY(comm_agree(run->comm, open_outputs(run)));
    return start_writer(run);
}

static void free_run(Run *run) {
    progress_close(run->progress);
    loader_stop(run->loader);
    writer_stop(run->writer);
    aside_close(&run->aside);
    grad_sum_close(&run->sum);
    engine_close(&run->engine);
    input_free(&run->input);
    model_free(&run->model);
    free(run->host.weight);
    free(run->host.running);
    free(run->host.ema);
    for (int i = 0; i < ENGINE_SLOTS; i++)
        free(run->host.slot[i]);
    free(run->state.history);
    eval_result_free(&run->test);
    free(run->norm_partial);
    free(run->config_text);
    free(run->choices);
    resume_free(run->source);
    fence_stop(run->fence);
    if (run->rank == 0 && !run->without_files)
        rundir_close(&run->dir);
}

Status end_run(Run *run, Status status) {
    /* A failure that was agreed on has been printed and left an empty message; any other one is
     * this rank's alone, and the others may wait for it for ever. */
    if (status != ST_OK && status != ST_STOPPED && run->comm && status_message()[0])
        comm_abort(run->comm, status);
    log_to_file(-1, NULL, NULL);
    free_run(run);
    free(run->config);
    comm_close(run->comm);
    return status;
}
