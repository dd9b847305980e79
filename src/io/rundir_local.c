/* rundir_local: checkpoints on a node's own disk. See rundir.h.
 *
 * A run may go on from such a checkpoint only if it went on to it: another node may meanwhile have
 * taken the run from an older state, and metrics.jsonl with it. So the folder below
 * --checkpoint-local has a random name that stands in the run directory, in the file `local`, and
 * whoever goes on from anything else gives it a new one:
 *
 *   lockstep-0123456789abcdef          the folder in use, if there is one
 *   left lockstep-fedcba9876543210     those before it
 *
 * What is left may be all that there is of some states, even of the one that the run goes on from.
 * So it is removed only once a checkpoint that came after it is in the run directory. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "checkpoint_dir.h"
#include "checkpoint_format.h"
#include "file_util.h"
#include "lockstep/hash.h"
#include "lockstep/lineage.h"
#include "lockstep/log.h"
#include "lockstep/rundir.h"
#include "lockstep/text.h"

enum { NAME_BYTES = 32 };
static const char prefix[] = "lockstep-"; /* and 16 hex digits */
static const char left_word[] = "left ";

static bool is_name(const char *line) {
    size_t length = sizeof prefix - 1;
    return strncmp(line, prefix, length) == 0 && strspn(line + length, "0123456789abcdef") == 16 &&
           !line[length + 16];
}

/* What the file says. */
typedef struct Local {
    char name[NAME_BYTES]; /* in use, "": none */
    Text left;             /* lines "left NAME" */
} Local;

static void local_free(Local *local) {
    text_free(&local->left);
}

static void read_lines(char *text, Local *local) {
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (is_name(line))
            snprintf(local->name, sizeof local->name, "%s", line);
        else if (strncmp(line, left_word, strlen(left_word)) == 0 &&
                 is_name(line + strlen(left_word)))
            text_add(&local->left, "%s\n", line);
    }
}

/* *local is to be freed, also after a failure. */
static Status load_local(const RunDir *dir, Local *local) {
    char path[4096], *text;
    size_t size;
    *local = (Local){0};
    TRY(file_join(dir->path, "local", path));
    if (access(path, F_OK) != 0)
        return ST_OK;
    TRY(file_load(path, &text, &size));
    read_lines(text, local);
    free(text);
    return ST_OK;
}

static Status save_local(const RunDir *dir, const Local *local) {
    char path[4096], *bytes = NULL;
    size_t size;
    Text text = {0};
    if (!local->name[0] && local->left.size == 0) {
        TRY(file_join(dir->path, "local", path));
        TRY(rundir_check(dir));
        TRY(file_remove(path));
        return file_sync_folder(dir->path);
    }
    if (local->name[0])
        text_add(&text, "%s\n", local->name);
    text_add_bytes(&text, local->left.bytes, local->left.size);
    Status status = text_take(&text, &bytes, &size);
    if (status == ST_OK)
        status = rundir_replace(dir, "local", bytes, size);
    free(bytes);
    return status;
}

static int64_t step_at(const char *path) {
    const char *slash = strrchr(path, '/');
    int64_t step;
    return slash && checkpoint_step_of(slash + 1, "", &step) ? step : -1;
}

/* ---- What to go on from ---- */

/* Sets dir->local to this node's folder; "" where there is none. */
static Status find_local(RunDir *dir, const char *base) {
    Local local;
    Status status = load_local(dir, &local);
    dir->local[0] = '\0';
    if (status == ST_OK && local.name[0] && base[0])
        status = file_join(base, local.name, dir->local);
    if (status == ST_OK && local.name[0] && !base[0])
        log_warn(
            "%s was trained with --checkpoint-local, which is not given now: newer checkpoints "
            "that a node may have are not looked for",
            dir->path);
    if (dir->local[0] && access(dir->local, F_OK) != 0) {
        log_warn("%s is not on this node: checkpoints that a node keeps to itself cannot be gone "
                 "on from elsewhere",
                 dir->local);
        dir->local[0] = '\0';
    }
    local_free(&local);
    return status;
}

static Status has_any(const char *folder, bool *has) {
    CheckpointSteps steps;
    TRY(checkpoint_steps(folder, &steps));
    *has = steps.n > 0 || steps.bad;
    free(steps.step);
    return ST_OK;
}

Status rundir_has_checkpoints(const RunDir *dir, const char *base, bool *has) {
    Local local;
    char folder[4096];
    Status status = ST_OK;
    TRY_DONE(load_local(dir, &local));
    TRY_DONE(has_any(dir->checkpoints, has));
    if (!*has && local.name[0] && base[0]) {
        TRY_DONE(file_join(base, local.name, folder));
        TRY_DONE(has_any(folder, has));
    }
done:
    local_free(&local);
    return status;
}

/* Of both folders; *bad: the run directory's own has bad ones, or others. Sets dir->local where the
 * newest is of that. */
static Status find_newest(RunDir *dir, const char *base, char path[4096], bool *bad) {
    int where;
    TRY(find_local(dir, base));
    CheckpointPlace places[] = {{.folder = dir->checkpoints}, {.folder = dir->local}};
    TRY(checkpoint_search(places, dir->local[0] ? 2 : 1, true, dir->lineage, path, &where));
    *bad = places[0].bad;
    if (where != 1)
        dir->local[0] = '\0';
    return ST_OK;
}

