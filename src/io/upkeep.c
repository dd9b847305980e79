/* upkeep: see upkeep.h. */
#include "lockstep/upkeep.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint_dir.h"
#include "checkpoint_format.h"
#include "checkpoint_look.h"
#include "file_util.h"
#include "folder.h"
#include "lockstep/config.h"
#include "lockstep/hash.h"
#include "lockstep/rundir.h"

/* One checkpoint, as it was found. */
typedef struct Found {
    const char *path, *name; /* name: below RUN/checkpoints */
    bool renamed;            /* to .bad, when it was found so: no run uses it */
    CheckpointVerdict verdict;
    CheckpointSeal seal; /* of a good one */
    const char *bytes;   /* [size] of a good one */
    size_t size;
    Checkpoint meta; /* of a good one */
} Found;

typedef Status (*Visit)(void *context, const Found *found);

/* Shows one file to `visit`; `shown` is its name for people. */
static Status visit_file(const char *path, const char *shown, bool renamed, Visit visit,
                         void *context) {
    Found found = {.path = path, .name = shown, .renamed = renamed};
    char *bytes = NULL;
    found.verdict = checkpoint_examine(path, &bytes, &found.size, &found.seal);
    found.bytes = bytes;
    Status status = ST_OK;
    if (found.verdict == CHECKPOINT_GOOD)
        status = checkpoint_parse_meta(bytes, found.size, path, &found.meta);
    if (status == ST_OK && found.verdict != CHECKPOINT_GONE) /* a run may have pruned it */
        status = visit(context, &found);
    checkpoint_meta_free(&found.meta);
    free(bytes);
    return status;
}

/* A checkpoint that was renamed .bad, not its checksum file. */
static bool is_bad_file(const char *name) {
    return checkpoint_is_bad(name) && !strstr(name, ".xxh3");
}

static bool is_visited(const char *name) {
    int64_t step;
    return is_bad_file(name) || checkpoint_step_of(name, "", &step);
}

/* `prefix`: what stands before a file's name for people. */
static Status visit_folder(const char *folder, const char *prefix, Visit visit, void *context) {
    Names names;
    char path[4096], shown[512];
    Status status = folder_names(folder, is_visited, &names);
    for (int64_t i = 0; status == ST_OK && i < names.n; i++) {
        const char *name = names.name[i];
        TRY_DONE(file_join(folder, name, path));
        snprintf(shown, sizeof shown, "%s%s", prefix, name);
        TRY_DONE(visit_file(path, shown, is_bad_file(name), visit, context));
        status_clear(); /* what was found of a bad one has been told */
    }
done:
    folder_free(&names);
    return status;
}

static Status checkpoints_of(const char *run, char folder[4096]) {
    TRY(file_join(run, "checkpoints", folder));
    return access(folder, F_OK) == 0
               ? ST_OK
               : FAIL(ST_CHECKPOINT, "%s: holds no checkpoints; is it a run directory?", run);
}

static Status visit_aside(const char *checkpoints, Visit visit, void *context) {
    Names names;
    char folder[4096], prefix[64];
    Status status = folder_names(checkpoints, checkpoint_is_aside, &names);
    for (int64_t i = 0; status == ST_OK && i < names.n; i++) {
        TRY_DONE(file_join(checkpoints, names.name[i], folder));
        snprintf(prefix, sizeof prefix, "%.40s/", names.name[i]);
        TRY_DONE(visit_folder(folder, prefix, visit, context));
    }
done:
    folder_free(&names);
    return status;
}

static Status visit_run(const char *run, Visit visit, void *context) {
    char folder[4096];
    TRY(checkpoints_of(run, folder));
    TRY(visit_folder(folder, "", visit, context));
    return visit_aside(folder, visit, context);
}

/* ---- What pruning leaves of a run's best ---- */

/* As the configuration says that a checkpoint carries. */
static Status best_kept_by(const Checkpoint *meta, int64_t *best) {
    RunConfig *config = malloc(sizeof *config);
    TRY_ALLOC(config);
    Status status = config_from_text(meta->config, "configuration", config);
    *best = config->keep_best;
    free(config);
    return status;
}

