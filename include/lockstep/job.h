/* job: which start of which job this process belongs to: of scripts/supervise.sh (SUPERVISE_JOB,
 * SUPERVISE_RESTART), else of Slurm (SLURM_JOB_ID, SLURM_RESTART_COUNT). A start of the same job
 * with a higher count comes after one with a lower. Local. */
#ifndef LOCKSTEP_JOB_H
#define LOCKSTEP_JOB_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Job {
    char id[64];     /* "none" where there is no job */
    int64_t restart; /* how often it was started again */
} Job;

Job job_now(void);

/* Whether there is one. */
bool job_known(const Job *job);

/* Whether both are of one job. */
bool job_same(const Job *a, const Job *b);

#ifdef __cplusplus
}
#endif
#endif
