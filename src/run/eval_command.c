/* eval: `lockstep eval`, the accuracy of a checkpoint on the test set. It only reads, so it works
 * while the run that writes the checkpoints goes on. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/log.h"
#include "lockstep/parse.h"
#include "lockstep/run.h"
#include "setup.h"

typedef struct EvalOptions {
    const char *checkpoint;
    const char *data; /* NULL: as the run had it, or CIFAR10_DIR */
    DeviceChoice device;
    int64_t threads; /* 0: all cores */
    bool json, help;
} EvalOptions;

static const char usage[] =
    "lockstep eval CHECKPOINT [--data DIR] [--device auto|cpu|cuda|ref] [--threads T] [--json]\n"
    "\n"
    "Accuracy and loss of a checkpoint on the test set, by class; with moving averages where the\n"
    "run keeps them. Under mpirun the ranks share the images out.\n"
    "\n"
    "  --data DIR    folder with the CIFAR-10 binary files, or `synthetic`; default: CIFAR10_DIR, "
    "then\n"
    "                data/cifar10; for a run on synthetic data, synthetic\n"
    "  --device D    auto (default), cpu, cuda, ref\n"
    "  --threads T   compute threads a rank; default: all cores\n"
    "  --json        one JSON object on standard output\n";

static Status parse_device(const char *word, DeviceChoice *device) {
    static const char *const names[] = {"auto", "cpu", "cuda", "ref"};
    static const DeviceChoice choices[] = {DEVICE_AUTO, DEVICE_CPU, DEVICE_CUDA, DEVICE_REF};
    for (int i = 0; i < 4; i++) {
        if (strcmp(word, names[i]) == 0) {
            *device = choices[i];
            return ST_OK;
        }
    }
    return FAIL(ST_USAGE, "--device %s: not one of auto, cpu, cuda, ref", word);
}

static Status parse_options(int argc, char **argv, EvalOptions *options) {
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        bool takes_value = strcmp(word, "--data") == 0 || strcmp(word, "--device") == 0 ||
                           strcmp(word, "--threads") == 0;
        if (takes_value && i + 1 == argc)
            return FAIL(ST_USAGE, "%s needs a value; see lockstep eval --help", word);
        if (strcmp(word, "--help") == 0) {
            options->help = true;
        } else if (strcmp(word, "--json") == 0) {
            options->json = true;
        } else if (strcmp(word, "--data") == 0) {
            options->data = argv[++i];
        } else if (strcmp(word, "--device") == 0) {
            TRY(parse_device(argv[++i], &options->device));
        } else if (strcmp(word, "--threads") == 0) {
            if (parse_int(argv[++i], &options->threads) != PARSE_OK || options->threads < 1)
                return FAIL(ST_USAGE, "--threads %s: not a number from 1", argv[i]);
        } else if (word[0] == '-') {
            return FAIL(ST_USAGE, "unknown option %s; see lockstep eval --help", word);
        } else if (options->checkpoint) {
            return FAIL(ST_USAGE, "one checkpoint, please: %s and %s", options->checkpoint, word);
        } else {
            options->checkpoint = word;
        }
    }
    if (!options->checkpoint && !options->help)
        return FAIL(ST_USAGE, "which checkpoint? See lockstep eval --help");
    return ST_OK;
}

/* Configuration, model, records and weights of the checkpoint in bytes[size]. Local. */
static Status load_bytes(Run *run, const EvalOptions *options, const char *bytes, size_t size,
                         Checkpoint *checkpoint) {
    EngineSizes sizes = {0};
    Device *device;
    HostState host = {0};
    RunConfig *config = run->config;
    TRY(checkpoint_parse_meta(bytes, size, options->checkpoint, checkpoint));
    TRY(config_from_text(checkpoint->config, options->checkpoint, config));
    if (options->data)
        snprintf(config->data, sizeof config->data, "%s", options->data);
    else if (strcmp(checkpoint->dataset, "synthetic") == 0)
        snprintf(config->data, sizeof config->data, "synthetic");
    TRY(input_open(&run->input, config));
    TRY(parse_model(config, &run->input.dataset, &run->model));
    TRY(input_read_test(&run->input, config, run->rank, run->size));
    sizes.n_eval = input_eval_sizes(&run->input, sizes.eval);
    config->device = options->device;
    config->precision = PRECISION_FP32;
    config->autotune = false; /* the checkpoint has the choices */
    config->reduction_type = REDUCTION_FP32;
    TRY(engine_open_device(config, comm_local_rank(run->comm), &device));
    run->engine.device = device;
    if (checkpoint->autotune && device->ops->tune)
        TRY(device->ops->tune(device, checkpoint->autotune, 0));
    run->threads = compute_threads(run, options->threads);
    TRY(engine_open(&run->engine, device, &run->model, NULL, run->threads, &sizes));
    TRY(engine_keep(&run->engine, &run->input.test.shard, &run->input.test.kept));
    checkpoint->model = &run->model;
    run->host.weight = calloc((size_t)run->model.flat, sizeof(float));
    run->host.running = calloc((size_t)run->model.running_flat + 1, sizeof(float));
    TRY_ALLOC(run->host.weight);
    TRY_ALLOC(run->host.running);
    if (config->optimizer.ema_decay > 0) {
        run->host.ema = calloc((size_t)run->model.flat, sizeof(float));
        TRY_ALLOC(run->host.ema);
    }
    checkpoint->weight = run->host.weight;
    checkpoint->running = run->host.running;
    checkpoint->ema = run->host.ema;
    TRY(checkpoint_parse_arrays(bytes, size, options->checkpoint, checkpoint));
    host.weight = run->host.ema ? run->host.ema : run->host.weight;
    host.running = run->host.running;
    return engine_put(&run->engine, &host);
}

