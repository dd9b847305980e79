/* child: see child.h. */
#include "child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lockstep/clock.h"
#include "signals.h"

enum { WORDS_MAX = 8 };

/* SIGKILL takes effect at once, but not in a call of the kernel that waits for a disk. */
static const double KILL_S = 1, LOOK_EVERY_S = 0.005;

/* Of the environment: where the images are, and what cairo and the loader need. */
enum { KEPT = 5, ENTRY_MAX = 4200 };

static void environment(char entries[KEPT][ENTRY_MAX], char *list[KEPT + 1]) {
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
}

static int redirect(posix_spawn_file_actions_t *files, int from, int to) {
    return from >= 0 ? posix_spawn_file_actions_adddup2(files, from, to)
                     : posix_spawn_file_actions_addopen(files, to, "/dev/null", O_RDWR, 0);
}

pid_t child_start(const char *const *words, int in, int out) {
    char entries[KEPT][ENTRY_MAX], *variables[KEPT + 1], *arguments[WORDS_MAX + 2] = {NULL};
    posix_spawn_file_actions_t files;
    pid_t process = -1;
    environment(entries, variables);
    arguments[0] = (char *)(uintptr_t) "lockstep"; /* posix_spawn changes none of them */
    for (int i = 0; i < WORDS_MAX && words[i]; i++)
        arguments[i + 1] = (char *)(uintptr_t)words[i];
    if (posix_spawn_file_actions_init(&files) != 0)
        return -1;
    posix_spawnattr_t attributes; /* no signal that is blocked here (flight_block) is there */
    sigset_t none;
    sigemptyset(&none);
    if (posix_spawnattr_init(&attributes) != 0 ||
        posix_spawnattr_setsigmask(&attributes, &none) != 0 ||
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK) != 0)
        return -1;
    if (redirect(&files, in, STDIN_FILENO) != 0 || redirect(&files, out, STDOUT_FILENO) != 0 ||
        redirect(&files, -1, STDERR_FILENO) != 0 ||
        posix_spawn(&process, "/proc/self/exe", &files, &attributes, arguments, variables) != 0)
        process = -1;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return process;
}

/* `ended`: what waitpid said. */
static ChildEnd end_of(pid_t ended, int status) {
    ChildEnd end = {.runs = ended == 0, .code = -1};
    if (ended > 0 && WIFEXITED(status)) {
        end.code = WEXITSTATUS(status);
        end.well = end.code == 0;
        snprintf(end.words, sizeof end.words, "it ended with exit code %d", end.code);
    } else if (ended > 0) {
        snprintf(end.words, sizeof end.words, "it ended by signal %d", WTERMSIG(status));
    } else if (ended < 0) {
        snprintf(end.words, sizeof end.words, "its end was not seen");
    }
    return end;
}

ChildEnd child_look(pid_t process) {
    int status = 0;
    pid_t ended = waitpid(process, &status, WNOHANG);
    return end_of(ended, status);
}

/* Looks until it has ended, or until the deadline, or a request to stop where that counts. */
static ChildEnd look_until(pid_t process, const Deadline *deadline, bool heeds_stop) {
    for (;;) {
        ChildEnd end = child_look(process);
        if (!end.runs || deadline_passed(deadline) || (heeds_stop && signals_stop_requested()))
            return end;
        clock_sleep(LOOK_EVERY_S);
    }
}

ChildEnd child_wait(pid_t process, const Deadline *deadline) {
    ChildEnd end = look_until(process, deadline, true);
    if (!end.runs)
        return end;
    child_kill(process);
    return (ChildEnd){.code = -1, .words = "it took too long"};
}

void child_kill(pid_t process) {
    Deadline deadline = deadline_after(KILL_S);
    kill(process, SIGKILL);
    look_until(process, &deadline, false);
}
