/* autotune: see autotune.h. */
#include "autotune.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/clock.h"
#include "lockstep/hash.h"
#include "lockstep/log.h"

/* Plans all programs of the run once, each op timed, and forgets them again. Local, rank 0, while
 * the others wait: so it may take half of their deadline. */
static Status time_ops(Run *run, const EngineSizes *sizes) {
    Device *device = run->engine.device;
    Program *program;
    Tuning tuning;
    double start = clock_now();
    TRY(device->ops->tune(device, NULL, run->config->deadline / 2));
    for (int i = 0; i < sizes->n_train; i++) {
        TRY(program_build(device, &run->model, sizes->train[i], true, &program));
        program_free(program);
    }
    for (int i = 0; i < sizes->n_eval; i++) {
        TRY(program_build(device, &run->model, sizes->eval[i], false, &program));
        program_free(program);
    }
    TRY(device->ops->tuned(device, &tuning));
    run->choices = tuning.choices;
    log_info("autotune: timed %" PRId64 " graphs in %.1f s, another engine than the rule's was the "
             "fastest for %" PRId64,
             tuning.timed, clock_now() - start, tuning.gained);
    if (tuning.missing > 0)
        log_warn("autotune: the rule decided %" PRId64 " more, for timing was to take half of "
                 "--deadline %g s at most",
                 tuning.missing, run->config->deadline);
    return ST_OK;
}

/* The choices of a run that begins. Local, rank 0. */
static Status find_choices(Run *run, const EngineSizes *sizes) {
    if (!run->without_files && !run->config->reset) {
        TRY(rundir_read_autotune(&run->dir, &run->choices));
        if (run->choices)
            log_info("autotune: follows %s/autotune.txt", run->dir.path);
    }
    return run->choices ? ST_OK : time_ops(run, sizes);
}

/* Rank 0's text to all. Collective, agreed. */
static Status share_choices(Run *run) {
    uint64_t bytes = run->rank == 0 && run->choices ? strlen(run->choices) + 1 : 0;
    TRY(comm_bcast(run->comm, &bytes, sizeof bytes, 0));
    if (bytes == 0)
        return ST_OK;
    if (run->rank != 0) {
        free(run->choices);
        run->choices = calloc(1, bytes);
    }
    TRY(comm_agree(run->comm, run->choices ? ST_OK : FAIL(ST_INTERNAL, "out of memory")));
    return comm_bcast(run->comm, run->choices, bytes, 0);
}

static Status follow(Run *run) {
    Device *device = run->engine.device;
    if (!run->choices || !device->ops->tune)
        return ST_OK;
    Status status = device->ops->tune(device, run->choices, 0);
    if (status != ST_OK && resume_path(run)[0])
        status_prefix("%s", resume_path(run));
    else if (status != ST_OK)
        status_prefix("%s/autotune.txt", run->config->out);
    return status;
}

Status autotune_begin(Run *run, const EngineSizes *sizes) {
    bool wanted = run->config->autotune && run->rank == 0;
    bool begins = !resume_path(run)[0];
    TRY(comm_agree(run->comm, wanted && begins ? find_choices(run, sizes) : ST_OK));
    if (wanted && !run->choices)
        log_info("autotune: this run began by the rule and goes on by it");
    TRY(share_choices(run));
    return comm_agree(run->comm, follow(run));
}

Status autotune_end(Run *run) {
    Device *device = run->engine.device;
    Tuning tuning;
    char hex[17];
    if (!run->choices || !device->ops->tuned)
        return ST_OK;
    TRY(comm_agree(run->comm, device->ops->tuned(device, &tuning)));
    hash_hex(hash_bytes(tuning.choices, strlen(tuning.choices)), hex);
    Status status = comm_same(run->comm, "list of engines (autotune)", hex);
    if (tuning.foreign) {
        log_warn("autotune: the run's choices were made on another GPU, cuDNN or precision: the "
                 "rule decides, and the bits are others");
        free(tuning.choices);
        return status;
    }
    if (tuning.missing > 0)
        log_warn("autotune: the run's choices say nothing of %" PRId64 " graphs: the rule decides",
                 tuning.missing);
    free(run->choices); /* what was missing is a choice from now on */
    run->choices = tuning.choices;
    return status;
}