/* The best, and the branch, as the newest good checkpoint `path` says; "": nothing is known.
 * *state, without a history, is what it ranks by. For keep_free, also after a failure. */
static Status what_to_keep(const char *path, CheckpointKeep *keep, RunState *state) {
    Checkpoint meta;
    *keep = (CheckpointKeep){.newest = 0};
    *state = (RunState){.best_step = -1};
    if (!path[0])
        return ST_OK;
    TRY(checkpoint_read_meta(path, &meta));
    *state = meta.state;
    state->history = NULL;
    state->n_history = 0;
    Status status = best_kept_by(&meta, &keep->best);
    keep->state = state;
    keep->lineage = strdup(meta.lineage ? meta.lineage : "");
    checkpoint_meta_free(&meta);
    TRY(status);
    TRY_ALLOC(keep->lineage);
    return ST_OK;
}

static void keep_free(CheckpointKeep *keep) {
    free((char *)(uintptr_t)keep->lineage);
    keep->lineage = NULL;
}

/* ---- list, verify ---- */

typedef struct Listing {
    FILE *out;
    const char *run;
    /* Of `list` alone: which of the best pruning leaves, and of what. */
    const CheckpointKeep *keep;
    const CheckpointSteps *steps;
    int wrong; /* files that are not good, sealed, and under their own name */
} Listing;

static const char *verdict_text(const Found *found) {
    switch (found->verdict) {
    case CHECKPOINT_GOOD:
        return found->renamed ? "good after all: rename it back, and a run will use it"
                              : checkpoint_seal_text(found->seal);
    case CHECKPOINT_BAD:
        return "bad";
    case CHECKPOINT_UNSEEN:
        return "cannot be looked at";
    case CHECKPOINT_GONE:
        break;
    }
    return "gone";
}

/* "best; ", "best 2; " ..., of the branch's own that pruning spares for that; else "". */
static void rank_text(const Listing *listing, const char *name, char text[32]) {
    int64_t step;
    text[0] = '\0';
    if (!checkpoint_step_of(name, "", &step) ||
        !checkpoint_spares(listing->keep, listing->steps, step))
        return;
    int64_t rank = checkpoint_rank(listing->keep->state, step);
    if (rank == 0)
        snprintf(text, 32, "best; ");
    else
        snprintf(text, 32, "best %" PRId64 "; ", rank + 1);
}

static Status list_one(void *context, const Found *found) {
    Listing *listing = context;
    const Checkpoint *meta = &found->meta;
    char hex[17], branch[LINEAGE_ID_BYTES] = "-", rank[32];
    if (found->verdict != CHECKPOINT_GOOD) {
        fprintf(listing->out, "%-40s %10s %6s %-16s %-16s %s\n", found->name, "", "", "", "",
                verdict_text(found));
        return ST_OK;
    }
    hash_hex(meta->state_hash, hex);
    if (meta->lineage && *meta->lineage)
        lineage_id(meta->lineage, branch);
    rank_text(listing, found->name, rank);
    fprintf(listing->out, "%-40s %10" PRId64 " %6" PRId64 " %-16s %-16s %s%s\n", found->name,
            meta->state.step, meta->state.epoch, branch, hex, rank, verdict_text(found));
    return ST_OK;
}

Status upkeep_list(const char *run, FILE *out) {
    Status status = ST_OK;
    CheckpointKeep keep;
    RunState state;
    CheckpointSteps steps = {0};
    Listing listing = {.out = out, .run = run, .keep = &keep, .steps = &steps};
    char folder[4096], newest[4096];
    TRY(checkpoints_of(run, folder));
    if (rundir_find(run, newest) != ST_OK) /* what is wrong is seen below */
        newest[0] = '\0';
    status_clear();
    TRY_DONE(what_to_keep(newest, &keep, &state));
    TRY_DONE(checkpoint_steps(folder, &steps));
    fprintf(out, "%-40s %10s %6s %-16s %-16s %s\n", "file", "step", "epoch", "branch", "state hash",
            "found");
    TRY_DONE(visit_run(run, list_one, &listing));
done:
    keep_free(&keep);
    free(steps.step);
    return status;
}

