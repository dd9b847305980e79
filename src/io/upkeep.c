/* upkeep: see upkeep.h. */
#include "lockstep/upkeep.h"

#include <dirent.h>
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

/* The names in a folder that begin with `begin`, in order, for visit_folder; the caller frees. */
static Status sorted_names(const char *folder, struct dirent ***names, int *n) {
    *n = scandir(folder, names, NULL, alphasort);
    return *n >= 0 ? ST_OK
                   : FAIL(ST_CHECKPOINT, "%s: cannot be opened: %s", folder, strerror(errno));
}

static void free_names(struct dirent **names, int n) {
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

/* `prefix`: what stands before a file's name for people. */
static Status visit_folder(const char *folder, const char *prefix, Visit visit, void *context) {
    Status status = ST_OK;
    struct dirent **names;
    int n;
    int64_t step;
    char path[4096], shown[512];
    TRY(sorted_names(folder, &names, &n));
    for (int i = 0; i < n; i++) {
        const char *name = names[i]->d_name;
        bool renamed = checkpoint_is_bad(name) && !strstr(name, ".xxh3");
        if (!renamed && !checkpoint_step_of(name, "", &step))
            continue;
        TRY_DONE(file_join(folder, name, path));
        snprintf(shown, sizeof shown, "%s%s", prefix, name);
        TRY_DONE(visit_file(path, shown, renamed, visit, context));
        status_clear(); /* what was found of a bad one has been told */
    }
done:
    free_names(names, n);
    return status;
}

static Status checkpoints_of(const char *run, char folder[4096]) {
    TRY(file_join(run, "checkpoints", folder));
    return access(folder, F_OK) == 0
               ? ST_OK
               : FAIL(ST_CHECKPOINT, "%s: holds no checkpoints; is it a run directory?", run);
}

static Status visit_aside(const char *checkpoints, Visit visit, void *context) {
    Status status = ST_OK;
    struct dirent **names;
    int n;
    char folder[4096], prefix[64];
    TRY(sorted_names(checkpoints, &names, &n));
    for (int i = 0; i < n; i++) {
        if (!checkpoint_is_aside(names[i]->d_name))
            continue;
        TRY_DONE(file_join(checkpoints, names[i]->d_name, folder));
        snprintf(prefix, sizeof prefix, "%.40s/", names[i]->d_name);
        TRY_DONE(visit_folder(folder, prefix, visit, context));
    }
done:
    free_names(names, n);
    return status;
}

static Status visit_run(const char *run, Visit visit, void *context) {
    char folder[4096];
    TRY(checkpoints_of(run, folder));
    TRY(visit_folder(folder, "", visit, context));
    return visit_aside(folder, visit, context);
}

/* ---- list, verify ---- */

typedef struct Listing {
    FILE *out;
    const char *run;
    char best[256];
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

static Status list_one(void *context, const Found *found) {
    Listing *listing = context;
    const Checkpoint *meta = &found->meta;
    char hex[17], branch[LINEAGE_ID_BYTES] = "-";
    if (found->verdict != CHECKPOINT_GOOD) {
        fprintf(listing->out, "%-40s %10s %6s %-16s %-16s %s\n", found->name, "", "", "", "",
                verdict_text(found));
        return ST_OK;
    }
    hash_hex(meta->state_hash, hex);
    if (meta->lineage && *meta->lineage)
        lineage_id(meta->lineage, branch);
    fprintf(listing->out, "%-40s %10" PRId64 " %6" PRId64 " %-16s %-16s %s%s\n", found->name,
            meta->state.step, meta->state.epoch, branch, hex,
            strcmp(found->name, listing->best) == 0 ? "best; " : "", verdict_text(found));
    return ST_OK;
}

Status upkeep_list(const char *run, FILE *out) {
    Listing listing = {.out = out, .run = run};
    char folder[4096];
    TRY(checkpoints_of(run, folder));
    if (rundir_find_best(run, listing.best) != ST_OK) /* what is wrong is seen below */
        status_clear();
    fprintf(out, "%-40s %10s %6s %-16s %-16s %s\n", "file", "step", "epoch", "branch", "state hash",
            "found");
    return visit_run(run, list_one, &listing);
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
    const CheckpointKeep none = {.best_step = -1};
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

/* What the newest good checkpoint of the branch says is to stay. The caller frees keep->lineage. */
static Status what_to_keep(const RunDir *dir, int64_t newest, CheckpointKeep *keep) {
    char path[4096];
    Checkpoint meta;
    *keep = (CheckpointKeep){.newest = newest, .best_step = -1};
    TRY(checkpoint_newest(dir->checkpoints, true, dir->lineage, path));
    if (!path[0])
        return FAIL(ST_CHECKPOINT, "%s: holds no checkpoints", dir->path);
    TRY(checkpoint_read_meta(path, &meta));
    const char *lineage = dir->lineage ? dir->lineage : meta.lineage;
    keep->lineage = strdup(lineage ? lineage : "");
    keep->best_step = meta.state.best_step;
    checkpoint_meta_free(&meta);
    TRY_ALLOC(keep->lineage);
    return ST_OK;
}

Status upkeep_prune(const char *run, int64_t newest, bool aside, FILE *out) {
    Status status = ST_OK;
    RunDir dir;
    CheckpointKeep keep = {.lineage = NULL};
    char folder[4096];
    int64_t n;
    TRY(checkpoints_of(run, folder));
    TRY(rundir_open(run, &dir));
    CheckpointGate gate = {still_ours, &dir};
    TRY_DONE(rundir_read_branch(&dir));
    TRY_DONE(what_to_keep(&dir, newest, &keep));
    TRY_DONE(checkpoint_prune(dir.checkpoints, &keep, &gate, &n));
    fprintf(out, "removed: %" PRId64 " of %s\n", n, dir.checkpoints);
    if (aside)
        TRY_DONE(remove_all_aside(dir.checkpoints, &gate, out));
done:
    free((char *)(uintptr_t)keep.lineage);
    rundir_close(&dir);
    return status;
}
