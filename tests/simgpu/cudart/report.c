/* report: findings, and what must be gone at the end. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cudart.h"

enum { TALLIES_MAX = 512 };

typedef struct Tally {
    const char *name;
    unsigned long times, bytes;
} Tally;

static SimCounter *counters;
static Tally tallies[TALLIES_MAX];
static int n_tallies;

const char *sim_rank(void) {
    const char *names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (getenv(names[i]))
            return getenv(names[i]);
    }
    return "-";
}

void sim_report(const char *format, ...) {
    char text[1000];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "SIMGPU[%s] %s\n", sim_rank(), text);
    _exit(SIM_EXIT_CODE); /* at once: the program's own handlers would only hide it */
}

/* A program that fails may leave things behind; one that succeeds must not. */
static void report_leaks(int status, void *unused) {
    (void)unused;
    if (status != 0 && status != 75)
        return;
    for (const SimCounter *c = counters; c; c = c->next) {
        if (c->live != 0)
            sim_report("leak: %ld %s left at the end", c->live, c->name);
    }
}

static void print_tallies(int status, void *unused) {
    (void)status, (void)unused;
    for (int i = 0; i < n_tallies; i++)
        fprintf(stderr, "SIMGPU[%s] count %s: %lu, %lu bytes\n", sim_rank(), tallies[i].name,
                tallies[i].times, tallies[i].bytes);
}

void sim_tally(const char *name, size_t bytes) {
    static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    static int wanted = -1;
    pthread_mutex_lock(&own);
    if (wanted < 0) {
        wanted = getenv("SIMGPU_COUNTS") != NULL;
        if (wanted)
            on_exit(print_tallies, NULL);
    }
    int i = 0;
    while (wanted && i < n_tallies && strcmp(tallies[i].name, name) != 0)
        i++;
    if (wanted && i == TALLIES_MAX)
        sim_report("more than %d kinds of ops to count", TALLIES_MAX);
    if (wanted) {
        n_tallies += i == n_tallies;
        tallies[i] = (Tally){name, tallies[i].times + 1, tallies[i].bytes + bytes};
    }
    pthread_mutex_unlock(&own);
}

void sim_count(SimCounter *counter, int by) {
    static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&own);
    if (!counters)
        on_exit(report_leaks, NULL);
    if (!counter->listed) {
        counter->listed = true;
        counter->next = counters;
        counters = counter;
    }
    counter->live += by;
    pthread_mutex_unlock(&own);
}
