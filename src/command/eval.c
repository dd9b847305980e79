/* eval: `lockstep eval`, the accuracy of a checkpoint on the test set. It only reads, so it works
 * while the run that writes the checkpoints goes on. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loaded.h"
#include "lockstep/command.h"
#include "lockstep/evaluate.h"
#include "lockstep/log.h"
#include "lockstep/survey.h"
#include "lockstep/text.h"

enum { CLASSES_SHOWN = 20 };

typedef struct EvalOptions {
    LoadOptions load;
    bool json, help;
} EvalOptions;

static const char usage[] =
    "lockstep eval CHECKPOINT|RUNDIR [--data PATH] [--device auto|cpu|cuda|ref] [--threads T] "
    "[--json]\n"
    "\n"
    "Accuracy and loss of a checkpoint, of a run directory its best one or, where no evaluation "
    "has\n"
    "been, its newest, on the test set, by class, with what each class was taken for; with moving\n"
    "averages where the run keeps them. Under mpirun the ranks share the images out.\n"
    "\n"
    "  --data PATH   folder with the CIFAR-10 binary files, HDF5 file, or `synthetic`; default:\n"
    "                CIFAR10_DIR, then data/cifar10; for a run on synthetic data, synthetic; for "
    "one\n"
    "                on an HDF5 file, the file that its config.yaml names\n";

static const char usage_end[] = "  --json        one JSON object on standard output\n";

static Status parse_options(int argc, char **argv, EvalOptions *options) {
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        bool taken;
        TRY(load_option("eval", argc, argv, &i, &options->load, &taken));
        if (taken)
            continue;
        if (strcmp(word, "--data") == 0 && i + 1 == argc)
            return FAIL(ST_USAGE, "%s needs a value; see lockstep eval --help", word);
        if (strcmp(word, "--help") == 0) {
            options->help = true;
        } else if (strcmp(word, "--json") == 0) {
            options->json = true;
        } else if (strcmp(word, "--data") == 0) {
            options->load.data = argv[++i];
        } else if (word[0] == '-') {
            return FAIL(ST_USAGE, "unknown option %s; see lockstep eval --help", word);
        } else if (options->load.checkpoint) {
            return FAIL(ST_USAGE, "one checkpoint, please: %s and %s", options->load.checkpoint,
                        word);
        } else {
            options->load.checkpoint = word;
        }
    }
    if (!options->load.checkpoint && !options->help)
        return FAIL(ST_USAGE, "which checkpoint? See lockstep eval --help");
    return ST_OK;
}

/* The test set: this rank's share. Local. */
static Status find_test_set(Session *session, const Checkpoint *checkpoint, void *context) {
    const EvalOptions *options = context;
    const Dataset *dataset = &session->input.dataset;
    Shape image, own = checkpoint->image;
    TRY(input_open(&session->input, session->config, session->device->accelerator));
    image = dataset->image;
    if (own.c > 0 && (image.c != own.c || image.h != own.h || image.w != own.w ||
                      dataset->classes != checkpoint->classes))
        return FAIL(ST_DATA,
                    "%s has images of %" PRId64 " x %" PRId64 " x %" PRId64 " in %" PRId64
                    " classes, %s is for %" PRId64 " x %" PRId64 " x %" PRId64 " in %" PRId64
                    "; name its set with --data",
                    dataset->synthetic ? "synthetic" : dataset->path, image.c, image.h, image.w,
                    dataset->classes, options->load.checkpoint, own.c, own.h, own.w,
                    checkpoint->classes);
    TRY(session_parse_model(session->config, dataset, &session->model));
    return input_read_test(&session->input, session->config, session->ranks.rank,
                           session->ranks.size);
}

/* Whether these are the images that the run was tested on; a file of an old format does not say. */
static bool is_own_test_set(const Session *session, const Checkpoint *checkpoint) {
    return checkpoint->test_hash == session->input.test_hash;
}

