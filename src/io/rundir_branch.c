/* rundir_branch: which checkpoints of a run directory belong to the run that goes on there.
 *
 * The file `lineage` says it:
 *
 *   0123456789abcdef@0 fedcba9876543210@12     the branch (lineage.h)
 *   begun 77 0 89abcdef01234567                by which job, restart and command line
 *   sorting                                    only until the files of others are set aside
 *
 * A new branch begins at the moment in which that file is renamed into place. Before it, only
 * copies are made: of the metrics that are left, and of those that are to take their place, as the
 * file metrics.next. After it, all that is to be done can be done again: metrics.next becomes
 * metrics.jsonl, and files of others are moved. Who is killed on the way leaves the word `sorting`,
 * and whoever comes next does the rest before anything else. Lost, the file follows from the newest
 * good checkpoint, which carries its own lineage.
 *
 * What is moved goes to checkpoints/aside-ID: ID is the branch that it is of, so that checkpoints
 * and metrics of one branch come together. See rundir.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint_dir.h"
#include "checkpoint_format.h"
#include "file_util.h"
#include "lockstep/hash.h"
#include "lockstep/job.h"
#include "lockstep/lineage.h"
#include "lockstep/log.h"
#include "lockstep/rundir.h"

enum { COMMAND_BYTES = 1 << 16, ASIDE_MAX = 1000 };

/* Who begins a branch. */
typedef struct Beginner {
    Job job;
    char command[17]; /* hash of the command line */
} Beginner;

static Beginner myself(void) {
    Beginner me = {.job = job_now()};
    static char words[COMMAND_BYTES];
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, words, sizeof words) : 0;
    if (fd >= 0)
        close(fd);
    hash_hex(hash_bytes(words, n > 0 ? (size_t)n : 0), me.command);
    return me;
}

/* The branch is of this process. */
static void sign(RunDir *dir) {
    const Beginner me = myself();
    snprintf(dir->begun, sizeof dir->begun, "begun %s %" PRId64 " %s", me.job.id, me.job.restart,
             me.command);
}

/* Whether the branch was begun by this very command in this job, before a restart. */
static bool begun_before(const Beginner *by) {
    const Beginner me = myself();
    return job_same(&by->job, &me.job) && by->job.restart < me.job.restart &&
           strcmp(by->command, me.command) == 0;
}

Status rundir_read_branch(RunDir *dir) {
    char path[4096], *text = NULL, word[16] = "";
    size_t size;
    Beginner by = {0};
    free(dir->lineage);
    dir->lineage = NULL;
    TRY(file_join(dir->path, "lineage", path));
    if (access(path, F_OK) != 0)
        return ST_OK;
    TRY(file_load(path, &text, &size));
    char *rest = strchr(text, '\n');
    if (rest)
        *rest++ = '\0';
    int n = rest ? sscanf(rest, "begun %63s %" SCNd64 " %16s %15s", by.job.id, &by.job.restart,
                          by.command, word)
                 : 0;
    if (n < 3 || !*text || !lineage_is_valid(text)) {
        log_warn("%s: is not readable as a lineage; the newest checkpoint says which branch it is",
                 path);
        free(text);
        return ST_OK;
    }
    dir->lineage = text;
    dir->sorting = strcmp(word, "sorting") == 0;
    dir->begun_before = begun_before(&by);
    snprintf(dir->begun, sizeof dir->begun, "%.*s", (int)strcspn(rest, "\n"), rest);
    return ST_OK;
}

static Status write_branch(const RunDir *dir) {
    size_t room = strlen(dir->lineage) + sizeof dir->begun + 32;
    char *text = malloc(room);
    TRY_ALLOC(text);
    int n = snprintf(text, room, "%s\n%s\n%s", dir->lineage, dir->begun,
                     dir->sorting ? "sorting\n" : "");
    Status status = rundir_replace(dir, "lineage", text, (size_t)n);
    free(text);
    return status;
}

/* ---- Checkpoints of others ---- */

/* Where what is of a branch is set aside: the first folder or, where names are taken there, others;
 * made where it is not there. */
static Status aside_folder(const RunDir *dir, const char *branch, int number, char folder[4096]) {
    char name[64], suffix[16] = "";
    if (number > 1)
        snprintf(suffix, sizeof suffix, ".%d", number);
    snprintf(name, sizeof name, "aside-%s%s", branch, suffix);
    TRY(file_join(dir->checkpoints, name, folder));
    return file_make_folders(folder, "--out");
}