static Status verify_one(void *context, const Found *found) {
    Listing *listing = context;
    if (found->verdict == CHECKPOINT_GOOD && found->seal == SEAL_AGREES && !found->renamed)
        return ST_OK;
    listing->wrong++;
    fprintf(listing->out, "%s\n",
            found->verdict == CHECKPOINT_GOOD ? found->path : status_message());
    if (found->verdict == CHECKPOINT_GOOD)
        fprintf(listing->out, "  %s%s\n", verdict_text(found),
                found->renamed ? "" : "; `lockstep checkpoint seal` gives it a new one");
    return ST_OK;
}

Status upkeep_verify(const char *run, FILE *out) {
    Listing listing = {.out = out, .run = run};
    TRY(visit_run(run, verify_one, &listing));
    return listing.wrong == 0 ? ST_OK
                              : FAIL(ST_CHECKPOINT, "%s: %d checkpoint%s not as written", run,
                                     listing.wrong, listing.wrong == 1 ? " is" : "s are");
}

/* ---- seal ---- */

/* The checksum file is made under a temporary name and renamed over the old one. */
static Status seal_one(void *context, const Found *found) {
    Listing *listing = context;
    char hex[33], line[512], sidecar[4096 + 8], name[256], own[256], folder[4096], temporary[4096];
    if (found->renamed)
        return ST_OK;
    if (found->verdict != CHECKPOINT_GOOD) {
        listing->wrong++;
        fprintf(listing->out, "%s\n", status_message());
        return ST_OK;
    }
    if (found->seal == SEAL_AGREES)
        return ST_OK;
    const char *slash = strrchr(found->path, '/');
    const char *base = slash ? slash + 1 : found->path;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - found->path) : 1,
             slash ? found->path : ".");
    hash_hex128(found->bytes, found->size, hex);
    int n = snprintf(line, sizeof line, "%s  %.255s\n", hex, base);
    snprintf(name, sizeof name, "%.240s.xxh3", base);
    snprintf(sidecar, sizeof sidecar, "%s.xxh3", found->path);
    file_temporary_name(name, own, sizeof own);
    TRY(file_join(folder, own, temporary));
    TRY(file_create(temporary, line, (size_t)n));
    if (rename(temporary, sidecar) != 0) {
        int error = errno;
        unlink(temporary);
        return FAIL(ST_CHECKPOINT, "%s: cannot be replaced: %s", sidecar, strerror(error));
    }
    TRY(file_sync_folder(folder));
    fprintf(listing->out, "sealed: %s\n", found->path);
    return ST_OK;
}

Status upkeep_seal(const char *path, FILE *out) {
    Listing listing = {.out = out, .run = path};
    struct stat info;
    if (stat(path, &info) != 0)
        return FAIL(ST_CHECKPOINT, "%s: cannot be looked at: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode)) {
        TRY(visit_run(path, seal_one, &listing));
    } else {
        char *real =
            realpath(path, NULL); /* the checksum file stands beside the file, not a link */
        if (!real)
            return FAIL(ST_CHECKPOINT, "%s: cannot be looked at: %s", path, strerror(errno));
        Status status = visit_file(real, path, false, seal_one, &listing);
        free(real);
        TRY(status);
    }
    status_clear();
    return listing.wrong == 0
               ? ST_OK
               : FAIL(ST_CHECKPOINT, "%s: %d not good, and not sealed", path, listing.wrong);
}

/* ---- aside ---- */

Status upkeep_set_aside(const char *run, FILE *out) {
    Status status = ST_OK;
    RunDir dir;
    char folder[4096];
    int64_t step, older;
    TRY(checkpoints_of(run, folder));
    TRY(rundir_open(run, &dir));
    TRY_DONE(rundir_read_branch(&dir));
    TRY_DONE(rundir_step_behind(&dir, &step, &older));
    fprintf(out,
            "set aside: the checkpoint of step %" PRId64 "; %s goes on from that of step %" PRId64
            "\n",
            step, run, older);
done:
    rundir_close(&dir);
    return status;
}

