/* bench: `lockstep bench`, the speed of a recipe: the very step of `train`, timed by phase and
 * layer.
 *
 * Takes the options of train; --steps N is the number of measured steps (10), after two that are
 * not; --json prints one object in place of the table; --convolutions makes all of them direct, or
 * all that can be Winograd's. Writes no files. Data is synthetic unless --data names a folder.
 * Under mpirun all ranks take part. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lockstep/clock.h"
#include "lockstep/command.h"
#include "lockstep/log.h"
#include "lockstep/stepper.h"

enum { WARM_STEPS = 2, DEFAULT_STEPS = 10 };

static const char help[] =
    "lockstep bench CONFIG [--KEY VALUE]...\n"
    "\n"
    "The speed of a recipe: steps of train, told by phase and layer. Takes the options of train, "
    "and\n"
    "  --steps N             measured steps (10), after two that are not\n"
    "  --json                one JSON object in place of the table\n"
    "  --convolutions NAME   direct, winograd: all of them so that can be, in place of what the "
    "CPU's\n"
    "                        rule says (rule)\n";

typedef struct Bench {
    Session session;
    Stepper *stepper;
    int64_t next_step;
    int64_t steps;              /* measured ones */
    double opened, start_s;     /* when the ranks were; from there to the first step */
    double *seconds;            /* [steps] of each measured step */
    double *forward, *backward; /* [ops] seconds of one lane, summed over measured steps */
    int ops;
    PhaseTimes times; /* of the measured steps */
} Bench;

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static StepRequest next_step(Bench *bench) {
    const RunConfig *config = bench->session.config;
    StepRequest request = {.step = bench->next_step++, .lr_factor = 1};
    request.rates = schedule_rates(&config->schedule, NULL, &config->optimizer, request.step,
                                   bench->session.input.sampler.steps_per_epoch);
    return request;
}

/* Warm and measured steps; `whole` measures the steps, `layers` the layers in them. Collective. */
static Status measure_steps(Bench *bench, bool whole, bool layers) {
    Executor *executor = bench->session.engine.rooms[0].train[0];
    TRY(executor_time(executor, layers));
    for (int64_t i = 0; i < WARM_STEPS + bench->steps; i++) {
        StepRequest request = next_step(bench);
        StepResult result;
        double start = clock_now();
        if (bench->start_s == 0)
            bench->start_s = start - bench->opened;
        TRY(stepper_run(bench->stepper, &request, &result));
        double seconds = clock_now() - start;
        if (result.bad > 0)
            return FAIL(ST_DIVERGED, "the benchmark diverged at step %" PRId64, i);
        if (i < WARM_STEPS)
            continue;
        if (whole) {
            bench->seconds[i - WARM_STEPS] = seconds;
            phase_times_add(&bench->times, &result.times);
        }
        for (int o = 0; layers && o < bench->ops; o++) {
            OpTime time = executor_op_time(executor, o);
            bench->forward[o] += time.forward_s / (double)bench->steps;
            bench->backward[o] += time.backward_s / (double)bench->steps;
        }
    }
    return ST_OK;
}

/* Timing a layer waits for its end, which costs a GPU its pace: there the layers come afterwards.
 */
static int passes(const Bench *bench) {
    return bench->session.device->accelerator ? 2 : 1;
}

static Status measure(Bench *bench) {
    if (passes(bench) == 1)
        return measure_steps(bench, true, true);
    TRY(measure_steps(bench, true, false));
    return measure_steps(bench, false, true);
}

static double gflops(double multiply_adds, double seconds) {
    return seconds > 0 ? 2e-9 * multiply_adds / seconds : 0;
}

static void print_ops(const Bench *bench) {
    const Engine *engine = &bench->session.engine;
    const Executor *executor = engine->rooms[0].train[0];
    double batch = (double)program_batch(engine->train[0].program);
    printf("%-14s %12s %12s %12s %12s   %s\n", "layer", "forward ms", "GFLOP/s", "backward ms",
           "GFLOP/s", "forward by");
    for (int o = 0; o < bench->ops; o++) {
        OpTime time = executor_op_time(executor, o);
        const Layer *layer = time.layer;
        double work = batch * (double)layer_multiply_adds(layer);
        double back =
            layer->input[0] == LAYER_IMAGE ? work : 2 * work; /* no gradient of the image */
        printf("%-14s %12.3f %12.1f %12.3f %12.1f%s%s\n", layer->name, 1e3 * bench->forward[o],
               gflops(work, bench->forward[o]), 1e3 * bench->backward[o],
               gflops(back, bench->backward[o]), time.arithmetic ? "   " : "",
               time.arithmetic ? time.arithmetic : "");
    }
}