/* Its checksum file is copied first and removed last: at no moment is a file without one. */
static Status move_to(const RunDir *dir, const char *name, const char *folder, bool *exists) {
    char from[4096], to[4096], sidecar[CHECKPOINT_FILE_NAME + 8], from_sidecar[4096],
        to_sidecar[4096], *text = NULL;
    size_t size;
    snprintf(sidecar, sizeof sidecar, "%s.xxh3", name);
    TRY(file_join(dir->checkpoints, name, from));
    TRY(file_join(folder, name, to));
    TRY(file_join(dir->checkpoints, sidecar, from_sidecar));
    TRY(file_join(folder, sidecar, to_sidecar));
    TRY(rundir_check(dir));
    *exists = access(to, F_OK) == 0;
    if (*exists)
        return ST_OK;
    if (file_load(from_sidecar, &text, &size) == ST_OK) {
        Status status = file_create(to_sidecar, text, size);
        free(text);
        TRY(status);
    }
    status_clear();
    TRY(file_rename_new(from, to, exists));
    TRY(file_sync_folder(folder));
    return *exists ? ST_OK : file_remove(from_sidecar);
}

/* `folder` is where it went. */
static Status move_one(const RunDir *dir, const char *name, const char *branch, char folder[4096]) {
    bool exists = true;
    for (int i = 1; exists && i <= ASIDE_MAX; i++) {
        TRY(aside_folder(dir, branch, i, folder));
        TRY(move_to(dir, name, folder, &exists));
    }
    return exists ? FAIL(ST_CHECKPOINT, "%s/%s: %d files of this name are there already", folder,
                         name, ASIDE_MAX)
                  : ST_OK;
}

/* Whether a file of checkpoints is in the way of the branch: another's; or, while that begins, one
 * of a step that it is still to come to, and of which no more can be told. */
static bool is_others(const RunDir *dir, const char *path, int64_t step, CheckpointKin *kin) {
    CheckpointVerdict verdict = checkpoint_look_for(path, dir->lineage, kin);
    status_clear();
    return (verdict == CHECKPOINT_GOOD && !kin->of) ||
           (verdict == CHECKPOINT_UNSEEN && dir->sorting && step > lineage_begin(dir->lineage));
}

/* Names of files that went to one folder, told in one line. */
typedef struct Moved {
    char names[512], folder[4096];
} Moved;

static void tell(Moved *moved) {
    if (moved->names[0])
        log_info("set aside, for they are of another branch of the run: %s (in %s)", moved->names,
                 moved->folder);
    moved->names[0] = '\0';
}

static void add_moved(Moved *moved, const char *name, const char *folder) {
    size_t used = strlen(moved->names);
    if (strcmp(folder, moved->folder) != 0 || used + strlen(name) + 3 > sizeof moved->names) {
        tell(moved);
        used = 0;
    }
    snprintf(moved->folder, sizeof moved->folder, "%s", folder);
    snprintf(moved->names + used, sizeof moved->names - used, "%s%s", used ? ", " : "", name);
}

static Status set_others_aside(const RunDir *dir) {
    Status status = ST_OK;
    CheckpointSteps steps;
    CheckpointKin kin;
    Moved moved = {.names = ""};
    char name[CHECKPOINT_FILE_NAME], path[4096], folder[4096];
    TRY_DONE(checkpoint_steps(dir->checkpoints, &steps));
    for (int64_t i = steps.n - 1; i >= 0; i--) {
        checkpoint_file_name(steps.step[i], name);
        TRY_DONE(file_join(dir->checkpoints, name, path));
        if (!is_others(dir, path, steps.step[i], &kin))
            continue;
        TRY_DONE(move_one(dir, name, kin.branch, folder));
        add_moved(&moved, name, folder);
    }
    TRY_DONE(file_sync_folder(dir->checkpoints));
done:
    tell(&moved);
    free(steps.step);
    return status;
}

/* ---- Metrics of others ---- */

static const char staged[] = "metrics.next"; /* in the run directory */

/* The folder that `path` ends in, which is cut off; "" where there is none. */
static const char *cut_folder(char *path) {
    char *slash = strrchr(path, '/');
    if (!slash)
        return "";
    *slash = '\0';
    return slash + 1;
}

/* The metrics that belong to a checkpoint: beside those of its branch where it was set aside, else
 * in the run directory whose folder of checkpoints it is in. "" where there are none. */
static void metrics_beside(const char *file, char path[4096]) {
    char *real = realpath(file, NULL);
    path[0] = '\0';
    if (!real)
        return;
    cut_folder(real);
    char *name = strrchr(real, '/');
    bool is_aside = name && checkpoint_is_aside(name + 1);
    if (is_aside)
        name[strcspn(name, ".")] = '\0'; /* the first folder of the branch */
    if ((is_aside || strcmp(cut_folder(real), "checkpoints") == 0) &&
        (snprintf(path, 4096, "%s/metrics.jsonl", real) >= 4096 || access(path, F_OK) != 0))
        path[0] = '\0';
    free(real);
}

/* The directory's metrics, into the folder of the branch that they are of. */
static Status keep_metrics(const RunDir *dir, const char *path) {
    char folder[4096], kept[4096], id[LINEAGE_ID_BYTES], *text;
    size_t size;
    lineage_id(dir->lineage ? dir->lineage : "", id);
    TRY(aside_folder(dir, id, 1, folder));
    TRY(file_join(folder, "metrics.jsonl", kept));
    TRY(file_load(path, &text, &size));
    Status status = file_create(kept, text, size);
    free(text);
    TRY(status);
    return file_sync_folder(folder);
}

