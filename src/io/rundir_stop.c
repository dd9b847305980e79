/* rundir_stop: `touch RUN/stop`, by which a person without a signal at hand asks a run to end. See
 * rundir.h. */
#include <stdio.h>
#include <sys/stat.h>

#include "file_util.h"
#include "lockstep/rundir.h"

bool rundir_asks_stop(const RunDir *dir) {
    char path[4096];
    struct stat info;
    return snprintf(path, sizeof path, "%s/stop", dir->path) < (int)sizeof path &&
           lstat(path, &info) == 0 && S_ISREG(info.st_mode);
}

Status rundir_remove_stop(RunDir *dir, bool *was_there) {
    char path[4096];
    *was_there = rundir_asks_stop(dir);
    if (!*was_there)
        return ST_OK;
    TRY(file_join(dir->path, "stop", path));
    TRY(rundir_check(dir));
    return file_remove(path);
}
