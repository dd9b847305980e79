/* bench: `lockstep bench`, the speed of a recipe: the very step of `train`, timed by phase and
 * layer.
 *
 * Takes the options of train; --steps N is the number of measured steps (10), after two that are
 * not. Writes no files. Data is synthetic unless --data names a folder. Under mpirun all ranks take
 * part. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "lockstep/run.h"
#include "setup.h"

enum { WARM_STEPS = 2, DEFAULT_STEPS = 10 };

typedef struct Bench {
    int64_t steps;
    double *seconds;            /* [steps] of each measured step */
    double *forward, *backward; /* [ops] seconds of one lane, summed over measured steps */
    int ops;
    PhaseTimes times; /* of the measured steps */
} Bench;

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Warm and measured steps; `whole` measures the steps, `layers` the layers in them. */
static Status measure_steps(Run *run, Bench *bench, bool whole, bool layers) {
    Executor *executor = run->engine.workers[0].train[0];
    TRY(executor_time(executor, layers));
    for (int64_t i = 0; i < WARM_STEPS + bench->steps; i++) {
        StepTotals totals = {0};
        if (i == WARM_STEPS)
            run->interval = (PhaseTimes){0};
        double start = clock_now();
        TRY(step_run(run, false, &totals));
        if (totals.bad > 0)
            return FAIL(ST_DIVERGED, "the benchmark diverged at step %" PRId64, i);
        run->state.step++;
        if (i < WARM_STEPS)
            continue;
        if (whole)
            bench->seconds[i - WARM_STEPS] = clock_now() - start;
        for (int o = 0; layers && o < bench->ops; o++) {
            OpTime time = executor_op_time(executor, o);
            bench->forward[o] += time.forward_s / (double)bench->steps;
            bench->backward[o] += time.backward_s / (double)bench->steps;
        }
    }
    if (whole)
        bench->times = run->interval;
    return ST_OK;
}

/* Timing a layer waits for its end, which costs a GPU its pace: there the layers come afterwards.
 */
static int passes(const Run *run) {
    return run->engine.device->accelerator ? 2 : 1;
}

static Status measure(Run *run, Bench *bench) {
    if (passes(run) == 1)
        return measure_steps(run, bench, true, true);
    TRY(measure_steps(run, bench, true, false));
    return measure_steps(run, bench, false, true);
}

static double gflops(double multiply_adds, double seconds) {
    return seconds > 0 ? 2e-9 * multiply_adds / seconds : 0;
}

static void print_ops(const Run *run, const Bench *bench) {
    const Executor *executor = run->engine.workers[0].train[0];
    double batch = (double)program_batch(run->engine.train[0].program);
    printf("%-14s %12s %12s %12s %12s\n", "layer", "forward ms", "GFLOP/s", "backward ms",
           "GFLOP/s");
    for (int o = 0; o < bench->ops; o++) {
        const Layer *layer = executor_op_time(executor, o).layer;
        double work = batch * (double)layer_type(layer->kind)->multiply_adds(layer);
        double back = layer->input < 0 ? work : 2 * work; /* no gradient of the image */
        printf("%-14s %12.3f %12.1f %12.3f %12.1f\n", layer->name, 1e3 * bench->forward[o],
               gflops(work, bench->forward[o]), 1e3 * bench->backward[o],
               gflops(back, bench->backward[o]));
    }
}

static Status print_bench(Run *run, Bench *bench) {
    struct rusage usage;
    PhaseTimes times = bench->times;
    double memory, steps = (double)bench->steps;
    getrusage(RUSAGE_SELF, &usage);
    memory = (double)usage.ru_maxrss / 1024;
    TRY(comm_max_f64(run->comm, &times.data, (int64_t)(sizeof times / sizeof(double))));
    TRY(comm_max_f64(run->comm, &memory, 1));
    if (run->rank != 0)
        return ST_OK;
    qsort(bench->seconds, (size_t)bench->steps, sizeof *bench->seconds, ascending);
    double median = bench->seconds[bench->steps / 2];
    print_ops(run, bench);
    printf(
        "ms a step: data %.1f, forward %.1f, backward %.1f, exposed communication %.1f, optimizer "
        "%.1f (largest over ranks)\n",
        1e3 * times.data / steps, 1e3 * times.forward / steps, 1e3 * times.backward / steps,
        1e3 * times.exposed / steps, 1e3 * times.optimizer / steps);
    printf("step: median %.1f ms, fastest %.1f ms, of %" PRId64 "\n", 1e3 * median,
           1e3 * bench->seconds[0], bench->steps);
    printf("peak memory of a rank: %.0f MB\n", memory);
    printf("%s: %.1f images/s\n", run->config->name, (double)run->config->batch_size / median);
    fflush(stdout);
    return ST_OK;
}

static Status start_state(Run *run) {
    HostState *host = &run->host;
    host->weight = calloc((size_t)run->model.flat, sizeof *host->weight);
    host->running = calloc((size_t)run->model.running_flat + 1, sizeof *host->running);
    TRY_ALLOC(host->weight);
    TRY_ALLOC(host->running);
    model_init(&run->model, run->config->seed, host->weight, host->running);
    return engine_put(&run->engine, host);
}

static Status bench_ranks(Run *run, Bench *bench) {
    TRY(setup_run(run));
    run->end_step = passes(run) * (WARM_STEPS + bench->steps);
    bench->ops = program_ops(run->engine.train[0].program);
    bench->seconds = calloc((size_t)bench->steps, sizeof *bench->seconds);
    bench->forward = calloc((size_t)bench->ops, sizeof *bench->forward);
    bench->backward = calloc((size_t)bench->ops, sizeof *bench->backward);
    TRY_ALLOC(bench->seconds);
    TRY_ALLOC(bench->forward);
    TRY_ALLOC(bench->backward);
    TRY(comm_agree(run->comm, start_state(run)));
    TRY(comm_agree(run->comm, start_loader(run)));
    TRY(measure(run, bench));
    return print_bench(run, bench);
}

Status bench_command(int argc, char **argv) {
    Run run = {.without_files = true};
    Bench bench = {0};
    Status status;
    run.config = calloc(1, sizeof *run.config);
    TRY_ALLOC(run.config);
    status = config_load(argc - 1, argv + 1, run.config);
    if (status == ST_OK && run.config->help) {
        printf("lockstep bench CONFIG [--KEY VALUE]...: the options of train; --steps N: measured "
               "steps\n");
        free(run.config);
        return ST_OK;
    }
    bench.steps = run.config->steps > 0 ? run.config->steps : DEFAULT_STEPS;
    if (!run.config->data[0])
        snprintf(run.config->data, sizeof run.config->data, "synthetic");
    status = start_ranks(&run, status);
    if (status == ST_OK)
        status = bench_ranks(&run, &bench);
    free(bench.seconds);
    free(bench.forward);
    free(bench.backward);
    return end_run(&run, status);
}