/* The metrics of the branch that is left go to its folder. Those of the state that is gone on from
 * are to come, unless the state is `own`, one that the directory's metrics have led to: then they
 * will be cut back. */
static Status stage_metrics(const RunDir *dir, const char *file, bool own) {
    char path[4096], theirs[4096], *text = NULL;
    size_t size = 0;
    TRY(file_join(dir->path, "metrics.jsonl", path));
    bool have = access(path, F_OK) == 0;
    metrics_beside(file, theirs);
    TRY(rundir_check(dir));
    if (have)
        TRY(keep_metrics(dir, path));
    if (have && own)
        return ST_OK;
    if (theirs[0])
        TRY(file_load(theirs, &text, &size));
    Status status = rundir_replace(dir, staged, text, size);
    free(text);
    return status;
}

/* Those that are to come, if they have not yet; or, where no branch came of them, are not to. */
static Status settle_metrics(const RunDir *dir) {
    char path[4096], next[4096];
    TRY(file_join(dir->path, "metrics.jsonl", path));
    TRY(file_join(dir->path, staged, next));
    if (access(next, F_OK) != 0)
        return ST_OK;
    TRY(rundir_check(dir));
    if (!dir->sorting)
        return file_remove(next);
    if (rename(next, path) != 0)
        return FAIL(ST_CHECKPOINT, "%s: cannot be replaced: %s", path, strerror(errno));
    return file_sync_folder(dir->path);
}

/* ---- A new branch ---- */

Status rundir_finish_branch(RunDir *dir) {
    TRY(settle_metrics(dir));
    if (!dir->sorting)
        return ST_OK;
    TRY(set_others_aside(dir));
    dir->sorting = false;
    return write_branch(dir);
}

/* Whether the directory's branch goes on with this state. */
static bool goes_on(const RunDir *dir, const char *from, int64_t step) {
    return dir->lineage && lineage_holds(dir->lineage, from, step) &&
           lineage_begin(dir->lineage) <= step;
}

Status rundir_begin_branch(RunDir *dir, const char *from, int64_t step, bool leaves,
                           const char *file) {
    char *lineage = NULL;
    if (!leaves && goes_on(dir, from, step))
        return set_others_aside(dir);
    bool own = dir->lineage && lineage_holds(dir->lineage, from, step);
    if (file)
        TRY(stage_metrics(dir, file, own));
    if (!leaves && *from && !dir->lineage) { /* the file `lineage` is lost, or never was */
        lineage = strdup(from);
        TRY_ALLOC(lineage);
    } else {
        TRY(lineage_branch(from, step, &lineage));
    }
    free(dir->lineage);
    dir->lineage = lineage;
    sign(dir);
    dir->sorting = true;
    TRY(write_branch(dir));
    return rundir_finish_branch(dir);
}

/* ---- A step behind ---- */

/* The newest good checkpoint of the branch before step `before`; -1: none. `branch`: the one that
 * it was made in. */
static Status newest_before(const RunDir *dir, int64_t before, int64_t *newest,
                            char branch[LINEAGE_ID_BYTES]) {
    CheckpointSteps steps;
    CheckpointKin kin;
    char name[CHECKPOINT_FILE_NAME], path[4096];
    Status status = ST_OK;
    *newest = -1;
    TRY(checkpoint_steps(dir->checkpoints, &steps));
    for (int64_t i = 0; i < steps.n; i++) {
        int64_t step = steps.step[i];
        if (step >= before || step <= *newest || step < lineage_begin(dir->lineage))
            continue;
        checkpoint_file_name(step, name);
        TRY_DONE(file_join(dir->checkpoints, name, path));
        if (checkpoint_look_for(path, dir->lineage, &kin) != CHECKPOINT_GOOD || !kin.of)
            continue;
        *newest = step;
        memcpy(branch, kin.branch, LINEAGE_ID_BYTES);
    }
    status_clear();
done:
    free(steps.step);
    return status;
}

Status rundir_step_behind(const RunDir *dir, int64_t *step, int64_t *older) {
    char name[CHECKPOINT_FILE_NAME], folder[4096], branch[LINEAGE_ID_BYTES], its[LINEAGE_ID_BYTES];
    if (!dir->lineage)
        return FAIL(ST_CHECKPOINT, "%s: has no file `lineage`, so no run has begun there",
                    dir->path);
    TRY(newest_before(dir, INT64_MAX, step, branch));
    TRY(newest_before(dir, *step, older, its));
    if (*older < 0)
        return FAIL(ST_CHECKPOINT, "%s: %s", dir->checkpoints,
                    *step < 0 ? "holds no good checkpoint of the run"
                              : "the newest good checkpoint has none before it to go on from");
    checkpoint_file_name(*step, name);
    TRY(move_one(dir, name, branch, folder));
    return file_sync_folder(dir->checkpoints);
}
