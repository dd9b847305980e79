/* resume: all ranks agree on one checkpoint and load it, or all begin afresh.
 *
 * Rank 0 chooses the file; every rank reads it itself, once, and where one cannot (no shared file
 * system) rank 0 sends the bytes. The choice comes before the model is planned, since a checkpoint
 * may say how; the loading after it. */
#include "train.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/log.h"
#include "version.h"

/* A checkpoint as this rank has it. */
struct ResumeSource {
    char path[CONFIG_PATH_MAX]; /* "": the run begins */
    char *bytes;                /* [size] of the file, which agreed with its checksum: all else
                                 * about it comes from these */
    size_t size;
    Checkpoint checkpoint; /* what it says beside its arrays */
};

typedef ResumeSource Source;

static Status choose(Run *run, Source *source) {
    const RunConfig *config = run->config;
    TRY(rundir_check(&run->dir));
    if (config->reset) /* once the model could be planned */
        return ST_OK;
    if (strcmp(config->resume, "auto") == 0)
        return rundir_newest(&run->dir, config->checkpoint_local, source->path);
    if (strcmp(config->resume, "none") == 0) {
        if (rundir_has_checkpoints(&run->dir))
            return FAIL(ST_CHECKPOINT,
                        "--resume none: %s holds checkpoints; go on with --resume auto, start over "
                        "with --reset, or choose another --out",
                        run->dir.path);
        return ST_OK;
    }
    snprintf(source->path, sizeof source->path, "%s", config->resume);
    return checkpoint_verify(source->path);
}

static Status parse_meta(Source *source) {
    return checkpoint_parse_meta(source->bytes, source->size, source->path, &source->checkpoint);
}

/* Every rank loads the file; where some rank cannot, rank 0's bytes go to all. Collective, agreed.
 */
static Status share_file(Run *run, Source *source) {
    Status mine = checkpoint_load(source->path, &source->bytes, &source->size);
    int64_t unreadable = mine != ST_OK;
    uint64_t size = 0;
    StatusRecord record;
    status_take(&record);
    TRY(comm_sum_i64(run->comm, &unreadable, 1));
    if (unreadable == 0)
        return comm_agree(run->comm, parse_meta(source));
    if (run->rank == 0) { /* its own failure is everybody's */
        status_put(&record);
        size = source->size;
    }
    TRY(comm_agree(run->comm, run->rank == 0 ? mine : ST_OK));
    log_info("%" PRId64 " of %d ranks cannot read %s: rank 0 sends it", unreadable, run->size,
             source->path);
    TRY(comm_bcast(run->comm, &size, sizeof size, 0));
    if (run->rank != 0) {
        free(source->bytes);
        source->size = size;
        source->bytes = malloc(size);
    }
    Status status = source->bytes ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
    TRY(comm_agree(run->comm, status));
    TRY(comm_bcast(run->comm, source->bytes, source->size, 0));
    return comm_agree(run->comm, parse_meta(source));
}

/* What must hold before a state may be continued. Local. */
static Status check_compatible(const Run *run, const Checkpoint *checkpoint, const char *path) {
    const char *isa = run->engine.device->instruction_set;
    TRY(config_compatible(run->config, checkpoint->config, path));
    if (checkpoint->dataset_hash != run->input.hash)
        return FAIL(ST_DATA,
                    "%s was trained on other data (%s): the training records differ; name the "
                    "same data set with --data, or start over with --reset",
                    path, checkpoint->dataset);
    if (strcmp(checkpoint->instruction_set, isa) != 0)
        log_warn("%s was written with %s, this is %s: the run goes on, but not with the same bits",
                 path, checkpoint->instruction_set, isa);
    if (strcmp(checkpoint->git, LOCKSTEP_GIT) != 0)
        log_warn("%s was written by build %s, this is %s: the same bits are promised within one "
                 "build only",
                 path, checkpoint->git, LOCKSTEP_GIT);
    return ST_OK;
}

static Status allocate_host(Run *run, HostState *host) {
    size_t flat = (size_t)run->model.flat, running = (size_t)run->model.running_flat;
    host->weight = calloc(flat, sizeof *host->weight);
    TRY_ALLOC(host->weight);
    host->running = calloc(running + 1, sizeof *host->running);
    TRY_ALLOC(host->running);
    for (int i = 0; i < run->engine.n_slots; i++) {
        host->slot[i] = calloc(flat, sizeof *host->slot[i]);
        TRY_ALLOC(host->slot[i]);
    }
    if (run->engine.ema) {
        host->ema = calloc(flat, sizeof *host->ema);
        TRY_ALLOC(host->ema);
    }
    return ST_OK;
}

