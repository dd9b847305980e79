/* place: see place.h.
 *
 * A start by hand begins a run of its own: that is what a name with the time asks for. A job that
 * is started again is to find its run, though the time is another: of the directories that the name
 * may stand for it takes the one whose file `lineage` says that this job's earlier start, by this
 * very command line, began it. */
#include "place.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lockstep/job.h"
#include "lockstep/log.h"
#include "lockstep/rundir.h"

/* All that a name may stand for, as a pattern of glob. */
static void to_glob(const char *out, char pattern[2 * CONFIG_PATH_MAX]) {
    size_t n = 0;
    for (const char *c = out; *c; c++) {
        if (*c == '%' && c[1] != '%') {
            pattern[n++] = '*';
            c++;
            continue;
        }
        c += *c == '%';
        if (strchr("*?[\\", *c))
            pattern[n++] = '\\';
        pattern[n++] = *c;
    }
    pattern[n] = '\0';
}

/* Whether this job's earlier start began a run there, and when. */
static Status is_ours(const char *path, bool *ours, struct timespec *when) {
    RunDir dir = {.lock_fd = -1, .log_fd = -1, .metrics_fd = -1};
    char file[4096 + 16];
    struct stat info;
    snprintf(dir.path, sizeof dir.path, "%s", path);
    Status status = rundir_read_branch(&dir);
    *ours = status == ST_OK && dir.begun_before;
    rundir_close(&dir);
    snprintf(file, sizeof file, "%s/lineage", path);
    if (*ours && stat(file, &info) == 0)
        *when = info.st_mtim;
    return status;
}

static bool is_later(struct timespec a, struct timespec b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

/* The newest run that this job's earlier start has begun under such a name; "": none. */
static Status find_earlier(const char *out, char path[CONFIG_PATH_MAX]) {
    char pattern[2 * CONFIG_PATH_MAX];
    struct timespec newest = {0};
    glob_t found;
    Status status = ST_OK;
    path[0] = '\0';
    to_glob(out, pattern);
    int code = glob(pattern, 0, NULL, &found);
    if (code != 0 && code != GLOB_NOMATCH)
        return FAIL(ST_CHECKPOINT, "%s: cannot be looked for among what there is", out);
    for (size_t i = 0; code == 0 && i < found.gl_pathc; i++) {
        struct timespec when = {0};
        bool ours = false;
        if (strlen(found.gl_pathv[i]) >= CONFIG_PATH_MAX)
            continue;
        TRY_DONE(is_ours(found.gl_pathv[i], &ours, &when));
        if (ours && (!path[0] || is_later(when, newest))) {
            snprintf(path, CONFIG_PATH_MAX, "%s", found.gl_pathv[i]);
            newest = when;
        }
    }
done:
    globfree(&found);
    return status;
}

/* Local, rank 0. */
static Status choose(const char *out, char path[CONFIG_PATH_MAX]) {
    path[0] = '\0';
    if (job_now().restart > 0)
        TRY(find_earlier(out, path));
    if (!path[0])
        return config_out_at(out, (int64_t)time(NULL), path);
    log_info("this job has begun %s: the run goes on there", path);
    return ST_OK;
}

Status place_settle(RunConfig *config, Comm *comm) {
    char path[CONFIG_PATH_MAX] = "";
    if (!config_out_is_timed(config->out)) {
        TRY(comm_agree(comm, config_out_at(config->out, 0, path)));
    } else {
        TRY(comm_same(comm, "--out", config->out));
        TRY(comm_agree(comm, comm_rank(comm) == 0 ? choose(config->out, path) : ST_OK));
        TRY(comm_bcast(comm, path, sizeof path, 0));
    }
    memcpy(config->out, path, sizeof path);
    return ST_OK;
}
