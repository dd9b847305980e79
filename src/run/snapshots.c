/* snapshots: see snapshots.h. */
#include "snapshots.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "fence.h"
#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "state_view.h"
#include "version.h"

/* The state as views of snapshots->host, without bringing that up to date. */
static Checkpoint view(const Snapshots *snapshots, const RunState *state) {
    const Session *session = snapshots->session;
    Checkpoint checkpoint = {.config = snapshots->config,
                             .lineage = snapshots->dir->lineage,
                             .autotune = session->choices,
                             .seed = session->config->seed,
                             .lanes = session->config->lanes,
                             .dataset_hash = session->input.hash,
                             .image = session->input.dataset.image,
                             .classes = session->input.dataset.classes,
                             .class_names = snapshots->class_names,
                             .test_hash = session->input.test_hash,
                             .steps_per_epoch = session->input.sampler.steps_per_epoch,
                             .state = *state};
    state_view(session, &snapshots->host, &checkpoint);
    snprintf(checkpoint.git, sizeof checkpoint.git, "%s", LOCKSTEP_GIT);
    snprintf(checkpoint.dataset, sizeof checkpoint.dataset, "%s",
             dataset_name(&session->input.dataset));
    snprintf(checkpoint.instruction_set, sizeof checkpoint.instruction_set, "%s",
             session->device->instruction_set);
    return checkpoint;
}

/* ---- What the writer asks for, on its own thread ---- */

static Status before_commit(void *context, int64_t step) {
    Snapshots *snapshots = context;
    (void)step; /* everything up to it is written: only durability is missing */
    return metrics_sync(snapshots->metrics);
}

static Status after_commit(void *context, int64_t step, const char *file_name, bool is_best) {
    Snapshots *snapshots = context;
    log_debug("checkpoint of step %" PRId64 ": %s/%s", step, snapshots->dir->checkpoints,
              file_name);
    return is_best ? rundir_link_best(snapshots->dir, file_name) : ST_OK;
}

static Status drop_local(void *context) {
    Snapshots *snapshots = context;
    return rundir_lasts(snapshots->dir);
}

static Status still_ours(void *context) {
    Snapshots *snapshots = context;
    return rundir_check(snapshots->dir);
}

static Status set_aside(void *context) {
    Snapshots *snapshots = context;
    return device_snapshot_take(&snapshots->device);
}

static Status fetch(void *context, const Checkpoint *to) {
    Snapshots *snapshots = context;
    HostState host = state_view_of(snapshots->session, to);
    return device_snapshot_fetch(&snapshots->device, &host);
}

static void stop_if_lost(void *context) {
    Snapshots *snapshots = context;
    fence_check(snapshots->session->ranks.comm, snapshots->dir);
}

/* ---- The training thread's ---- */

Status snapshots_open(Session *session, RunDir *dir, Metrics *metrics, const char *config,
                      const RunState *state, Snapshots *snapshots) {
    *snapshots = (Snapshots){.session = session, .dir = dir, .metrics = metrics, .config = config};
    WriterHooks hooks = {.before = before_commit,
                         .after = after_commit,
                         .lasts = drop_local,
                         .allowed = still_ours,
                         .failed = stop_if_lost,
                         .context = snapshots,
                         .row = trace_row(session->trace, "writer")};
    TRY(dataset_names_text(&session->input.dataset, &snapshots->class_names));
    TRY(host_state_open(&session->engine, &snapshots->host));
    TRY(device_snapshot_open(&snapshots->device, &session->engine));
    if (snapshots->device.engine) {
        hooks.take = set_aside;
        hooks.fetch = fetch;
    }
    Checkpoint shape = view(snapshots, state);
    return writer_start(dir->checkpoints, dir->local, session->config->keep,
                        session->config->keep_best, &shape, hooks, &snapshots->writer);
}

void snapshots_close(Snapshots *snapshots) {
    writer_stop(snapshots->writer);
    device_snapshot_close(&snapshots->device);
    host_state_free(&snapshots->host);
    free(snapshots->class_names);
    *snapshots = (Snapshots){.session = NULL};
}

void snapshots_let_go(Snapshots *snapshots) {
    device_snapshot_close(&snapshots->device);
}

Status snapshots_follow(Snapshots *snapshots) {
    return device_snapshot_open(&snapshots->device, &snapshots->session->engine);
}

/* The other ranks wait meanwhile, a whole --deadline. */
static Deadline disk_deadline(const Snapshots *snapshots) {
    return deadline_after(snapshots->session->config->deadline / 2);
}

static Status take(Snapshots *snapshots, const RunState *state, bool lasting,
                   const Deadline *deadline) {
    if (!snapshots->device.engine)
        TRY(engine_get(&snapshots->session->engine, &snapshots->host));
    Checkpoint checkpoint = view(snapshots, state);
    return writer_snapshot(snapshots->writer, &checkpoint, lasting, deadline);
}

Status snapshots_take(Snapshots *snapshots, const RunState *state, bool lasting) {
    Deadline deadline = disk_deadline(snapshots);
    return take(snapshots, state, lasting, &deadline);
}

Status snapshots_flush(Snapshots *snapshots, const RunState *state) {
    Deadline deadline = disk_deadline(snapshots);
    Status status = writer_flush(snapshots->writer, &deadline);
    if (status == ST_OK || status == ST_DEADLINE)
        return status;
    status_clear();
    TRY(take(snapshots, state, true, &deadline));
    return writer_flush(snapshots->writer, &deadline);
}

Status snapshots_settle(Snapshots *snapshots) {
    Deadline deadline = disk_deadline(snapshots);
    Status status = writer_flush(snapshots->writer, &deadline);
    if (status == ST_OK || status == ST_DEADLINE)
        return status;
    status_clear(); /* it was warned of, and the one before it stands */
    return ST_OK;
}

void snapshots_last(Snapshots *snapshots, char path[CONFIG_PATH_MAX]) {
    path[0] = '\0';
    if (!snapshots->writer)
        return;
    Deadline deadline = disk_deadline(snapshots);
    (void)writer_flush(snapshots->writer, &deadline);
    status_clear();
    writer_committed(snapshots->writer, path);
}

void snapshots_return(Snapshots *snapshots, Metrics *metrics) {
    writer_forget(snapshots->writer);
    snapshots->metrics = metrics;
}

Status snapshots_hash(Snapshots *snapshots, const RunState *state, uint64_t *hash) {
    TRY(engine_get(&snapshots->session->engine, &snapshots->host));
    Checkpoint checkpoint = view(snapshots, state);
    return checkpoint_state_hash(&checkpoint, hash);
}