/* Only rank 0 takes snapshots: the others keep what the comparison of parameters needs. */
static void trim_host(Run *run) {
    if (run->rank == 0)
        return;
    for (int i = 0; i < ENGINE_SLOTS; i++) {
        free(run->host.slot[i]);
        run->host.slot[i] = NULL;
    }
    free(run->host.ema);
    run->host.ema = NULL;
}

static Status load(Run *run, const Source *source, Checkpoint *checkpoint) {
    HistoryEntry *history;
    TRY(check_compatible(run, checkpoint, source->path));
    checkpoint->model = &run->model;
    checkpoint->n_slots = run->engine.n_slots;
    for (int i = 0; i < run->engine.n_slots; i++) {
        checkpoint->slot_name[i] = optimizer_slot_name(&run->config->optimizer, i);
        checkpoint->slot[i] = run->host.slot[i];
    }
    checkpoint->weight = run->host.weight;
    checkpoint->running = run->host.running;
    checkpoint->ema = run->host.ema;
    TRY(checkpoint_parse_arrays(source->bytes, source->size, source->path, checkpoint));
    history = malloc((size_t)(checkpoint->state.n_history + 1) * sizeof *history);
    TRY_ALLOC(history);
    if (checkpoint->state.n_history > 0)
        memcpy(history, checkpoint->state.history,
               (size_t)checkpoint->state.n_history * sizeof *history);
    run->state = checkpoint->state;
    run->state.history = history;
    run->history_room = run->state.n_history + 1;
    run->resumed_from = run->state.step;
    return engine_put(&run->engine, &run->host);
}

static Status begin(Run *run) {
    run->state = (RunState){.best_step = -1, .last_logged_step = 0};
    run->resumed_from = -1;
    model_init(&run->model, run->config->seed, run->host.weight, run->host.running);
    /* slots are zero; the moving average begins at the initial weights */
    if (run->host.ema)
        memcpy(run->host.ema, run->host.weight, (size_t)run->model.flat * sizeof(float));
    return engine_put(&run->engine, &run->host);
}

void resume_free(Source *source) {
    if (!source)
        return;
    checkpoint_meta_free(&source->checkpoint);
    free(source->bytes);
    free(source);
}

/* Local. */
static Status keep_choices(Run *run) {
    const char *choices = run->source->checkpoint.autotune;
    if (!choices)
        return ST_OK;
    run->choices = strdup(choices);
    TRY_ALLOC(run->choices);
    return ST_OK;
}

Status resume_choose(Run *run) {
    Source *source = calloc(1, sizeof *source);
    run->source = source;
    TRY(comm_agree(run->comm, source ? ST_OK : FAIL(ST_INTERNAL, "out of memory")));
    TRY(comm_agree(run->comm, run->rank == 0 ? choose(run, source) : ST_OK));
    TRY(comm_bcast(run->comm, source->path, sizeof source->path, 0));
    if (!source->path[0])
        return ST_OK;
    TRY(share_file(run, source));
    return comm_agree(run->comm, keep_choices(run));
}

const char *resume_path(const Run *run) {
    return run->source ? run->source->path : "";
}

static Status reset(Run *run) {
    return run->rank == 0 && run->config->reset ? rundir_reset(&run->dir) : ST_OK;
}

Status resume_or_begin(Run *run) {
    Source *source = run->source;
    bool goes_on = source->path[0];
    Status status;
    TRY(comm_agree(run->comm, allocate_host(run, &run->host)));
    TRY(comm_agree(run->comm, reset(run)));
    status = goes_on ? load(run, source, &source->checkpoint) : begin(run);
    status = comm_agree(run->comm, status);
    if (status == ST_OK && goes_on)
        log_info("resumed from %s: step %" PRId64 " (epoch %" PRId64 ", %" PRId64
                 " steps into the next)",
                 source->path, run->state.step, run->state.epoch, run->state.position);
    resume_free(source);
    run->source = NULL;
    trim_host(run);
    return status;
}

Status history_add(Run *run, const HistoryEntry *entry) {
    RunState *state = &run->state;
    if (state->n_history == run->history_room) {
        int64_t room = 2 * run->history_room + 16;
        HistoryEntry *history = realloc(state->history, (size_t)room * sizeof *history);
        TRY_ALLOC(history);
        state->history = history;
        run->history_room = room;
    }
    state->history[state->n_history++] = *entry;
    return ST_OK;
}
