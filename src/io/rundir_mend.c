/* rundir_mend: what a run directory holds besides checkpoints follows from the newest good one;
 * where a crash, a full disk or a person came between, it is made to. See rundir.h. */
#include <cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint_dir.h"
#include "checkpoint_format.h"
#include "file_util.h"
#include "lockstep/hash.h"
#include "lockstep/log.h"
#include "lockstep/rundir.h"

/* Removes best.h5 where it is a link. */
static Status unlink_best(RunDir *dir) {
    char path[4096], linked[256];
    rundir_best(dir, linked);
    if (!linked[0])
        return ST_OK;
    TRY(file_join(dir->path, "best.h5", path));
    TRY(rundir_check(dir));
    TRY(file_remove(path));
    return file_sync_folder(dir->path);
}

Status rundir_mend_best(RunDir *dir, int64_t best_step) {
    char linked[256], name[CHECKPOINT_FILE_NAME], path[4096];
    CheckpointVerdict verdict;
    rundir_best(dir, linked);
    if (best_step < 0) {
        if (linked[0])
            log_warn("%s/best.h5 named %s, but this run has no best checkpoint yet: it is removed",
                     dir->path, linked);
        return unlink_best(dir);
    }
    checkpoint_file_name(best_step, name);
    TRY(file_join(dir->checkpoints, name, path));
    verdict = checkpoint_look(path);
    if (verdict == CHECKPOINT_BAD) {
        log_warn("%s; renamed .bad", status_message());
        status_clear();
        TRY(rundir_check(dir));
        TRY(checkpoint_quarantine(path));
    }
    status_clear();
    if (verdict == CHECKPOINT_BAD || verdict == CHECKPOINT_GONE) {
        log_warn("the best checkpoint so far, of step %" PRId64 ", is not in %s any more: best.h5 "
                 "will be the next one that is better",
                 best_step, dir->checkpoints);
        return unlink_best(dir);
    }
    if (strcmp(linked, name) == 0)
        return ST_OK;
    if (dir->no_links) {
        if (linked[0])
            log_warn("%s/best.h5 named %s, but %s is the best of this run: it is removed",
                     dir->path, linked, name);
        return unlink_best(dir);
    }
    log_warn("%s/best.h5 %s%s: now it is %s, the best of this run", dir->path,
             linked[0] ? "was " : "was missing", linked, name);
    return rundir_link_best(dir, name);
}

void rundir_name_best(const RunDir *dir, int64_t best_step, char name[96]) {
    char linked[256], file[CHECKPOINT_FILE_NAME], path[4096];
    name[0] = '\0';
    if (best_step < 0)
        return;
    checkpoint_file_name(best_step, file);
    rundir_best(dir, linked);
    if ((strcmp(linked, file) != 0 && !dir->no_links) ||
        file_join(dir->checkpoints, file, path) != ST_OK || access(path, F_OK) != 0)
        status_clear();
    else if (dir->no_links)
        snprintf(name, 96, "/checkpoints/%s", file);
    else
        snprintf(name, 96, "/best.h5");
}

/* Of the state of a checkpoint. */
static Status best_of(const char *path, char file_name[CHECKPOINT_FILE_NAME]) {
    Checkpoint meta;
    TRY(checkpoint_read_meta(path, &meta));
    if (meta.state.best_step >= 0)
        checkpoint_file_name(meta.state.best_step, file_name);
    checkpoint_meta_free(&meta);
    return ST_OK;
}

Status rundir_find_best(const char *run, char file_name[256]) {
    RunDir dir = {0};
    char path[4096], name[CHECKPOINT_FILE_NAME] = "";
    snprintf(dir.path, sizeof dir.path, "%s", run);
    TRY(file_join(run, "checkpoints", dir.checkpoints));
    file_name[0] = '\0';
    TRY(rundir_find(run, path));
    if (!path[0])
        return ST_OK;
    TRY(best_of(path, name));
    TRY(file_join(dir.checkpoints, name, path));
    if (name[0] && access(path, F_OK) == 0)
        snprintf(file_name, 256, "%s", name);
    return ST_OK;
}

bool rundir_has_result(const RunDir *dir, int64_t step, uint64_t state_hash) {
    char path[4096], hex[17], *text = NULL;
    size_t size;
    bool has = false;
    hash_hex(state_hash, hex);
    if (file_join(dir->path, "result.json", path) == ST_OK && access(path, F_OK) == 0 &&
        file_load(path, &text, &size) == ST_OK) {
        cJSON *root = cJSON_ParseWithLength(text, size);
        const char *status = cJSON_GetStringValue(cJSON_GetObjectItem(root, "status"));
        const char *hash = cJSON_GetStringValue(cJSON_GetObjectItem(root, "state_hash"));
        const cJSON *at = cJSON_GetObjectItem(root, "step");
        has = status && hash && cJSON_IsNumber(at) && strcmp(status, "finished") == 0 &&
              strcmp(hash, hex) == 0 && at->valuedouble == (double)step;
        cJSON_Delete(root);
    }
    free(text);
    status_clear();
    return has;
}

Status rundir_begin_again(RunDir *dir) {
    static const char *const names[] = {"result.json", "predictions.h5", "report/report.html"};
    char path[4096];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        TRY(file_join(dir->path, names[i], path));
        TRY(rundir_check(dir));
        TRY(file_remove(path));
    }
    return file_sync_folder(dir->path);
}
