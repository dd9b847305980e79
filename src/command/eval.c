/* eval: `lockstep eval`, the accuracy of a checkpoint on the test set. It only reads, so it works
 * while the run that writes the checkpoints goes on. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lockstep/checkpoint.h"
#include "lockstep/command.h"
#include "lockstep/evaluate.h"
#include "lockstep/log.h"
#include "lockstep/parse.h"
#include "lockstep/session.h"

typedef struct EvalOptions {
    const char *checkpoint; /* a file; or a run directory, until find_checkpoint */
    char found[CONFIG_PATH_MAX];
    const char *data; /* NULL: as the run had it, or CIFAR10_DIR */
    DeviceChoice device;
    int64_t threads; /* 0: all cores */
    Tta tta;         /* where named */
    bool tta_named;
    bool json, help;
} EvalOptions;

static const char usage[] =
    "lockstep eval CHECKPOINT|RUNDIR [--data DIR] [--device auto|cpu|cuda|ref] [--threads T] "
    "[--json]\n"
    "\n"
    "Accuracy and loss of a checkpoint, of a run directory its best one or, where no evaluation "
    "has\n"
    "been, its newest, on the test set, by class; with moving averages where the\n"
    "run keeps them. Under mpirun the ranks share the images out.\n"
    "\n"
    "  --data DIR    folder with the CIFAR-10 binary files, or `synthetic`; default: CIFAR10_DIR, "
    "then\n"
    "                data/cifar10; for a run on synthetic data, synthetic\n"
    "  --device D    auto (default), cpu, cuda, ref\n"
    "  --eval.tta N  test-time augmentation: none, flip, shifts; default: as the run has it\n"
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
                           strcmp(word, "--threads") == 0 || strcmp(word, "--eval.tta") == 0;
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
        } else if (strcmp(word, "--eval.tta") == 0) {
            options->tta_named = true;
            if (!config_tta_find(argv[++i], &options->tta))
                return FAIL(ST_USAGE, "--eval.tta %s: not one of none, flip, shifts", argv[i]);
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

/* Of a run directory the best checkpoint, or the newest where no evaluation has been. Local. */
static Status find_checkpoint(EvalOptions *options) {
    struct stat info;
    const char *named = options->checkpoint;
    char folder[CONFIG_PATH_MAX];
    if (stat(named, &info) != 0 || !S_ISDIR(info.st_mode))
        return ST_OK;
    if (strlen(named) + sizeof "/checkpoints" > sizeof folder)
        return FAIL(ST_USAGE, "%s: the path is too long", named);
    snprintf(options->found, sizeof options->found, "%.4000s/best.h5", named);
    snprintf(folder, sizeof folder, "%.4000s/checkpoints", named);
    options->checkpoint = options->found;
    if (access(options->found, F_OK) == 0)
        return ST_OK;
    TRY(checkpoint_newest(folder, false, options->found));
    return options->found[0]
               ? ST_OK
               : FAIL(ST_CHECKPOINT, "%s: holds no checkpoint; is it a run directory?", named);
}

/* What is evaluated: the configuration of the run, but for where and how fast. Local. */
static Status configure(Session *session, const EvalOptions *options,
                        const Checkpoint *checkpoint) {
    RunConfig *config = session->config;
    TRY(config_from_text(checkpoint->config, options->checkpoint, config));
    if (options->data)
        snprintf(config->data, sizeof config->data, "%s", options->data);
    else if (strcmp(checkpoint->dataset, "synthetic") == 0)
        snprintf(config->data, sizeof config->data, "synthetic");
    config->device = options->device;
    if (options->tta_named)
        config->tta = options->tta;
    config->precision = PRECISION_FP32;
    config->autotune = false; /* the checkpoint has the choices */
    config->reduction_type = REDUCTION_FP32;
    return ST_OK;
}

/* Plans the model for the batches of the test set. Local. */
static Status plan(Session *session, const EvalOptions *options, const char *choices) {
    RunConfig *config = session->config;
    Ranks *ranks = &session->ranks;
    Input *input = &session->input;
    EngineSizes sizes = {0};
    TRY(session_find_model(session));
    TRY(input_read_test(input, config, ranks->rank, ranks->size));
    sizes.n_eval = input_eval_sizes(input, sizes.eval);
    TRY(session_open_device(session));
    if (choices && session->device->ops->tuning)
        TRY(session->device->ops->tuning->begin(session->device, choices, 0));
    ranks->threads = ranks_threads(ranks, session->device, options->threads);
    TRY(engine_open(&session->engine, session->device, &session->model, NULL, NULL, ranks->threads,
                    &sizes));
    return engine_load_records(&session->engine, &input->test.shard, &input->test.resident);
}

/* Brings the weights that are evaluated to the engine: the moving average where the run has one.
 * Local. */
static Status load_weights(Session *session, const char *bytes, size_t size, const char *path,
                           Checkpoint *checkpoint) {
    HostState host = {0};
    Status status = host_state_open(&session->engine, &host);
    checkpoint->model = &session->model;
    checkpoint->running = host.running;
    if (checkpoint->has_ema)
        checkpoint->ema = host.weight;
    else
        checkpoint->weight = host.weight;
    if (status == ST_OK)
        status = checkpoint_parse_arrays(bytes, size, path, checkpoint);
    if (status == ST_OK)
        status = engine_put(&session->engine, &host);
    host_state_free(&host);
    return status;
}

/* Configuration, model, records and weights of the checkpoint. Its file is read once: best.h5 of a
 * run that goes on may name another one a moment later. Local. */
static Status load(Session *session, EvalOptions *options, Checkpoint *checkpoint) {
    TRY(find_checkpoint(options));
    const char *path = options->checkpoint;
    char *bytes = NULL;
    size_t size = 0;
    TRY(checkpoint_load(path, &bytes, &size));
    Status status = checkpoint_parse_meta(bytes, size, path, checkpoint);
    if (status == ST_OK)
        status = configure(session, options, checkpoint);
    if (status == ST_OK)
        status = plan(session, options, checkpoint->autotune);
    if (status == ST_OK)
        status = load_weights(session, bytes, size, path, checkpoint);
    free(bytes);
    return status;
}

static Status print_json(const Session *session, const EvalOptions *options,
                         const Checkpoint *checkpoint, const EvalResult *result,
                         const EvalResult *plain) {
    const Dataset *dataset = &session->input.dataset;
    cJSON *root = cJSON_CreateObject();
    cJSON *classes = cJSON_AddObjectToObject(root, "class_accuracy");
    cJSON *confusion = cJSON_AddArrayToObject(root, "confusion");
    cJSON_AddStringToObject(root, "checkpoint", options->checkpoint);
    cJSON_AddStringToObject(root, "dataset", dataset_name(dataset));
    cJSON_AddStringToObject(root, "device", session->device->ops->name);
    cJSON_AddNumberToObject(root, "step", (double)checkpoint->state.step);
    cJSON_AddNumberToObject(root, "images", (double)result->images);
    cJSON_AddNumberToObject(root, "test_accuracy", result->accuracy);
    cJSON_AddNumberToObject(root, "test_loss", result->loss);
    cJSON_AddNumberToObject(root, "test_accuracy_plain", plain->accuracy);
    cJSON_AddNumberToObject(root, "test_loss_plain", plain->loss);
    cJSON_AddStringToObject(root, "tta", config_tta_name(session->config->tta));
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

static void print_text(const Session *session, const EvalOptions *options,
                       const Checkpoint *checkpoint, const EvalResult *result,
                       const EvalResult *plain) {
    const char *label = session->input.dataset.synthetic ? " [synthetic]" : "";
    printf("%s: step %" PRId64 ", epoch %" PRId64 "%s\n", options->checkpoint,
           checkpoint->state.step, checkpoint->state.epoch,
           checkpoint->has_ema ? ", moving average of the weights" : "");
    bool tta = session->config->tta != TTA_NONE;
    if (tta)
        printf("test accuracy %.2f %%, test loss %.4f without test-time augmentation%s\n",
               100 * plain->accuracy, plain->loss, label);
    printf("test accuracy %.2f %%, test loss %.4f%s%s, %" PRId64 " images%s\n",
           100 * result->accuracy, result->loss, tta ? " with " : "",
           tta ? config_tta_name(session->config->tta) : "", result->images, label);
    for (int64_t c = 0; c < result->classes; c++)
        printf("  %-12s %6.2f %%\n", session->input.dataset.class_names[c],
               100 * eval_class_accuracy(result, c));
}

static Status eval_ranks(Session *session, EvalOptions *options, Checkpoint *checkpoint) {
    Comm *comm = session->ranks.comm;
    EvalResult plain = {0}, augmented = {0};
    const EvalResult *result = &plain;
    Status status = ST_OK;
    TRY(comm_agree(comm, load(session, options, checkpoint)));
    comm_at(comm, checkpoint->state.step, STAGE_EVALUATE);
    TRY_DONE(evaluate(&session->engine, comm, &session->input.test, &session->config->augment,
                      TTA_NONE, &plain));
    if (session->config->tta != TTA_NONE) {
        TRY_DONE(evaluate(&session->engine, comm, &session->input.test, &session->config->augment,
                          session->config->tta, &augmented));
        result = &augmented;
    }
    if (session->ranks.rank == 0 && options->json)
        status = print_json(session, options, checkpoint, result, &plain);
    else if (session->ranks.rank == 0)
        print_text(session, options, checkpoint, result, &plain);
    fflush(stdout);
    status = comm_agree(comm, status);
done:
    eval_result_free(&plain);
    eval_result_free(&augmented);
    return status;
}

Status eval_command(int argc, char **argv) {
    EvalOptions options = {.device = DEVICE_AUTO};
    Checkpoint checkpoint = {0};
    Session session = {0};
    Status status = parse_options(argc, argv, &options);
    if (status == ST_OK && options.help) {
        fputs(usage, stdout);
        return ST_OK;
    }
    session.config = calloc(1, sizeof *session.config);
    TRY_ALLOC(session.config);
    status = session_start(&session, status);
    if (status == ST_OK)
        status = eval_ranks(&session, &options, &checkpoint);
    ranks_judge(&session.ranks, status);
    checkpoint_meta_free(&checkpoint);
    session_close(&session);
    return status;
}
