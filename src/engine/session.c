/* session: see session.h. */
#include "lockstep/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autotune.h"
#include "crosscheck.h"
#include "cuda_library.h"
#include "grad_sum.h"
#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "lockstep/site.h"
#include "lockstep/survey.h"
#include "standstill.h"
#include "version.h"

Status session_start(Session *session, Status status, const char *place) {
    Comm **comm = &session->ranks.comm;
    TRY(ranks_open(&session->ranks, session->config, status));
    return comm_agree(*comm, standstill_start(*comm, place, &session->standstill));
}

void session_judge(Session *session, Status status) {
    ranks_judge(&session->ranks, status);
    if (status == ST_OK || status == ST_STOPPED)
        return;
    standstill_failed(session->standstill, status);
    if (session->ranks.comm)
        comm_write_record(session->ranks.comm, "a failure that the ranks have agreed on");
}

Status session_parse_model(const RunConfig *config, const Dataset *dataset, Model *model) {
    TRY(model_parse(config->model, config->file, config->model_line, dataset->image,
                    dataset->classes, config->label_smoothing, model));
    return model_weigh_classes(model, config->class_weights);
}

Status session_parse_groups(const RunConfig *config, const Model *model, Grouping *grouping) {
    return grouping_open(model, config->groups, config->file, config->groups_line,
                         &config->optimizer, &config->schedule, grouping);
}

Status session_find_model(Session *session) {
    TRY(input_open(&session->input, session->config, session->device->accelerator));
    TRY(session_parse_model(session->config, &session->input.dataset, &session->model));
    return session_parse_groups(session->config, &session->model, &session->grouping);
}

Status session_open_device(Session *session) {
    return engine_open_device(session->config, comm_local_rank(session->ranks.comm),
                              &session->device);
}

/* A lane is one thread's: more threads would be idle, each with buffers of its own. */
void session_set_threads(Session *session) {
    const RunConfig *config = session->config;
    Ranks *ranks = &session->ranks;
    int64_t first, lanes;
    input_lanes(config->lanes, ranks->size, ranks->rank, &first, &lanes);
    if (session->device && session->device->accelerator && config->threads == 0)
        ranks->wanted =
            cores_streams(ranks_threads(ranks, NULL, 0), lanes, config->batch_size / config->lanes);
    else
        ranks->wanted = ranks_threads(ranks, session->device, config->threads);
    ranks->threads = ranks->wanted < lanes ? ranks->wanted : (int)lanes;
}

/* Threads and lanes that the configuration left to the machine. Local, the same on every rank. */
static Status resolve_sizes(Session *session) {
    RunConfig *config = session->config;
    Ranks *ranks = &session->ranks;
    if (config->lanes == 0)
        config->lanes =
            (int64_t)ranks->size * ranks_threads(ranks, session->device, config->threads);
    TRY(config_check(config));
    if (ranks->size > config->lanes)
        return FAIL(ST_USAGE,
                    "%d ranks, but only %" PRId64 " lanes: each rank runs at least one lane; start "
                    "at most %" PRId64 " ranks or raise --lanes",
                    ranks->size, config->lanes, config->lanes);
    session_set_threads(session);
    return ST_OK;
}

Status session_settle(Session *session) {
    Comm *comm = session->ranks.comm;
    char lanes[24];
    TRY(comm_same(comm, "build", LOCKSTEP_VERSION " " LOCKSTEP_GIT));
    TRY(ranks_compare_config(&session->ranks, session->config));
    TRY(comm_agree(comm, resolve_sizes(session)));
    snprintf(lanes, sizeof lanes, "%" PRId64, session->config->lanes);
    return comm_same(comm, "number of lanes (auto follows the host's cores)", lanes);
}

Status session_open_data_plane(Session *session) {
    const Ranks *ranks = &session->ranks;
    Status (*open_nccl)(Comm *) = NULL;
    if (!session->device->accelerator || ranks->size == 1)
        return ST_OK;
    TRY(comm_agree(ranks->comm, cuda_library_find("comm_open_nccl", (void **)&open_nccl)));
    return open_nccl(ranks->comm);
}

Status session_begin(Session *session) {
    Comm *comm = session->ranks.comm;
    TRY(comm_agree(comm, session_open_device(session)));
    TRY(session_settle(session));
    TRY(comm_agree(comm, session_find_model(session)));
    TRY(input_compare(&session->input, comm));
    TRY(comm_same(comm, "instruction set", session->device->instruction_set));
    if (!session->device->accelerator) /* whose instruction set names its library's version */
        TRY(comm_same(comm, "compute library", session->device->description));
    return session_open_data_plane(session);
}

static Status read_data(Session *session) {
    TRY(input_plan(&session->input, session->config));
    return input_read(&session->input, session->config, session->ranks.rank, session->ranks.size);
}

