/* preflight: `lockstep preflight`, whether the hosts of a run are ready for it.
 *
 * Takes the options of train and is started as train would be, so that it sees what train will see:
 * the same hosts, launcher, variables, GPUs and files. Reads the data set once a host, sums over
 * all ranks, between GPUs by NCCL as well, and checks the sums; writes nothing. What would stop a
 * run stops it, with the code the run would have ended with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lockstep/log.h"
#include "lockstep/preflight.h"
#include "preflight_internal.h"

/* The sums of a run on GPUs are NCCL's. */
static Status reduce_on_gpus(Session *session, int nccl_log) {
    ReduceTime times[REDUCE_SIZES];
    Links links;
    Carried *carried = NULL;
    NcclTold *told = NULL;
    Device *device = session->device;
    const Ranks *ranks = &session->ranks;
    if (!device->accelerator || ranks->size == 1)
        return ST_OK;
    comm_at(ranks->comm, -1, STAGE_SETUP);
    TRY(session_open_data_plane(session));
    comm_at(ranks->comm, -1, STAGE_REDUCE);
    links_read("/sys", "/proc/net/dev", &links);
    TRY(probe_reduce(session, device, times));
    Status status = gather_carried(session, &links, times, &carried);
    if (status == ST_OK)
        status = gather_nccl(session, nccl_log, &told);
    if (status == ST_OK && ranks->rank == 0) {
        print_reduce(session, "NCCL", times);
        print_carried(session, carried, times);
        const char *nccl = strstr(comm_library(ranks->comm), "NCCL ");
        print_nccl(told, ranks->size, nccl ? nccl : "NCCL", times);
    }
    free(told);
    free(carried);
    return status;
}

/* Rank 0's part: what it prints, and what would stop the run. Local. */
static Status report(const Session *session, const Probe *probes, const ReduceTime *times,
                     const Carried *carried) {
    int size = session->ranks.size;
    CoreShare *shares = calloc((size_t)size, sizeof *shares);
    TRY_ALLOC(shares);
    for (int r = 0; r < size; r++)
        shares[r] = probes[r].share;
    print_probes(session, probes, shares);
    print_reduce(session, comm_library(session->ranks.comm), times);
    print_carried(session, carried, times);
    Status status = judge_probes(session, probes, shares);
    free(shares);
    return status;
}

/* The model, for images and classes as rank 0's data set has them; for CIFAR-10's where it finds no
 * data, which the probes will say. */
static Status find_model(Session *session) {
    Comm *comm = session->ranks.comm;
    Dataset *dataset = &session->input.dataset;
    if (input_open(&session->input, session->config, false) != ST_OK) {
        status_clear();
        dataset_free(dataset);
        dataset_cifar10(dataset);
    }
    TRY(comm_bcast(comm, &dataset->image, sizeof dataset->image, 0));
    TRY(comm_bcast(comm, &dataset->classes, sizeof dataset->classes, 0));
    return comm_agree(comm, session_parse_model(session->config, dataset, &session->model));
}

static Status preflight_ranks(Session *session, int nccl_log) {
    const Ranks *ranks = &session->ranks;
    Comm *comm = ranks->comm;
    Probe mine, *all = NULL;
    ReduceTime times[REDUCE_SIZES];
    Links links;
    Carried *carried = NULL;
    Status status = ST_OK;
    TRY(session_settle(session));
    TRY(find_model(session));
    comm_at(comm, -1, STAGE_REDUCE);
    links_read("/sys", "/proc/net/dev", &links);
    TRY(probe_reduce(session, NULL, times));
    TRY_DONE(gather_carried(session, &links, times, &carried));
    comm_at(comm, -1, STAGE_DATA);
    probe_host(session, &mine);
    all = calloc((size_t)ranks->size, sizeof *all);
    TRY_DONE(comm_agree(comm, all ? ST_OK : FAIL(ST_INTERNAL, "out of memory")));
    TRY_DONE(comm_allgather(comm, &mine, sizeof mine, all));
    if (ranks->rank == 0)
        status = report(session, all, times, carried);
    TRY_DONE(comm_agree(comm, status));
    TRY_DONE(reduce_on_gpus(session, nccl_log));
    log_info("ready: %d rank%s, rank 0 on %s", ranks->size, ranks->size == 1 ? "" : "s",
             comm_host(comm));
done:
    free(carried);
    free(all);
    return status;
}

Status preflight_command(int argc, char **argv) {
    Session session = {0};
    RunConfig *config = calloc(1, sizeof *config);
    TRY_ALLOC(config);
    Status status = config_load(argc - 1, argv + 1, config);
    if (status == ST_OK && config->help) {
        printf(
            "lockstep preflight CONFIG [--KEY VALUE]...: the options of train; start it as train "
            "will be\nstarted. Prints a table of the hosts, sums over all ranks, and names what "
            "would stop the run.\n");
        free(config);
        return ST_OK;
    }
    session.config = config;
    int nccl_log = nccl_listen();
    status = session_start(&session, status, config->out);
    if (status == ST_OK)
        status = preflight_ranks(&session, nccl_log);
    session_judge(&session, status);
    session_close(&session);
    if (nccl_log >= 0)
        close(nccl_log);
    return status;
}
