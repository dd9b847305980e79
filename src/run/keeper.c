/* keeper: see keeper.h. */
#include "keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fence.h"
#include "histograms.h"
#include "history.h"
#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "lockstep/sessions.h"
#include "pictures.h"
#include "snapshots.h"
#include "version.h"

static const double STOP_LOOK_EVERY_S = 1;

struct Keeper {
    Session *session; /* borrowed */
    RunDir dir;
    Fence *fence;
    Metrics *metrics;       /* NULL until keeper_start */
    Histograms *histograms; /* NULL: none are asked for */
    Pictures *pictures;     /* likewise */
    char *config_text;      /* stored with checkpoints */
    char *from;             /* lineage of the state that the run goes on from; NULL: it begins */
    bool leaves;            /* a file was named to go on from, or --reset: a new branch */
    bool named;             /* the chosen checkpoint is the file that --resume names */
    char resumed[CONFIG_PATH_MAX]; /* the checkpoint that the run goes on from, or has gone back to;
                                      "": it begins */
    Snapshots snapshots;           /* zeroed until keeper_start */
    int64_t noted;                 /* losses of ranks that are in sessions.jsonl */
    double looked;                 /* for the file `stop`: when last */
};

static bool directory_lost(const void *dir) {
    return rundir_lost(dir);
}

/* `owner`: whom it is taken over from; NULL: from nobody. */
static Status open_directory(Keeper *keeper, const char *owner) {
    Comm *comm = keeper->session->ranks.comm;
    const char *path = keeper->session->config->out;
    TRY(owner ? rundir_inherit(path, owner, &keeper->dir) : rundir_open(path, &keeper->dir));
    TRY(rundir_read_branch(&keeper->dir));
    TRY(rundir_open_log(&keeper->dir));
    log_to_file(keeper->dir.log_fd, directory_lost, &keeper->dir);
    TRY(rundir_finish_branch(&keeper->dir));
    return fence_start(comm, &keeper->dir, keeper->session->config->heartbeat, &keeper->fence);
}

static Status new_keeper(Session *session, const char *owner, Keeper **out) {
    Keeper *keeper = calloc(1, sizeof *keeper);
    TRY_ALLOC(keeper);
    keeper->session = session;
    keeper->dir.lock_fd = keeper->dir.log_fd = keeper->dir.metrics_fd = -1;
    *out = keeper;
    return open_directory(keeper, owner);
}

Status keeper_open(Session *session, Keeper **keeper) {
    return new_keeper(session, NULL, keeper);
}

const char *keeper_owner(const Keeper *keeper) {
    return keeper->dir.owner;
}

/* The branch is the directory's own. */
Status keeper_inherit(Session *session, const char *owner, int64_t noted, Keeper **keeper) {
    TRY(new_keeper(session, owner, keeper));
    (*keeper)->noted = noted;
    TRY(keeper_follow(*keeper, (*keeper)->dir.lineage));
    if (rundir_newest(&(*keeper)->dir, session->config->checkpoint_local, (*keeper)->resumed) ==
        ST_OK)
        return ST_OK;
    log_warn("%s", status_message()); /* what the run goes on from is in memory */
    status_clear();
    return rundir_check(&(*keeper)->dir);
}

void keeper_close(Keeper *keeper) {
    if (!keeper)
        return;
    log_to_file(-1, NULL, NULL);
    /* the writer uses the metrics and the directory */
    snapshots_close(&keeper->snapshots);
    pictures_close(keeper->pictures);
    histograms_close(keeper->histograms);
    metrics_close(keeper->metrics);
    fence_stop(keeper->fence);
    rundir_close(&keeper->dir);
    free(keeper->config_text);
    free(keeper->from);
    free(keeper);
}

/* What is asked for once, though the job that says so may start many times. */
static bool acts_once(const RunConfig *config) {
    return config->reset ||
           (strcmp(config->resume, "auto") != 0 && strcmp(config->resume, "none") != 0);
}

static Status choose(Keeper *keeper, char path[CONFIG_PATH_MAX]) {
    const RunConfig *config = keeper->session->config;
    bool has;
    path[0] = '\0';
    TRY(rundir_check(&keeper->dir));
    if (keeper->dir.begun_before && acts_once(config)) { /* else the branch has nothing yet */
        TRY(rundir_newest_made(&keeper->dir, config->checkpoint_local, path));
        if (path[0]) {
            log_info("%s acted on this job's first start; now the run goes on from there",
                     config->reset ? "--reset" : "--resume FILE");
            return ST_OK;
        }
    }
    keeper->leaves = acts_once(config) && (config->reset || !keeper->dir.begun_before);
    if (config->reset) /* once the model could be planned */
        return ST_OK;
    if (strcmp(config->resume, "auto") == 0)
        return rundir_newest(&keeper->dir, config->checkpoint_local, path);
    if (strcmp(config->resume, "none") == 0) {
        TRY(rundir_has_checkpoints(&keeper->dir, config->checkpoint_local, &has));
        if (has)
            return FAIL(ST_CHECKPOINT,
                        "--resume none: %s holds checkpoints; go on with --resume auto, start over "
                        "with --reset, or choose another --out",
                        keeper->dir.path);
        return ST_OK;
    }
    keeper->named = true;
    snprintf(path, CONFIG_PATH_MAX, "%s", config->resume);
    return checkpoint_verify(path);
}