Status rundir_newest(RunDir *dir, const char *base, char path[4096]) {
    bool bad;
    TRY(find_newest(dir, base, path, &bad));
    if (!path[0] && bad)
        return FAIL(ST_CHECKPOINT,
                    "%s: has checkpoints but no good one%s; start over with --reset, or name a "
                    "file with --resume FILE",
                    dir->checkpoints, dir->lineage ? " of this run's branch" : "");
    int64_t begin = dir->lineage ? lineage_begin(dir->lineage) : 0;
    if (begin > 0 && step_at(path) < begin)
        return FAIL(ST_CHECKPOINT,
                    "%s: the run here was to go on from step %" PRId64
                    " of a checkpoint that is not here, and has made none yet; name that, or "
                    "another one, with --resume FILE, or start over with --reset",
                    dir->path, begin);
    return ST_OK;
}

Status rundir_newest_made(RunDir *dir, const char *base, char path[4096]) {
    bool bad;
    TRY(find_newest(dir, base, path, &bad));
    if (dir->lineage && step_at(path) < lineage_begin(dir->lineage)) {
        path[0] = '\0';
        dir->local[0] = '\0';
    }
    return ST_OK;
}

Status rundir_find(const char *run, char path[4096]) {
    RunDir dir = {.lock_fd = -1, .log_fd = -1, .metrics_fd = -1};
    snprintf(dir.path, sizeof dir.path, "%s", run);
    Status status = file_join(run, "checkpoints", dir.checkpoints);
    if (status == ST_OK)
        status = rundir_read_branch(&dir);
    if (status == ST_OK)
        status = checkpoint_newest(dir.checkpoints, false, dir.lineage, path);
    rundir_close(&dir);
    return status;
}

/* ---- Which folder is in use ---- */

/* The folder in use becomes one that is left; where this node can tell, only if it holds any, and
 * else it is removed. */
static Status leave(const RunDir *dir, const char *base, Local *local) {
    char folder[4096];
    bool has = true;
    if (!local->name[0])
        return ST_OK;
    if (base[0]) {
        TRY(file_join(base, local->name, folder));
        TRY(rundir_sweep(dir, folder));
        TRY(has_any(folder, &has));
        if (!has && rmdir(folder) != 0)
            log_debug("%s stays: %s", folder, strerror(errno));
    }
    if (has)
        text_add(&local->left, "%s%s\n", left_word, local->name);
    local->name[0] = '\0';
    return ST_OK;
}

Status rundir_leave_local(RunDir *dir) {
    Local local;
    Status status = load_local(dir, &local);
    if (status == ST_OK && local.name[0]) {
        status = leave(dir, "", &local);
        if (status == ST_OK)
            status = save_local(dir, &local);
    }
    local_free(&local);
    dir->local[0] = '\0';
    return status;
}

static Status new_name(char name[NAME_BYTES]) {
    char hex[17];
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        return FAIL(ST_INTERNAL, "the system gives no random number: %s", strerror(errno));
    hash_hex(number, hex);
    snprintf(name, NAME_BYTES, "%s%s", prefix, hex);
    return ST_OK;
}

Status rundir_begin_local(RunDir *dir, const char *base) {
    Status status = ST_OK;
    Local local;
    TRY_DONE(load_local(dir, &local));
    dir->left_local = local.left.size > 0;
    TRY_DONE(rundir_check(dir));
    if (dir->local[0])
        TRY_DONE(rundir_sweep(dir, dir->local));
    if (dir->local[0] || (!base[0] && !local.name[0]))
        goto done;
    TRY_DONE(leave(dir, base, &local));
    if (base[0]) {
        TRY_DONE(new_name(local.name));
        TRY_DONE(file_join(base, local.name, dir->local));
        TRY_DONE(file_make_folders(dir->local, "--checkpoint-local"));
    }
    dir->left_local = local.left.size > 0;
    TRY_DONE(save_local(dir, &local));
done:
    local_free(&local);
    return status;
}

/* ---- Once they need not last any more ---- */

static Status still_ours(void *context) {
    return rundir_check(context);
}

static Status empty(RunDir *dir, const char *folder) {
    const CheckpointKeep none = {.newest = 0};
    const CheckpointGate gate = {still_ours, dir};
    if (access(folder, F_OK) != 0)
        return ST_OK;
    TRY(rundir_sweep(dir, folder));
    return checkpoint_prune(folder, &none, &gate, NULL);
}

/* Removes what a node has of folders that were left. */
static Status remove_left(RunDir *dir, const char *base) {
    Status status = ST_OK;
    char *rest = NULL, folder[4096];
    Local local;
    TRY_DONE(load_local(dir, &local));
    for (char *line = local.left.size ? strtok_r(local.left.bytes, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        TRY_DONE(file_join(base, line + strlen(left_word), folder));
        TRY_DONE(empty(dir, folder));
        if (rmdir(folder) != 0 && errno != ENOENT)
            log_debug("%s stays: %s", folder, strerror(errno));
    }
    text_clear(&local.left);
    TRY_DONE(save_local(dir, &local));
    dir->left_local = false;
done:
    local_free(&local);
    return status;
}

Status rundir_lasts(RunDir *dir) {
    char base[4096];
    if (!dir->local[0])
        return ST_OK;
    TRY(empty(dir, dir->local));
    if (!dir->left_local)
        return ST_OK;
    memcpy(base, dir->local, sizeof base);
    *strrchr(base, '/') = '\0';
    return remove_left(dir, base);
}
