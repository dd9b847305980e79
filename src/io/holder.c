/* holder: see holder.h. */
#include "holder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lockstep/clock.h"

enum { STAT_STATE = 3, STAT_PARENT = 4, STAT_START = 22, STAT_MAX = 1024 };

/* A field of /proc/PID/stat, in text[STAT_MAX]; NULL where there is none. The word behind the last
 * ')' is field 3. */
static const char *stat_field(long pid, int wanted, char *text) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    ssize_t n = read(fd, text, STAT_MAX - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    char *at = strrchr(text, ')');
    for (int field = 2; at && field < wanted; field++)
        at = strchr(at + 1, ' ');
    return at ? at + 1 : NULL;
}

/* A number of it, or -1. */
static int64_t stat_of(long pid, int wanted) {
    char text[STAT_MAX];
    const char *field = stat_field(pid, wanted, text);
    return field ? strtoll(field, NULL, 10) : -1;
}

Holder holder_self(void) {
    Holder me = {.boot = "unknown", .space = "unknown", .job = job_now()};
    if (gethostname(me.host, sizeof me.host - 1) != 0 || !me.host[0])
        snprintf(me.host, sizeof me.host, "unknown");
    me.pid = (long)getpid();
    clock_iso8601(me.since);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t n = read(fd, me.boot, sizeof me.boot - 1);
        me.boot[n > 0 ? n : 0] = '\0';
        me.boot[strcspn(me.boot, "\n")] = '\0';
        close(fd);
    }
    ssize_t n = readlink("/proc/self/ns/pid", me.space, sizeof me.space - 1);
    if (n > 0)
        me.space[n] = '\0';
    me.started = stat_of(me.pid, STAT_START);
    return me;
}

int holder_write(const Holder *holder, char *text) {
    return snprintf(text, OWNER_TEXT_MAX,
                    "host %s\npid %ld\njob %s\nrestart %" PRId64 "\nsince %s\nboot %s\nspace %s\n"
                    "started %" PRId64 "\n",
                    holder->host, holder->pid, holder->job.id, holder->job.restart, holder->since,
                    holder->boot, holder->space, holder->started);
}

int holder_write_beat(int64_t beat, double every, char *line) {
    return snprintf(line, OWNER_TEXT_MAX, "beat %-12" PRId64 " every %-8g\n", beat, every);
}

bool holder_read(const char *text, Holder *holder) {
    int rest = 0;
    memset(holder, 0, sizeof *holder);
    int n = sscanf(text,
                   "host %63s pid %ld job %63s restart %" SCNd64
                   " since %31s boot %63s space %63s started %" SCNd64 " %n",
                   holder->host, &holder->pid, holder->job.id, &holder->job.restart, holder->since,
                   holder->boot, holder->space, &holder->started, &rest);
    if (n < 8)
        return false;
    sscanf(text + rest, "beat %*d every %lf", &holder->beats_every);
    holder->ended = strstr(text + rest, "ended") != NULL;
    return true;
}

void holder_describe(const Holder *holder, char out[HOLDER_NAME_MAX]) {
    char job[128] = "";
    if (job_known(&holder->job))
        snprintf(job, sizeof job, " (job %s, restart %" PRId64 ")", holder->job.id,
                 holder->job.restart);
    snprintf(out, HOLDER_NAME_MAX, "process %ld on %s since %s%s", holder->pid, holder->host,
             holder->since, job);
}

bool holder_same(const char *a, const char *b) {
    Holder x, y;
    char first[OWNER_TEXT_MAX], second[OWNER_TEXT_MAX];
    if (!holder_read(a, &x) || !holder_read(b, &y))
        return false;
    holder_write(&x, first);
    holder_write(&y, second);
    return strcmp(first, second) == 0;
}

bool holder_same_kernel(const Holder *a, const Holder *b) {
    return strcmp(a->boot, "unknown") != 0 && strcmp(a->boot, b->boot) == 0;
}

bool holder_same_system(const Holder *a, const Holder *b) {
    return holder_same_kernel(a, b) && strcmp(a->space, "unknown") != 0 &&
           strcmp(a->space, b->space) == 0;
}

Life holder_life(const Holder *holder, const Holder *me) {
    char text[STAT_MAX];
    if (!holder_same_system(holder, me))
        return LIFE_UNSEEN;
    if (kill((pid_t)holder->pid, 0) != 0 && errno == ESRCH)
        return LIFE_DEAD;
    int64_t started = stat_of(holder->pid, STAT_START);
    if (started >= 0 && started != holder->started) /* its number is another's now */
        return LIFE_DEAD;
    const char *state = stat_field(holder->pid, STAT_STATE, text);
    /* One that nobody has waited for yet; one of its threads may be in a call still. */
    return started < 0 || !state || strchr("ZX", *state) ? LIFE_UNSEEN : LIFE_ALIVE;
}

bool holder_is_twin(const Holder *holder, const Holder *me) {
    return holder_same_system(holder, me) &&
           stat_of(holder->pid, STAT_PARENT) == (int64_t)getppid();
}
