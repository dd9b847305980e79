/* showcase: see showcase.h.
 *
 * A process of its own, since a library that draws may fail in ways that no Status tells, and must
 * not take a finished run with it; and since it can be ended at any moment. It gets none of the
 * launcher's variables, so that nobody takes it for a rank. */
#include "showcase.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "signals.h"

static const double LONGEST = 2; /* seconds */

/* Of the environment: where the images are, and what cairo and the loader need. */
enum { KEPT = 5, ENTRY_MAX = 4200 };

static int environment(char entries[KEPT][ENTRY_MAX], char *list[KEPT + 1]) {
    static const char *const kept[KEPT] = {"HOME", "XDG_CACHE_HOME", "LANG", "LD_LIBRARY_PATH",
                                           "CIFAR10_DIR"};
    int n = 0;
    for (int i = 0; i < KEPT; i++) {
        const char *value = getenv(kept[i]);
        if (!value || strlen(value) + strlen(kept[i]) + 2 > ENTRY_MAX)
            continue;
        stpcpy(stpcpy(stpcpy(entries[n], kept[i]), "="), value);
        list[n] = entries[n];
        n++;
    }
    list[n] = NULL;
    return n;
}

/* Its words go nowhere: they would look like the run's. -1 where it cannot be started. */
static pid_t start(const char *out) {
    char entries[KEPT][ENTRY_MAX], *variables[KEPT + 1];
    char name[] = "lockstep", command[] = "report", folder[ENTRY_MAX];
    char *arguments[] = {name, command, folder, NULL};
    posix_spawn_file_actions_t files;
    pid_t process = -1;
    environment(entries, variables);
    snprintf(folder, sizeof folder, "%s%s", out[0] == '-' ? "./" : "", out);
    if (posix_spawn_file_actions_init(&files) != 0)
        return -1;
    if (posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0) != 0 ||
        posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) != 0 ||
        posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0) != 0 ||
        posix_spawn(&process, "/proc/self/exe", &files, NULL, arguments, variables) != 0)
        process = -1;
    posix_spawn_file_actions_destroy(&files);
    return process;
}

/* Whether it ended well in time; else it is ended. */
static bool wait_for(pid_t process) {
    double begin = clock_now();
    int code;
    while (clock_now() - begin < LONGEST && !signals_stop_requested()) {
        pid_t ended = waitpid(process, &code, WNOHANG);
        if (ended != 0)
            return ended == process && WIFEXITED(code) && WEXITSTATUS(code) == 0;
        clock_sleep(0.005);
    }
    kill(process, SIGKILL);
    waitpid(process, &code, 0);
    return false;
}

void showcase(const char *out) {
    pid_t process = start(out);
    if (process > 0 && wait_for(process))
        log_info("report: %s/report/report.html", out);
    else
        log_info("report: none yet; `lockstep report %s` makes it, or says why not", out);
}

bool showcase_there(const char *out) {
    char path[ENTRY_MAX];
    return snprintf(path, sizeof path, "%s/report/report.html", out) < (int)sizeof path &&
           access(path, F_OK) == 0;
}
