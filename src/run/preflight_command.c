/* preflight: `lockstep preflight`, whether the hosts of a run are ready for it.
 *
 * Takes the options of train and is started as train would be, so that it sees what train will see:
 * the same hosts, launcher, variables, GPUs and files. Reads the data set once a host, sums over
 * all ranks, between GPUs by NCCL as well, and checks the sums; writes nothing. What would stop a
 * run stops it, with the code the run would have ended with. */
#include <stdio.h>
#include <stdlib.h>

#include "lockstep/log.h"
#include "lockstep/run.h"
#include "preflight.h"
#include "setup.h"

/* The sums of a run on GPUs are NCCL's. */
static Status reduce_on_gpus(Run *run) {
    ReduceTime times[REDUCE_SIZES];
    Device *device = run->engine.device;
    if (!device->accelerator || run->size == 1)
        return ST_OK;
    comm_at(run->comm, -1, STAGE_SETUP);
    TRY(open_data_plane(run));
    comm_at(run->comm, -1, STAGE_REDUCE);
    TRY(probe_reduce(run, device, times));
    if (run->rank == 0)
        print_reduce(run, "NCCL", times);
    return ST_OK;
}

/* The model, for images and classes as rank 0's data set has them; for CIFAR-10's where it finds no
 * data, which the probes will say. */
static Status find_model(Run *run) {
    Dataset *dataset = &run->input.dataset;
    if (input_open(&run->input, run->config) != ST_OK) {
        status_clear();
        dataset_cifar10(dataset);
    }
    TRY(comm_bcast(run->comm, &dataset->image, sizeof dataset->image, 0));
    TRY(comm_bcast(run->comm, &dataset->classes, sizeof dataset->classes, 0));
    return comm_agree(run->comm, parse_model(run->config, dataset, &run->model));
}

static Status preflight_ranks(Run *run) {
    Probe mine, *all = NULL;
    ReduceTime times[REDUCE_SIZES];
    Status status = ST_OK;
    TRY(setup_ranks(run));
    TRY(find_model(run));
    comm_at(run->comm, -1, STAGE_REDUCE);
    TRY(probe_reduce(run, NULL, times));
    comm_at(run->comm, -1, STAGE_DATA);
    probe_host(run, &mine);
    all = calloc((size_t)run->size, sizeof *all);
    TRY_DONE(comm_agree(run->comm, all ? ST_OK : FAIL(ST_INTERNAL, "out of memory")));
    TRY_DONE(comm_allgather(run->comm, &mine, sizeof mine, all));
    if (run->rank == 0) {
        print_probes(run, all);
        print_reduce(run, comm_library(run->comm), times);
        status = judge_probes(run, all);
    }
    TRY_DONE(comm_agree(run->comm, status));
    TRY_DONE(reduce_on_gpus(run));
    log_info("ready: %d rank%s, rank 0 on %s", run->size, run->size == 1 ? "" : "s",
             comm_host(run->comm));
done:
    free(all);
    return status;
}

Status preflight_command(int argc, char **argv) {
    Run run = {.without_files = true};
    run.config = calloc(1, sizeof *run.config);
    TRY_ALLOC(run.config);
    Status status = config_load(argc - 1, argv + 1, run.config);
    if (status == ST_OK && run.config->help) {
        printf(
            "lockstep preflight CONFIG [--KEY VALUE]...: the options of train; start it as train "
            "will be\nstarted. Prints a table of the hosts, sums over all ranks, and names what "
            "would stop the run.\n");
        free(run.config);
        return ST_OK;
    }
    status = start_ranks(&run, status);
    if (status == ST_OK)
        status = preflight_ranks(&run);
    return end_run(&run, status);
}
