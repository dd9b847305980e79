/* rundir_local: checkpoints on a node's own disk. See rundir.h.
 *
 * A run may go on from such a checkpoint only if it went on to it: another node may meanwhile have
 * taken the run from an older state, and metrics.jsonl with it. So the folder below
 * --checkpoint-local has a random name that stands in the run directory, and whoever goes on from
 * anything else gives it a new one. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint_format.h"
#include "file_util.h"
#include "lockstep/hash.h"
#include "lockstep/lineage.h"
#include "lockstep/log.h"
#include "lockstep/rundir.h"

enum { NAME_MAX_BYTES = 32 };
static const char prefix[] = "lockstep-"; /* and 16 hex digits */

/* The name in the run directory, "" if there is none. */
static void load_name(const RunDir *dir, char name[NAME_MAX_BYTES]) {
    char path[4096];
    name[0] = '\0';
    if (snprintf(path, sizeof path, "%s/local", dir->path) >= (int)sizeof path)
        return;
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    if (!fgets(name, NAME_MAX_BYTES, file) || strncmp(name, prefix, sizeof prefix - 1) != 0 ||
        strspn(name + sizeof prefix - 1, "0123456789abcdef") != 16)
        name[0] = '\0';
    else
        name[sizeof prefix - 1 + 16] = '\0';
    fclose(file);
}

static int64_t step_at(const char *path) {
    const char *slash = strrchr(path, '/');
    int64_t step;
    return slash && checkpoint_step_of(slash + 1, "", &step) ? step : -1;
}

/* The newest one of this node's folder; "" where that is another's, gone, or without a good one. */
static Status newest_local(RunDir *dir, const char *base, char path[4096]) {
    char name[NAME_MAX_BYTES];
    bool bad;
    path[0] = '\0';
    load_name(dir, name);
    if (!base[0] || !name[0])
        return ST_OK;
    TRY(file_join(base, name, dir->local));
    if (access(dir->local, F_OK) != 0) {
        log_warn("%s is not on this node: checkpoints that a node keeps to itself cannot be gone "
                 "on from elsewhere",
                 dir->local);
        return ST_OK;
    }
    TRY(checkpoint_search(dir->local, true, dir->lineage, path, &bad));
    if (!path[0] && bad)
        log_warn("%s: has checkpoints but no good one", dir->local);
    return ST_OK;
}

/* Of both folders; *bad as of checkpoint_search. Sets dir->local. */
static Status find_newest(RunDir *dir, const char *base, char path[4096], bool *bad) {
    char local[4096];
    path[0] = '\0';
    TRY(newest_local(dir, base, local));
    TRY(checkpoint_search(dir->checkpoints, true, dir->lineage, path, bad));
    if (local[0] && step_at(local) > step_at(path))
        memcpy(path, local, sizeof local);
    else
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

/* The folder of the name that goes out of use, where it is on this node. */
static Status remove_old(const char *base, const char *name) {
    char folder[4096];
    TRY(file_join(base, name, folder));
    if (access(folder, F_OK) != 0)
        return ST_OK;
    TRY(checkpoint_prune(folder, 0, NULL, NULL));
    if (rmdir(folder) != 0 && errno != ENOTEMPTY && errno != EEXIST)
        return FAIL(ST_CHECKPOINT, "%s: cannot be removed: %s", folder, strerror(errno));
    return ST_OK;
}

Status rundir_begin_local(RunDir *dir, const char *base) {
    char path[4096], old[NAME_MAX_BYTES], name[NAME_MAX_BYTES], hex[17];
    uint64_t number = 0;
    if (dir->local[0])
        return rundir_check(dir);
    load_name(dir, old);
    TRY(file_join(dir->path, "local", path));
    TRY(rundir_check(dir));
    TRY(file_remove(path));
    if (!base[0])
        return ST_OK;
    if (old[0])
        TRY(remove_old(base, old));
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        return FAIL(ST_INTERNAL, "the system gives no random number: %s", strerror(errno));
    hash_hex(number, hex);
    snprintf(name, sizeof name, "%s%s", prefix, hex);
    TRY(file_join(base, name, dir->local));
    TRY(file_make_folders(dir->local, "--checkpoint-local"));
    return rundir_replace(dir, "local", name, strlen(name));
}
