/* resume: see resume.h.
 *
 * Rank 0 chooses the file; every rank reads it itself, once, and where one cannot (no shared file
 * system) rank 0 sends the bytes. */
#include "resume.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "init_from.h"
#include "lockstep/hash.h"
#include "lockstep/log.h"
#include "state_view.h"
#include "version.h"

/* A checkpoint as this rank has it. */
struct Resume {
    char path[CONFIG_PATH_MAX]; /* "": the run begins */
    /* [size] of the file, which agreed with its checksum: all else about it comes from these */
    char *bytes;
    size_t size;
    Checkpoint checkpoint; /* what it says beside its arrays */
};

static Status parse_meta(Resume *resume) {
    return checkpoint_parse_meta(resume->bytes, resume->size, resume->path, &resume->checkpoint);
}

/* Every rank loads the file; where some rank cannot, or has another one under that name, as on a
 * disk of its own, rank 0's bytes go to all. Collective, agreed. */
static Status share_file(const Ranks *ranks, Resume *resume) {
    Status mine = checkpoint_load(resume->path, &resume->bytes, &resume->size);
    uint64_t size = 0, hash = mine == ST_OK ? hash_bytes(resume->bytes, resume->size) : 0;
    uint64_t hash_of_root = hash;
    int64_t lacking[2] = {0}; /* ranks that cannot read it, that have another one */
    StatusRecord record;
    status_take(&record);
    TRY(comm_bcast(ranks->comm, &hash_of_root, sizeof hash_of_root, 0));
    lacking[0] = mine != ST_OK;
    lacking[1] = mine == ST_OK && hash != hash_of_root;
    TRY(comm_sum_i64(ranks->comm, lacking, 2));
    if (lacking[0] + lacking[1] == 0)
        return comm_agree(ranks->comm, parse_meta(resume));
    if (ranks->rank == 0) { /* its own failure is everybody's */
        status_put(&record);
        size = resume->size;
    }
    TRY(comm_agree(ranks->comm, ranks->rank == 0 ? mine : ST_OK));
    if (lacking[1] > 0)
        log_warn("%" PRId64
                 " of %d ranks have another file under the name %s (disks of their own?): "
                 "rank 0 sends its own",
                 lacking[1], ranks->size, resume->path);
    if (lacking[0] > 0)
        log_info("%" PRId64 " of %d ranks cannot read %s: rank 0 sends it", lacking[0], ranks->size,
                 resume->path);
    TRY(comm_bcast(ranks->comm, &size, sizeof size, 0));
    if (ranks->rank != 0) {
        free(resume->bytes);
        resume->size = size;
        resume->bytes = malloc(size);
    }
    Status status = resume->bytes ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
    TRY(comm_agree(ranks->comm, status));
    TRY(comm_bcast(ranks->comm, resume->bytes, resume->size, 0));
    return comm_agree(ranks->comm, parse_meta(resume));
}

/* `choose`: rank 0's part. */
static Status open_chosen(Session *session, Keeper *keeper,
                          Status (*choose)(Keeper *keeper, char path[CONFIG_PATH_MAX]),
                          Resume **out) {
    const Ranks *ranks = &session->ranks;
    Resume *resume = calloc(1, sizeof *resume);
    *out = resume;
    TRY(comm_agree(ranks->comm, resume ? ST_OK : FAIL(ST_INTERNAL, "out of memory")));
    TRY(comm_agree(ranks->comm, keeper ? choose(keeper, resume->path) : ST_OK));
    TRY(comm_bcast(ranks->comm, resume->path, sizeof resume->path, 0));
    return resume->path[0] ? share_file(ranks, resume) : ST_OK;
}

Status resume_choose(Session *session, Keeper *keeper, Resume **resume) {
    return open_chosen(session, keeper, keeper_choose, resume);
}

Status resume_choose_back(Session *session, Keeper *keeper, Resume **resume) {
    return open_chosen(session, keeper, keeper_back, resume);
}

void resume_free(Resume *resume) {
    if (!resume)
        return;
    checkpoint_meta_free(&resume->checkpoint);
    free(resume->bytes);
    free(resume);
}

const char *resume_path(const Resume *resume) {
    return resume->path[0] ? resume->path : NULL;
}

const char *resume_choices(const Resume *resume) {
    return resume->checkpoint.autotune;
}

const char *resume_lineage(const Resume *resume) {
    return resume->checkpoint.lineage;
}

uint64_t resume_state_hash(const Resume *resume) {
    return resume->checkpoint.state_hash;
}

int64_t run_end(const RunConfig *config, int64_t steps_per_epoch) {
    int64_t end = config->epochs * steps_per_epoch;
    return config->steps > 0 && config->steps < end ? config->steps : end;
}

