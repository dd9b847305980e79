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
static Status time_ops(Session *session, const EngineSizes *sizes) {
    Device *device = session->device;
    Program *program;
    Tuning tuning;
    double start = clock_now();
    TRY(device->ops->tuning->begin(device, NULL, session->config->deadline / 2));
    for (int i = 0; i < sizes->n_train; i++) {
        TRY(program_build(device, &session->model, sizes->train[i], true, &program));
        program_free(program);
    }
    for (int i = 0; i < sizes->n_eval; i++) {
        TRY(program_build(device, &session->model, sizes->eval[i], false, &program));
        program_free(program);
    }
    TRY(device->ops->tuning->end(device, &tuning));
    session->choices = tuning.choices;
    log_info("autotune: timed %" PRId64 " graphs in %.1f s, another engine than the rule's was the "
             "fastest for %" PRId64,
             tuning.timed, clock_now() - start, tuning.gained);
    if (tuning.missing > 0)
        log_warn("autotune: the rule decided %" PRId64 " more, for timing was to take half of "
                 "--deadline %g s at most",
                 tuning.missing, session->config->deadline);
    return ST_OK;
}

static Status follow(Session *session, const char *resumed_from) {
    Device *device = session->device;
    if (!session->choices || !device->ops->tuning)
        return ST_OK;
    Status status = device->ops->tuning->begin(device, session->choices, 0);
    if (status != ST_OK && resumed_from)
        status_prefix("%s", resumed_from);
    else if (status != ST_OK)
        status_prefix("%s/autotune.txt", session->config->out);
    return status;
}

Status autotune_begin(Session *session, const EngineSizes *sizes, const char *resumed_from) {
    const Ranks *ranks = &session->ranks;
    bool wanted = session->config->autotune && ranks->rank == 0 && !session->choices;
    if (wanted && resumed_from)
        log_info("autotune: this run began by the rule and goes on by it");
    TRY(comm_agree(ranks->comm, wanted && !resumed_from ? time_ops(session, sizes) : ST_OK));
    TRY(ranks_share_text(ranks, &session->choices));
    return comm_agree(ranks->comm, follow(session, resumed_from));
}

Status autotune_end(Session *session) {
    Device *device = session->device;
    Comm *comm = session->ranks.comm;
    Tuning tuning;
    char hex[17];
    if (!session->choices || !device->ops->tuning)
        return ST_OK;
    TRY(comm_agree(comm, device->ops->tuning->end(device, &tuning)));
    hash_hex(hash_bytes(tuning.choices, strlen(tuning.choices)), hex);
    Status status = comm_same(comm, "list of engines (autotune)", hex);
    if (tuning.foreign) {
        log_warn("autotune: the run's choices were made on another GPU, cuDNN or precision: the "
                 "rule decides, and the bits are others");
        free(tuning.choices);
        return status;
    }
    if (tuning.missing > 0)
        log_warn("autotune: the run's choices say nothing of %" PRId64 " graphs: the rule decides",
                 tuning.missing);
    free(session->choices); /* what was missing is a choice from now on */
    session->choices = tuning.choices;
    return status;
}