/* What of the configuration waits for the images. Collective, agreed. */
static Status fit_config(Session *session) {
    double mean[IMAGE_CHANNELS_MAX], std[IMAGE_CHANNELS_MAX];
    TRY(input_moments(&session->input, session->ranks.comm, mean, std));
    return comm_agree(session->ranks.comm,
                      config_fit_images(session->config, session->input.dataset.image, mean, std));
}

/* Compares what ranks have read from files of their own. Collective, agreed but for a deadline. */
static Status end_crosscheck(Session *session) {
    TRY(crosscheck_end(session->crosscheck, &session->input, session->ranks.comm));
    crosscheck_free(session->crosscheck);
    session->crosscheck = NULL;
    return ST_OK;
}

Status session_read(Session *session) {
    Comm *comm = session->ranks.comm;
    comm_at(comm, -1, STAGE_DATA);
    TRY(comm_agree(comm, read_data(session)));
    TRY(input_hash(&session->input, comm));
    TRY(survey_take(&session->input, comm));
    TRY(fit_config(session));
    comm_at(comm, -1, STAGE_SETUP);
    TRY(crosscheck_start(&session->input, session->config, comm, &session->crosscheck));
    /* Else a checkpoint may be read meanwhile. */
    return dataset_reads_hdf5(&session->input.dataset) ? end_crosscheck(session) : ST_OK;
}

Status session_compare_data(Session *session) {
    Comm *comm = session->ranks.comm;
    TRY(input_compare(&session->input, comm));
    TRY(crosscheck_start(&session->input, session->config, comm, &session->crosscheck));
    return end_crosscheck(session);
}

/* The records stay in the memory of a device that makes images itself. */
static Status load_records(Session *session) {
    Input *input = &session->input;
    Engine *engine = &session->engine;
    for (int64_t i = 0; i < input->lane_count; i++)
        TRY(engine_load_records(engine, &input->shards[i], &input->resident[i]));
    TRY(engine_load_records(engine, &input->holdout.shard, &input->holdout.resident));
    return engine_load_records(engine, &input->test.shard, &input->test.resident);
}

static Status plan(Session *session, const EngineSizes *sizes) {
    TRY(engine_open(&session->engine, session->device, &session->model, &session->config->optimizer,
                    &session->grouping, session->ranks.threads, sizes));
    return load_records(session);
}

static Status begin_planning(Session *session) {
    const PlanningOps *planning = session->device->ops->planning;
    char *text = session->planning.text;
    return planning && text ? planning->begin(session->device, text) : ST_OK;
}

Status session_end_planning(Session *session) {
    const PlanningOps *planning = session->device->ops->planning;
    if (!planning)
        return ST_OK;
    free(session->planning.text);
    session->planning.text = NULL;
    return planning->end(session->device, &session->planning);
}

Status session_plan(Session *session, const char *resumed_from) {
    Comm *comm = session->ranks.comm;
    EngineSizes sizes = {0};
    double start = clock_now();
    TRY(ranks_share_text(&session->ranks, &session->planning.text));
    TRY(comm_agree(comm, begin_planning(session)));
    sizes.n_train = sampler_batches(&session->input.sampler, sizes.train);
    sizes.n_eval = input_eval_sizes(&session->input, sizes.eval);
    sizes.lanes = session->input.lane_count;
    TRY(autotune_begin(session, &sizes, resumed_from));
    TRY(comm_agree(comm, plan(session, &sizes)));
    TRY(comm_agree(comm, session_end_planning(session)));
    session->plan_s += clock_now() - start;
    TRY(autotune_end(session));
    size_t shared = grad_sum_shared_bytes(session->device, &session->model, session->config);
    if (shared > 0 && !session->config->elastic) /* where waits do not tell of lost ranks */
        TRY(share_open(session->ranks.comm, shared, &session->share));
    TRY(end_crosscheck(session));
    return comm_agree(comm,
                      session->trace ? engine_trace(&session->engine, session->trace) : ST_OK);
}

/* Says which layers the device's library does not compute, or not all of. */
static void announce_own_kernels(const PackedProgram *programs, int n) {
    char layers[1024];
    for (int i = 0; i < n; i++) {
        if (program_own_kernels(programs[i].program, layers, sizeof layers))
            log_info("lockstep's own kernels, where the device's library has no engine: %s",
                     layers);
    }
}

static void announce_ranks(const Ranks *ranks, const RunConfig *config) {
    char site[512];
    log_info("lockstep %s (%s), %s: %d rank%s x %d thread%s, %" PRId64 " lanes of %" PRId64
             " images, rank 0 on %s",
             LOCKSTEP_VERSION, LOCKSTEP_GIT, comm_library(ranks->comm), ranks->size,
             ranks->size == 1 ? "" : "s", ranks->threads, ranks->threads == 1 ? "" : "s",
             config->lanes, config->batch_size / config->lanes, comm_host(ranks->comm));
    site_job(site, sizeof site);
    if (site[0])
        log_info("%s", site);
    site_network(site, sizeof site);
    if (site[0])
        log_info("network: %s", site);
}