Status keeper_choose(Keeper *keeper, char path[CONFIG_PATH_MAX]) {
    TRY(choose(keeper, path));
    snprintf(keeper->resumed, sizeof keeper->resumed, "%s", path);
    return ST_OK;
}

Status keeper_follow(Keeper *keeper, const char *lineage) {
    keeper->from = strdup(lineage ? lineage : "");
    TRY_ALLOC(keeper->from);
    return ST_OK;
}

Status keeper_read_autotune(const Keeper *keeper, char **choices) {
    TRY(rundir_read_autotune(&keeper->dir, choices));
    if (*choices)
        log_info("autotune: follows %s/autotune.txt", keeper->dir.path);
    return ST_OK;
}

Status keeper_read_plans(const Keeper *keeper, char **plans) {
    return rundir_read_plans(&keeper->dir, plans);
}

Status keeper_reset(Keeper *keeper) {
    if (!keeper->session->config->reset || !keeper->leaves)
        return ST_OK;
    TRY(rundir_leave_local(&keeper->dir));
    return rundir_reset(&keeper->dir);
}

/* Not where it is, nor what it was gone on from: a copy of the directory is a run of its own. */
static Status write_config(Keeper *keeper) {
    char *text = NULL;
    RunConfig *config = malloc(sizeof *config);
    TRY_ALLOC(config);
    *config = *keeper->session->config;
    config->out[0] = '\0';
    snprintf(config->resume, sizeof config->resume, "auto");
    Status status = config_text(config, false, &text);
    free(config);
    TRY(status);
    status = rundir_write_config(&keeper->dir, text);
    free(text);
    return status;
}

/* The network, one layer a line; the caller frees *text. */
static Status describe_model(const Session *session, char **text) {
    size_t length = 0;
    *text = NULL;
    FILE *out = open_memstream(text, &length);
    TRY_ALLOC(out);
    model_describe(&session->model, session->config->batch_size / session->config->lanes, out);
    grouping_describe(&session->grouping, &session->model, out);
    return fclose(out) == 0 ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
}

/* Into log.txt alone. */
static Status log_model(const Session *session) {
    char *text, *rest = NULL;
    TRY(describe_model(session, &text));
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        log_debug("%s", line);
    free(text);
    return ST_OK;
}

/* Made before this start, it asks for the end of one that is over. */
static Status forget_stop(Keeper *keeper) {
    bool was_there;
    TRY(rundir_remove_stop(&keeper->dir, &was_there));
    if (was_there)
        log_warn("%s/stop was there before this start: it is removed, and the run goes on",
                 keeper->dir.path);
    return ST_OK;
}

static Status open_metrics(Keeper *keeper, const RunState *state) {
    const Session *session = keeper->session;
    char *structure = NULL;
    EvalMetrics *known = NULL;
    Status status = ST_OK;
    BoardFacts facts = {.config = keeper->config_text};
    TRY_DONE(history_evaluations(session, state, &known));
    if (session->config->tensorboard)
        TRY_DONE(describe_model(session, &structure));
    facts.structure = structure;
    TRY_DONE(metrics_open(&keeper->dir, state->step, known, state->n_history,
                          session->config->tensorboard ? &facts : NULL, &keeper->metrics));
done:
    free(structure);
    free(known);
    return status;
}

/* What a run can do without: its failure is a warning, unless the directory is another's now. */
static Status spared(const Keeper *keeper, Status status) {
    if (status != ST_CHECKPOINT)
        return status;
    log_warn("%s; the run goes on without it", status_message());
    status_clear();
    return rundir_check(&keeper->dir);
}

static Status note_start(Keeper *keeper, int64_t step, const char *libraries) {
    const Session *session = keeper->session;
    SessionStart start = {.step = step,
                          .host = comm_host(session->ranks.comm),
                          .device = session->device->description,
                          .libraries = libraries,
                          .version = LOCKSTEP_VERSION " (" LOCKSTEP_GIT ")",
                          .recipe = session->config->file,
                          .changes = session->config->changes,
                          .ranks = session->ranks.size,
                          .threads = session->ranks.threads};
    return spared(keeper, sessions_start(&keeper->dir, &start));
}