/* The file is read once: best.h5 of a run that goes on may name another one a moment later. */
static Status load(Run *run, const EvalOptions *options, Checkpoint *checkpoint) {
    char *bytes = NULL;
    size_t size = 0;
    TRY(checkpoint_load(options->checkpoint, &bytes, &size));
    Status status = load_bytes(run, options, bytes, size, checkpoint);
    free(bytes);
    return status;
}

static Status print_json(const Run *run, const EvalOptions *options, const Checkpoint *checkpoint,
                         const EvalResult *result) {
    const Dataset *dataset = &run->input.dataset;
    cJSON *root = cJSON_CreateObject();
    cJSON *classes = cJSON_AddObjectToObject(root, "class_accuracy");
    cJSON *confusion = cJSON_AddArrayToObject(root, "confusion");
    cJSON_AddStringToObject(root, "checkpoint", options->checkpoint);
    cJSON_AddStringToObject(root, "dataset", dataset_name(dataset));
    cJSON_AddStringToObject(root, "device", run->engine.device->ops->name);
    cJSON_AddNumberToObject(root, "step", (double)checkpoint->state.step);
    cJSON_AddNumberToObject(root, "images", (double)result->images);
    cJSON_AddNumberToObject(root, "test_accuracy", result->accuracy);
    cJSON_AddNumberToObject(root, "test_loss", result->loss);
    for (int64_t t = 0; t < result->classes; t++) {
        cJSON *row = cJSON_CreateArray();
        for (int64_t p = 0; p < result->classes; p++) {
            int64_t images = result->confusion[t * result->classes + p];
            cJSON_AddItemToArray(row, cJSON_CreateNumber((double)images));
        }
        cJSON_AddItemToArray(confusion, row);
        cJSON_AddNumberToObject(classes, dataset->class_names[t], eval_class_accuracy(result, t));
    }
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    TRY_ALLOC(text);
    printf("%s\n", text);
    free(text);
    return ST_OK;
}

static void print_text(const Run *run, const EvalOptions *options, const Checkpoint *checkpoint,
                       const EvalResult *result) {
    const char *label = run->input.dataset.synthetic ? " [synthetic]" : "";
    printf("%s: step %" PRId64 ", epoch %" PRId64 "%s\n", options->checkpoint,
           checkpoint->state.step, checkpoint->state.epoch,
           run->host.ema ? ", moving average of the weights" : "");
    printf("test accuracy %.2f %%, test loss %.4f, %" PRId64 " images%s\n", 100 * result->accuracy,
           result->loss, result->images, label);
    for (int64_t c = 0; c < result->classes; c++)
        printf("  %-12s %6.2f %%\n", run->input.dataset.class_names[c],
               100 * eval_class_accuracy(result, c));
}

static Status eval_ranks(Run *run, const EvalOptions *options, Checkpoint *checkpoint) {
    EvalResult result = {0};
    Status status = ST_OK;
    TRY(comm_agree(run->comm, load(run, options, checkpoint)));
    comm_at(run->comm, checkpoint->state.step, STAGE_EVALUATE);
    TRY_DONE(evaluate(&run->engine, run->comm, &run->input.test, &run->config->augment, &result));
    if (run->rank == 0 && options->json)
        status = print_json(run, options, checkpoint, &result);
    else if (run->rank == 0)
        print_text(run, options, checkpoint, &result);
    fflush(stdout);
    status = comm_agree(run->comm, status);
done:
    eval_result_free(&result);
    return status;
}

Status eval_command(int argc, char **argv) {
    EvalOptions options = {.device = DEVICE_AUTO};
    Checkpoint checkpoint = {0};
    Run run = {.without_files = true};
    Status status = parse_options(argc, argv, &options);
    if (status == ST_OK && options.help) {
        fputs(usage, stdout);
        return ST_OK;
    }
    run.config = calloc(1, sizeof *run.config);
    TRY_ALLOC(run.config);
    status = start_ranks(&run, status);
    if (status == ST_OK)
        status = eval_ranks(&run, &options, &checkpoint);
    checkpoint_meta_free(&checkpoint);
    return end_run(&run, status);
}
