/* showcase: see showcase.h. */
#include "showcase.h"

#include <stdio.h>
#include <unistd.h>

#include "child.h"
#include "lockstep/log.h"

static const double LONGEST = 2; /* seconds */

enum { FOLDER_MAX = 4200 };

void showcase(const char *out) {
    char folder[FOLDER_MAX];
    snprintf(folder, sizeof folder, "%s%s", out[0] == '-' ? "./" : "", out);
    const char *words[] = {"report", folder, NULL};
    pid_t process = child_start(words, -1, -1);
    Deadline deadline = deadline_after(LONGEST);
    if (process > 0 && child_wait(process, &deadline).well)
        log_info("report: %s/report/report.html", out);
    else
        log_info("report: none yet; `lockstep report %s` makes it, or says why not", out);
}

bool showcase_there(const char *out) {
    char path[FOLDER_MAX];
    return snprintf(path, sizeof path, "%s/report/report.html", out) < (int)sizeof path &&
           access(path, F_OK) == 0;
}