static Status settle_branch(Keeper *keeper, const RunState *state) {
    return rundir_begin_branch(&keeper->dir, keeper->from ? keeper->from : "", state->step,
                               keeper->leaves || !keeper->from,
                               keeper->named ? keeper->session->config->resume : NULL);
}

/* The run needs none of them. Whether the directory is still ours is asked again before all else
 * that is written. */
static void write_plans(Keeper *keeper) {
    if (rundir_write_plans(&keeper->dir, keeper->session->planning.text) == ST_OK)
        return;
    log_warn("%s: later starts of this run plan anew", status_message());
    status_clear();
}

/* All but what is of a start of the run. */
static Status begin(Keeper *keeper, const RunState *state, int64_t end_step) {
    const Session *session = keeper->session;
    TRY(config_text(session->config, true, &keeper->config_text));
    /* The branch first: until then all is as it was, and the old one's checkpoints are needed. */
    TRY(settle_branch(keeper, state));
    TRY(rundir_begin_local(&keeper->dir, session->config->checkpoint_local));
    TRY(write_config(keeper));
    TRY(rundir_write_autotune(&keeper->dir, session->choices));
    write_plans(keeper);
    TRY(rundir_begin_again(&keeper->dir));
    TRY(rundir_mend_best(&keeper->dir, state->best_step));
    TRY(open_metrics(keeper, state));
    if (session->config->tensorboard_histograms > 0)
        TRY(histograms_open(keeper->session, &keeper->histograms));
    TRY(pictures_open(session, state, end_step, &keeper->pictures));
    return snapshots_open(keeper->session, &keeper->dir, keeper->metrics, keeper->config_text,
                          state, &keeper->snapshots);
}

Status keeper_start(Keeper *keeper, const RunState *state, int64_t end_step,
                    const char *libraries) {
    if (state->step == 0)
        TRY(log_model(keeper->session));
    TRY(begin(keeper, state, end_step));
    TRY(forget_stop(keeper));
    return note_start(keeper, state->step, libraries);
}

Status keeper_log_train(Keeper *keeper, const TrainMetrics *metrics) {
    return metrics_train(keeper->metrics, metrics);
}

Status keeper_log_eval(Keeper *keeper, const EvalMetrics *metrics) {
    return metrics_eval(keeper->metrics, metrics);
}

Status keeper_log_histograms(Keeper *keeper, const RunState *state, const Stepper *stepper) {
    if (!keeper->histograms || state->step % keeper->session->config->tensorboard_histograms != 0)
        return ST_OK;
    TraceRow *row = keeper->session->row;
    double start = trace_now(row);
    TRY(histograms_log(keeper->histograms, stepper, state->step, keeper->metrics));
    trace_span(row, "metrics", "histograms", (TraceAt){state->step - 1, -1}, start);
    return ST_OK;
}

void keeper_draw(Keeper *keeper, const RunState *state, const EvalResult *test) {
    pictures_draw(keeper->pictures, state, test);
}

Status keeper_log_drawn(Keeper *keeper) {
    return pictures_collect(keeper->pictures, keeper->metrics);
}

void keeper_end_drawn(Keeper *keeper) {
    pictures_finish(keeper->pictures, keeper->metrics);
}

Status keeper_snapshot(Keeper *keeper, const RunState *state, bool lasting) {
    return snapshots_take(&keeper->snapshots, state, lasting);
}

void keeper_last_good(Keeper *keeper, char path[CONFIG_PATH_MAX]) {
    snapshots_last(&keeper->snapshots, path);
    if (!path[0])
        snprintf(path, CONFIG_PATH_MAX, "%s", keeper->resumed);
}

Status keeper_settle(Keeper *keeper) {
    return snapshots_settle(&keeper->snapshots);
}

/* As at a start, but a file that --resume names is only the branch's beginning: "" where there is
 * nothing newer. Which local folder is in use does not change. */
static Status newest_of_branch(Keeper *keeper, char path[CONFIG_PATH_MAX]) {
    RunDir *dir = &keeper->dir;
    const char *base = keeper->session->config->checkpoint_local;
    char local[sizeof dir->local];
    memcpy(local, dir->local, sizeof local);
    Status status =
        keeper->named ? rundir_newest_made(dir, base, path) : rundir_newest(dir, base, path);
    memcpy(dir->local, local, sizeof local);
    return status;
}