int64_t session_state_bytes(const Session *session) {
    const Optimizer *optimizer = &session->config->optimizer;
    int64_t copies = 1 + session->grouping.n_states + (optimizer->ema_decay > 0);
    return 4 * (copies * session->model.flat + session->model.running_flat);
}

static void announce_data(const Input *input) {
    const Dataset *dataset = &input->dataset;
    Shape image = dataset->image;
    const int64_t *count = dataset->count;
    char held[48] = "", shape[160] = "", copies[128] = "";
    if (dataset->synthetic) {
        log_warn(
            "data: synthetic images, made from the seed; accuracies say nothing about CIFAR-10");
        return;
    }
    bool known = strcmp(dataset->name, "cifar10") == 0;
    if (count[DATASET_PART_HOLDOUT] > 0)
        snprintf(held, sizeof held, " and %" PRId64 " held-out", count[DATASET_PART_HOLDOUT]);
    if (!known)
        snprintf(shape, sizeof shape,
                 ": %" PRId64 " training, %" PRId64 " test%s images of %" PRId64 " x %" PRId64
                 " x %" PRId64 " in %" PRId64 " classes",
                 count[DATASET_PART_TRAIN], count[DATASET_PART_TEST], held, image.c, image.h,
                 image.w, dataset->classes);
    if (input->copies > 1)
        snprintf(copies, sizeof copies,
                 ", of which ranks have %d copies (by host and files): each part was read from two "
                 "of them, with equal hashes",
                 input->copies);
    log_info("data: %s in %s%s%s", known ? "CIFAR-10" : dataset->name, dataset->path, shape,
             copies);
    if (dataset->by_class)
        log_warn("data: the training records stand class by class, so each lane has few of the "
                 "classes, and its batches one: write them in random order (docs/data.md)");
}

/* Outputs that stand for no class are, on a set of one's own, as a rule a recipe's for another. */
static void announce_outputs(const Model *model, const Dataset *dataset) {
    int64_t outputs = model->layers[model->n_layers - 1].in[0].c;
    if (outputs > model->classes && !dataset->mean)
        log_warn("the network has %" PRId64 " outputs for %" PRId64
                 " classes: those beyond them can only be wrong; 'c=classes' fits it to the set",
                 outputs, model->classes);
}

void session_announce(const Session *session) {
    const RunConfig *config = session->config;
    const Engine *engine = &session->engine;
    announce_ranks(&session->ranks, config);
    log_info("device %s%s: %s", config->device == DEVICE_AUTO ? "auto: takes " : "",
             session->device->ops->name, session->device->description);
    if (session->device->ops->planning)
        log_info("planned in %.1f s: %" PRId64 " plans made, %" PRId64 " taken from earlier starts",
                 session->plan_s, session->planning.made, session->planning.taken);
    announce_own_kernels(engine->train, engine->n_train);
    announce_own_kernels(engine->eval, engine->n_eval);
    announce_data(&session->input);
    survey_announce(&session->input);
    announce_outputs(&session->model, &session->input.dataset);
    log_info("model: %" PRId64 " parameters, %.1f M multiply-adds an image; %" PRId64
             " steps an epoch; %.0f MB of buffers a rank",
             session->model.parameters, (double)model_multiply_adds(&session->model) / 1e6,
             session->input.sampler.steps_per_epoch, (double)engine_bytes(engine) / 1e6);
}

void session_cores(const Session *session, CoreShare *share) {
    cores_look(comm_host(session->ranks.comm), share);
    share->threads = session->ranks.threads;
    share->wanted = session->ranks.wanted;
    share->chosen =
        session->config->threads == 0 && !(session->device && session->device->accelerator);
}

Status session_hint(const Session *session) {
    const Ranks *ranks = &session->ranks;
    CoreShare mine, *all = calloc((size_t)ranks->size, sizeof *all);
    char hint[512];
    Status status = comm_agree(ranks->comm, all ? ST_OK : FAIL(ST_INTERNAL, "out of memory"));
    TRY_DONE(status);
    session_cores(session, &mine);
    TRY_DONE(comm_allgather(ranks->comm, &mine, sizeof mine, all));
    if (ranks->rank == 0 && cores_hint(all, ranks->size, hint, sizeof hint) >= 0)
        log_warn("%s", hint);
    if (ranks->rank == 0 && cores_idle(all, ranks->size, session->config->lanes,
                                       session->config->batch_size, hint, sizeof hint))
        log_warn("%s", hint);
done:
    free(all);
    return status;
}

void session_close(Session *session) {
    crosscheck_free(session->crosscheck); /* waits for a read in progress: still watched */
    standstill_stop(session->standstill);
    engine_close(&session->engine);
    if (session->device)
        session->device->ops->close(session->device);
    input_free(&session->input);
    grouping_free(&session->grouping);
    model_free(&session->model);
    trace_close(session->trace);
    share_close(session->share);
    free(session->choices);
    free(session->planning.text);
    free(session->config);
    ranks_close(&session->ranks);
    *session = (Session){0};
}