static Status print_json(const Session *session, const EvalOptions *options,
                         const Checkpoint *checkpoint, const EvalResult *result,
                         const EvalResult *plain) {
    const Dataset *dataset = &session->input.dataset;
    cJSON *root = cJSON_CreateObject();
    cJSON *classes = cJSON_AddObjectToObject(root, "class_accuracy");
    cJSON *confusion = cJSON_AddArrayToObject(root, "confusion");
    cJSON_AddStringToObject(root, "checkpoint", options->load.checkpoint);
    cJSON_AddStringToObject(root, "dataset", dataset_name(dataset));
    if (checkpoint->test_hash)
        cJSON_AddBoolToObject(root, "own_test_set", is_own_test_set(session, checkpoint));
    else
        cJSON_AddNullToObject(root, "own_test_set");
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

/* Images of a class that were taken for an output that is no class. */
static int64_t taken_for_none(const EvalResult *result, int64_t label) {
    int64_t n = result->class_images[label];
    for (int64_t c = 0; c < result->classes; c++)
        n -= result->confusion[label * result->classes + c];
    return n;
}

/* In a column of `width` characters, behind one blank or two: over numbers, to which it is cut, or
 * before them. */
static void print_name(const char *name, int64_t width, bool over) {
    size_t bytes = text_prefix(name, over ? (size_t)width - 1 : SIZE_MAX);
    int blanks = (int)width - (int)text_characters(name, bytes);
    if (over)
        printf(" %*s%.*s", blanks, "", (int)bytes, name);
    else
        printf("  %s%*s", name, blanks > 0 ? blanks : 0, "");
}

/* Characters of the column of names. */
static int64_t name_width(const Dataset *dataset, int64_t n) {
    int64_t width = 12;
    for (int64_t c = 0; c < n; c++) {
        const char *name = dataset->class_names[c];
        int64_t own = (int64_t)text_characters(name, strlen(name));
        width = own > width ? own : width;
    }
    return width;
}

/* The confusion matrix with its names, those of columns cut short; of many classes the accuracies
 * alone, for no terminal is as wide as the rest. */
static void print_classes(const Dataset *dataset, const EvalResult *result) {
    int64_t n = result->classes, none = 0, width = name_width(dataset, n);
    bool wide = n > CLASSES_SHOWN;
    for (int64_t c = 0; c < n; c++)
        none += taken_for_none(result, c);
    print_name("class", width, false);
    printf(" accuracy");
    for (int64_t c = 0; c < n && !wide; c++)
        print_name(dataset->class_names[c], 6, true);
    printf("%s%s\n", !wide && none > 0 ? "   none" : "",
           wide ? " (--json has the confusion matrix)" : "  <- taken for");
    for (int64_t t = 0; t < n; t++) {
        print_name(dataset->class_names[t], width, false);
        printf(" %6.2f %%", 100 * eval_class_accuracy(result, t));
        for (int64_t c = 0; c < n && !wide; c++)
            printf(" %6" PRId64, result->confusion[t * n + c]);
        if (!wide && none > 0)
            printf(" %6" PRId64, taken_for_none(result, t));
        printf("\n");
    }
}

static void print_text(const Session *session, const EvalOptions *options,
                       const Checkpoint *checkpoint, const EvalResult *result,
                       const EvalResult *plain) {
    const char *label = session->input.dataset.synthetic ? " [synthetic]" : "";
    printf("%s: step %" PRId64 ", epoch %" PRId64 "%s\n", options->load.checkpoint,
           checkpoint->state.step, checkpoint->state.epoch,
           checkpoint->has_ema ? ", moving average of the weights" : "");
    bool tta = session->config->tta != TTA_NONE;
    if (tta)
        printf("test accuracy %.2f %%, test loss %.4f without test-time augmentation%s\n",
               100 * plain->accuracy, plain->loss, label);
    printf("test accuracy %.2f %%, test loss %.4f%s%s, %" PRId64 " images%s\n",
           100 * result->accuracy, result->loss, tta ? " with " : "",
           tta ? config_tta_name(session->config->tta) : "", result->images, label);
    print_classes(&session->input.dataset, result);
}

static Status eval_ranks(Session *session, EvalOptions *options, Checkpoint *checkpoint) {
    Comm *comm = session->ranks.comm;
    EvalResult plain = {0}, augmented = {0};
    const EvalResult *result = &plain;
    Status status = ST_OK;
    TRY(load_checkpoint(session, &options->load, checkpoint, find_test_set, options));
    TRY(session_compare_data(session));
    TRY(survey_take(&session->input, comm));
    TRY(input_hash_test(&session->input, comm));
    if (checkpoint->test_hash && !is_own_test_set(session, checkpoint))
        log_warn("these are other images than the run of %s was tested on: its accuracy on them "
                 "stands beside no other of that run",
                 options->load.checkpoint);
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
    EvalOptions options = {.load = {.device = DEVICE_AUTO, .finds_data = true}};
    Checkpoint checkpoint = {0};
    Session session = {0};
    Status status = parse_options(argc, argv, &options);
    if (status == ST_OK && options.help) {
        printf("%s%s%s", usage, load_options_help, usage_end);
        return ST_OK;
    }
    session.config = calloc(1, sizeof *session.config);
    TRY_ALLOC(session.config);
    session.config->deadline = options.load.deadline;
    status = session_start(&session, status, options.load.checkpoint);
    if (status == ST_OK)
        status = eval_ranks(&session, &options, &checkpoint);
    session_judge(&session, status);
    checkpoint_meta_free(&checkpoint);
    session_close(&session);
    return status;
}