/* ---- prune ---- */

static Status still_ours(void *context) {
    return rundir_check(context);
}

/* All of a folder that was set aside, its metrics too; what else is there stays, and the folder. */
static Status remove_aside(const char *folder, const CheckpointGate *gate, FILE *out) {
    const CheckpointKeep none = {.newest = 0};
    char metrics[4096];
    int64_t n;
    TRY(checkpoint_prune(folder, &none, gate, &n));
    TRY(file_join(folder, "metrics.jsonl", metrics));
    TRY(checkpoint_ask(gate));
    TRY(file_remove(metrics));
    if (rmdir(folder) != 0 && errno != ENOTEMPTY && errno != EEXIST)
        return FAIL(ST_CHECKPOINT, "%s: cannot be removed: %s", folder, strerror(errno));
    fprintf(out, "removed: %" PRId64 " of %s\n", n, folder);
    return ST_OK;
}

static Status remove_all_aside(const char *checkpoints, const CheckpointGate *gate, FILE *out) {
    Names names;
    char folder[4096];
    Status status = folder_names(checkpoints, checkpoint_is_aside, &names);
    for (int64_t i = 0; status == ST_OK && i < names.n; i++) {
        TRY_DONE(file_join(checkpoints, names.name[i], folder));
        TRY_DONE(remove_aside(folder, gate, out));
    }
done:
    folder_free(&names);
    return status;
}

/* A branch that has made no checkpoint yet goes on from one that may be among those set aside, and
 * nowhere else. */
static Status check_begun(const RunDir *dir, int64_t step) {
    int64_t begin = dir->lineage ? lineage_begin(dir->lineage) : 0;
    if (step >= begin)
        return ST_OK;
    return FAIL(ST_CHECKPOINT,
                "%s: the run here is to go on from step %" PRId64
                ", whose checkpoint may be among those set aside, and has made none yet: leave "
                "--aside out, or train it to its next checkpoint first",
                dir->path, begin);
}

/* The directory's branch, and what it keeps: its newest good checkpoint says it, but for what is
 * asked for. */
static Status what_to_prune(const RunDir *dir, const PruneWish *wish, CheckpointKeep *keep,
                            RunState *state) {
    char path[4096];
    TRY(checkpoint_newest(dir->checkpoints, true, dir->lineage, path));
    if (!path[0])
        return FAIL(ST_CHECKPOINT, "%s: holds no checkpoints", dir->path);
    TRY(what_to_keep(path, keep, state));
    keep->newest = wish->keep;
    if (wish->keep_best > 0)
        keep->best = wish->keep_best;
    if (!dir->lineage)
        return ST_OK;
    keep_free(keep);
    keep->lineage = strdup(dir->lineage);
    TRY_ALLOC(keep->lineage);
    return ST_OK;
}

Status upkeep_prune(const char *run, const PruneWish *wish, FILE *out) {
    Status status = ST_OK;
    RunDir dir;
    CheckpointKeep keep = {.lineage = NULL};
    RunState state;
    char folder[4096];
    int64_t n;
    TRY(checkpoints_of(run, folder));
    TRY(rundir_open(run, &dir));
    CheckpointGate gate = {still_ours, &dir};
    TRY_DONE(rundir_read_branch(&dir));
    TRY_DONE(what_to_prune(&dir, wish, &keep, &state));
    if (wish->aside)
        TRY_DONE(check_begun(&dir, state.step));
    TRY_DONE(checkpoint_prune(dir.checkpoints, &keep, &gate, &n));
    fprintf(out, "removed: %" PRId64 " of %s\n", n, dir.checkpoints);
    if (wish->aside)
        TRY_DONE(remove_all_aside(dir.checkpoints, &gate, out));
done:
    keep_free(&keep);
    rundir_close(&dir);
    return status;
}