Status resume_extends(const Resume *resume, const RunConfig *config, int64_t steps_per_epoch,
                      bool *extends) {
    *extends = false;
    if (!resume->checkpoint.config)
        return ST_OK;
    RunConfig *old = malloc(sizeof *old);
    TRY_ALLOC(old);
    Status status = config_from_text(resume->checkpoint.config, resume->path, old);
    if (status == ST_OK)
        *extends = run_end(config, steps_per_epoch) > run_end(old, steps_per_epoch);
    free(old);
    return status;
}

/* That the step is where epochs and position say: else the run would never come to an epoch's end.
 * Local. */
static Status check_position(const Resume *resume, int64_t steps_per_epoch) {
    const RunState *state = &resume->checkpoint.state;
    if (state->position < steps_per_epoch &&
        state->step == state->epoch * steps_per_epoch + state->position)
        return ST_OK;
    return FAIL(ST_CHECKPOINT,
                "%s: its step %" PRId64 " is not %" PRId64 " epochs of %" PRId64
                " steps and %" PRId64 " more; it cannot be gone on from (use another)",
                resume->path, state->step, state->epoch, steps_per_epoch, state->position);
}

/* Local. */
static Status settle(const Resume *resume, RunConfig *config, int64_t steps_per_epoch) {
    const char *stored = resume->checkpoint.config;
    if (stored) {
        TRY(config_compatible(config, stored, resume->path));
        TRY(check_position(resume, steps_per_epoch));
    }
    TRY(config_settle_length(config, stored, resume->path));
    return config_check_length(config, steps_per_epoch);
}

Status resume_settle(const Resume *resume, Session *session) {
    return comm_agree(session->ranks.comm,
                      settle(resume, session->config, session->input.sampler.steps_per_epoch));
}

/* What must hold, beside the configuration, before a state may be continued. Local. */
static Status check_compatible(const Session *session, const Checkpoint *checkpoint,
                               const char *path) {
    const char *isa = session->device->instruction_set;
    if (checkpoint->dataset_hash != session->input.hash)
        return FAIL(ST_DATA,
                    "%s was trained on other data (%s): the training records differ; name the "
                    "same data set with --data, or start over with --reset",
                    path, checkpoint->dataset);
    if (checkpoint->test_hash && checkpoint->test_hash != session->input.test_hash)
        return FAIL(ST_DATA,
                    "%s was tested on other images (%s): the test records differ, so its best "
                    "accuracy means nothing here; name the same data set with --data, or start "
                    "over with --reset",
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

static Status copy_state(const RunState *from, RunState *state) {
    size_t bytes = (size_t)from->n_history * sizeof *from->history;
    HistoryEntry *history = malloc(bytes + sizeof *history);
    TRY_ALLOC(history);
    if (bytes > 0)
        memcpy(history, from->history, bytes);
    *state = *from;
    state->history = history;
    return ST_OK;
}

/* Local. */
static Status load(Resume *resume, Session *session, HostState *host, RunState *state) {
    Checkpoint *checkpoint = &resume->checkpoint;
    TRY(check_compatible(session, checkpoint, resume->path));
    state_view(session, host, checkpoint);
    TRY(checkpoint_parse_arrays(resume->bytes, resume->size, resume->path, checkpoint));
    TRY(copy_state(&checkpoint->state, state));
    return engine_put(&session->engine, host);
}

/* The optimizer's state is zero; averages begin at the initial weights. Collective, agreed. */
static Status begin(Session *session, HostState *host, RunState *state) {
    const RunConfig *config = session->config;
    const Schedule *schedule = &config->schedule;
    *state = (RunState){.best_step = -1,
                        .last_accuracy = NAN,
                        .bad = {.lr_factor = 1},
                        .has_plateau = schedule->kind == SCHEDULE_PLATEAU,
                        .plateau = plateau_begin(schedule, config->monitor == MONITOR_ACCURACY)};
    TRY(session_initial_weights(session, host->weight, host->running));
    TRY(init_from_file(session, host));
    host_state_begin(&session->engine, host);
    return comm_agree(session->ranks.comm, engine_put(&session->engine, host));
}

Status resume_load(Resume *resume, Session *session, RunState *state) {
    Comm *comm = session->ranks.comm;
    HostState host = {0};
    Status status = comm_agree(comm, host_state_open(&session->engine, &host));
    if (status == ST_OK)
        status = resume->path[0] ? comm_agree(comm, load(resume, session, &host, state))
                                 : begin(session, &host, state);
    host_state_free(&host);
    if (status == ST_OK && resume->path[0])
        log_info("resumed from %s: step %" PRId64 " (epoch %" PRId64 ", %" PRId64
                 " steps into the next)",
                 resume->path, state->step, state->epoch, state->position);
    return status;
}