/* What is told of the measured steps: of all ranks the largest times and memory. */
typedef struct Summary {
    double phase_s[PHASES]; /* a step */
    double median_s, fastest_s, images_per_s, memory_mb, start_s;
} Summary;

/* Collective. */
static Status sum_up(Bench *bench, Summary *summary) {
    const Session *session = &bench->session;
    Comm *comm = session->ranks.comm;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    summary->memory_mb = (double)usage.ru_maxrss / 1024;
    for (int p = 0; p < PHASES; p++)
        summary->phase_s[p] = bench->times.seconds[p] / (double)bench->steps;
    TRY(comm_max_f64(comm, summary->phase_s, PHASES));
    TRY(comm_max_f64(comm, &summary->memory_mb, 1));
    summary->start_s = bench->start_s;
    TRY(comm_max_f64(comm, &summary->start_s, 1));
    qsort(bench->seconds, (size_t)bench->steps, sizeof *bench->seconds, ascending);
    summary->median_s = bench->seconds[bench->steps / 2];
    summary->fastest_s = bench->seconds[0];
    summary->images_per_s = (double)session->config->batch_size / summary->median_s;
    return ST_OK;
}

static void print_text(const Bench *bench, const Summary *summary) {
    const double *s = summary->phase_s;
    print_ops(bench);
    printf(
        "ms a step: data %.1f, forward %.1f, backward %.1f, exposed communication %.1f, optimizer "
        "%.1f (largest over ranks)\n",
        1e3 * s[PHASE_DATA], 1e3 * s[PHASE_FORWARD], 1e3 * s[PHASE_BACKWARD],
        1e3 * s[PHASE_EXPOSED], 1e3 * s[PHASE_OPTIMIZER]);
    printf("step: median %.1f ms, fastest %.1f ms, of %" PRId64 "\n", 1e3 * summary->median_s,
           1e3 * summary->fastest_s, bench->steps);
    printf("start: %.2f s, from MPI to the first step\n", summary->start_s);
    printf("peak memory of a rank: %.0f MB\n", summary->memory_mb);
    printf("%s: %.1f images/s\n", bench->session.config->name, summary->images_per_s);
}

/* Of one lane: seconds of each op, multiply-adds of an image forward; `first`: it reads the image,
 * whose gradient nobody wants. */
static void add_layers(const Bench *bench, cJSON *root) {
    const Executor *executor = bench->session.engine.rooms[0].train[0];
    cJSON *layers = cJSON_AddArrayToObject(root, "layers");
    for (int o = 0; o < bench->ops; o++) {
        OpTime time = executor_op_time(executor, o);
        cJSON *layer = cJSON_CreateObject();
        cJSON_AddStringToObject(layer, "name", time.layer->name);
        cJSON_AddStringToObject(layer, "kind", layer_type(time.layer->kind)->name);
        cJSON_AddNumberToObject(layer, "forward_s", bench->forward[o]);
        cJSON_AddNumberToObject(layer, "backward_s", bench->backward[o]);
        cJSON_AddNumberToObject(layer, "multiply_adds", (double)layer_multiply_adds(time.layer));
        cJSON_AddBoolToObject(layer, "first", time.layer->input[0] == LAYER_IMAGE);
        if (time.arithmetic)
            cJSON_AddStringToObject(layer, "arithmetic", time.arithmetic);
        cJSON_AddItemToArray(layers, layer);
    }
}

static Status print_json(const Bench *bench, const Summary *summary) {
    const Session *session = &bench->session;
    const RunConfig *config = session->config;
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "recipe", config->name);
    cJSON_AddStringToObject(root, "device", session->device->description);
    cJSON_AddNumberToObject(root, "images_per_s", summary->images_per_s);
    cJSON_AddNumberToObject(root, "step_s", summary->median_s);
    cJSON_AddNumberToObject(root, "fastest_step_s", summary->fastest_s);
    cJSON_AddNumberToObject(root, "steps", (double)bench->steps);
    cJSON_AddNumberToObject(root, "batch", (double)config->batch_size);
    cJSON_AddNumberToObject(root, "lanes", (double)config->lanes);
    cJSON_AddNumberToObject(root, "ranks", session->ranks.size);
    cJSON_AddNumberToObject(root, "threads", session->ranks.threads);
    cJSON_AddNumberToObject(root, "memory_mb", summary->memory_mb);
    cJSON_AddNumberToObject(root, "start_s", summary->start_s);
    cJSON *phases = cJSON_AddObjectToObject(root, "phases_s");
    for (int p = 0; p <= PHASE_OPTIMIZER; p++)
        cJSON_AddNumberToObject(phases, phase_key((Phase)p), summary->phase_s[p]);
    add_layers(bench, root);
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    TRY_ALLOC(text);
    printf("%s\n", text);
    free(text);
    return ST_OK;
}