Status keeper_back(Keeper *keeper, char path[CONFIG_PATH_MAX]) {
    TRY(newest_of_branch(keeper, path));
    if (!path[0] && keeper->named) {
        snprintf(path, CONFIG_PATH_MAX, "%s", keeper->session->config->resume);
        TRY(checkpoint_verify(path));
    }
    snprintf(keeper->resumed, sizeof keeper->resumed, "%s", path);
    return ST_OK;
}

Status keeper_return(Keeper *keeper, const RunState *state, int64_t end_step) {
    pictures_close(keeper->pictures);
    keeper->pictures = NULL;
    metrics_close(keeper->metrics);
    keeper->metrics = NULL;
    TRY(open_metrics(keeper, state));
    snapshots_return(&keeper->snapshots, keeper->metrics);
    TRY(pictures_open(keeper->session, state, end_step, &keeper->pictures));
    return rundir_mend_best(&keeper->dir, state->best_step);
}

Status keeper_let_go(Keeper *keeper) {
    if (!keeper->snapshots.writer)
        return ST_OK;
    TRY(keeper_settle(keeper));
    snapshots_let_go(&keeper->snapshots);
    return ST_OK;
}

/* The lines behind the last checkpoint are to be read back from the file: they are on the disk
 * first. Where the disk says no, as a new file. Local. */
static Status settle_metrics(Keeper *keeper) {
    if (metrics_sync(keeper->metrics) == ST_OK)
        return ST_OK;
    status_clear();
    return metrics_sync(keeper->metrics);
}

Status keeper_go_on(Keeper *keeper, const RunState *state, int64_t end_step) {
    const Ranks *ranks = &keeper->session->ranks;
    const CommLoss *losses;
    int64_t n = comm_losses(ranks->comm, &losses), noted = keeper->noted;
    if (keeper->snapshots.writer) {
        TRY(snapshots_follow(&keeper->snapshots));
        TRY(settle_metrics(keeper));
        TRY(keeper_return(keeper, state, end_step));
    } else {
        TRY(begin(keeper, state, end_step));
    }
    keeper->noted = n;
    return spared(keeper, sessions_lost(&keeper->dir, losses + noted, n - noted, ranks->size));
}

Status keeper_failed(const Keeper *keeper) {
    return writer_failed(keeper->snapshots.writer);
}

int64_t keeper_written(const Keeper *keeper, double *seconds, double *cpu) {
    return writer_written(keeper->snapshots.writer, seconds, cpu);
}

bool keeper_is_writing(const Keeper *keeper) {
    return writer_is_busy(keeper->snapshots.writer);
}

bool keeper_asks_stop(Keeper *keeper) {
    double now = clock_now();
    if (now < keeper->looked + STOP_LOOK_EVERY_S)
        return false;
    keeper->looked = now;
    return rundir_asks_stop(&keeper->dir);
}

Status keeper_flush(Keeper *keeper, const RunState *state) {
    return snapshots_flush(&keeper->snapshots, state);
}

Status keeper_write_predictions(Keeper *keeper, const Predictions *predictions) {
    return spared(keeper, predictions_write(&keeper->dir, predictions));
}

Status keeper_write_trace(Keeper *keeper, const char *text, size_t bytes) {
    return spared(keeper, rundir_replace(&keeper->dir, "trace.json", text, bytes));
}

bool keeper_holds(const Keeper *keeper, const char *path, const RunState *state) {
    return rundir_holds(&keeper->dir, path, state->step);
}

bool keeper_has_result(const Keeper *keeper, const RunState *state, uint64_t state_hash) {
    return rundir_has_result(&keeper->dir, state->step, state_hash) &&
           predictions_are_of(&keeper->dir, state->step);
}

Status keeper_mend(Keeper *keeper, const RunState *state) {
    EvalMetrics *known = NULL;
    if (!keeper->leaves)
        TRY(settle_branch(keeper, state));
    TRY(rundir_mend_best(&keeper->dir, state->best_step));
    TRY(history_evaluations(keeper->session, state, &known));
    Status status = metrics_mend(&keeper->dir, state->step, known, state->n_history);
    free(known);
    return status;
}

Status keeper_finish(Keeper *keeper, const RunState *state, RunResult *result) {
    bool asked;
    rundir_name_best(&keeper->dir, state->best_step, result->best_name);
    if (!result->best_name[0]) { /* a person, while it ran */
        TRY(rundir_mend_best(&keeper->dir, state->best_step));
        rundir_name_best(&keeper->dir, state->best_step, result->best_name);
    }
    TRY(snapshots_hash(&keeper->snapshots, state, &result->state_hash));
    TRY(metrics_result(&keeper->dir, result));
    TRY(spared(keeper, sessions_end(&keeper->dir, state->step, result->status)));
    return rundir_remove_stop(&keeper->dir, &asked);
}
