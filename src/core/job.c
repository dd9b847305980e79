/* job: see job.h. */
#include "lockstep/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char nobody[] = "none";

Job job_now(void) {
    static const char *const names[][2] = {{"SUPERVISE_JOB", "SUPERVISE_RESTART"},
                                           {"SLURM_JOB_ID", "SLURM_RESTART_COUNT"}};
    Job job = {.restart = 0};
    snprintf(job.id, sizeof job.id, "%s", nobody);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *id = getenv(names[i][0]), *restart = getenv(names[i][1]);
        if (!id || !*id)
            continue;
        snprintf(job.id, sizeof job.id, "%s", id);
        job.restart = restart ? strtoll(restart, NULL, 10) : 0;
        break;
    }
    return job;
}

bool job_known(const Job *job) {
    return strcmp(job->id, nobody) != 0;
}

bool job_same(const Job *a, const Job *b) {
    return job_known(a) && strcmp(a->id, b->id) == 0;
}