static Status print_bench(Bench *bench) {
    const Session *session = &bench->session;
    Summary summary = {0};
    Status status = ST_OK;
    TRY(sum_up(bench, &summary));
    if (session->ranks.rank != 0)
        return ST_OK;
    if (session->config->json)
        status = print_json(bench, &summary);
    else
        print_text(bench, &summary);
    fflush(stdout);
    return status;
}

/* The weights that a run would begin with. Collective, agreed. */
static Status start_state(Session *session) {
    Comm *comm = session->ranks.comm;
    HostState host = {0};
    Status status = comm_agree(comm, host_state_open(&session->engine, &host));
    if (status == ST_OK)
        status = session_initial_weights(session, host.weight, host.running);
    if (status == ST_OK) {
        host_state_begin(&session->engine, &host);
        status = comm_agree(comm, engine_put(&session->engine, &host));
    }
    host_state_free(&host);
    return status;
}

/* Local. */
static Status open_bench(Bench *bench) {
    bench->ops = program_ops(bench->session.engine.train[0].program);
    bench->seconds = calloc((size_t)bench->steps, sizeof *bench->seconds);
    bench->forward = calloc((size_t)bench->ops, sizeof *bench->forward);
    bench->backward = calloc((size_t)bench->ops, sizeof *bench->backward);
    TRY_ALLOC(bench->seconds);
    TRY_ALLOC(bench->forward);
    TRY_ALLOC(bench->backward);
    TRY(stepper_open(&bench->session, &bench->stepper));
    return stepper_load(bench->stepper, 0, passes(bench) * (WARM_STEPS + bench->steps));
}

static Status bench_ranks(Bench *bench) {
    Session *session = &bench->session;
    TRY(session_begin(session));
    TRY(session_read(session));
    TRY(session_plan(session, NULL));
    session_announce(session);
    TRY(session_hint(session));
    TRY(input_report(&session->input, session->ranks.comm));
    TRY(start_state(session));
    TRY(comm_agree(session->ranks.comm, open_bench(bench)));
    TRY(measure(bench));
    return print_bench(bench);
}

static void close_bench(Bench *bench) {
    stepper_close(bench->stepper);
    free(bench->seconds);
    free(bench->forward);
    free(bench->backward);
    session_close(&bench->session);
}

/* Takes --convolutions NAME out of the words, which are otherwise those of train. */
static Status take_convolutions(int *argc, char **argv, ConvAlgorithm *chosen) {
    static const char *const names[] = {
        [CONV_BY_RULE] = "rule", [CONV_DIRECT] = "direct", [CONV_WINOGRAD] = "winograd"};
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--convolutions") != 0)
            continue;
        const char *name = i + 1 < *argc ? argv[i + 1] : "";
        for (int c = 0; c <= CONV_WINOGRAD; c++) {
            if (strcmp(name, names[c]) != 0)
                continue;
            *chosen = (ConvAlgorithm)c;
            *argc -= 2;
            memmove(argv + i, argv + i + 2, (size_t)(*argc - i) * sizeof *argv);
            return ST_OK;
        }
        return FAIL(ST_USAGE, "--convolutions: rule, direct or winograd, not '%s'", name);
    }
    return ST_OK;
}

Status bench_command(int argc, char **argv) {
    Bench bench = {0};
    Session *session = &bench.session;
    ConvAlgorithm convolutions = CONV_BY_RULE;
    RunConfig *config = calloc(1, sizeof *config);
    TRY_ALLOC(config);
    Status status = take_convolutions(&argc, argv, &convolutions);
    if (status == ST_OK)
        status = config_load(argc - 1, argv + 1, config);
    if (status == ST_OK && config->help) {
        fputs(help, stdout);
        free(config);
        return ST_OK;
    }
    if (status == ST_OK)
        status = config_settle_length(config, NULL, NULL);
    config->convolutions = convolutions;
    session->config = config;
    bench.steps = config->steps > 0 ? config->steps : DEFAULT_STEPS;
    if (!config->data[0])
        snprintf(config->data, sizeof config->data, "synthetic");
    if (config->json)
        log_set_level(LOG_WARN);
    status = session_start(session, status, config->out);
    bench.opened = clock_now();
    if (status == ST_OK)
        status = bench_ranks(&bench);
    session_judge(session, status);
    close_bench(&bench);
    return status;
}
