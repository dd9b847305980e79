/* import: see import.h. */
#include "import.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lockstep/checkpoint.h"
#include "lockstep/session.h"
#include "lockstep/weights.h"
#include "version.h"

/* What the checkpoint is made of, owned. */
typedef struct Import {
    RunConfig *config;
    Dataset dataset;
    Model model;
    Grouping grouping;
    float *weight, *running, *zeros;
    char *text, *class_names;
} Import;

static Status find_dataset(const RunConfig *config, const char *data, Dataset *dataset) {
    if (!data) {
        dataset_cifar10(dataset);
        return ST_OK;
    }
    TRY(dataset_open(config->data, config->seed, dataset));
    return config->labels == LABELS_COARSE ? dataset_coarse(dataset) : ST_OK;
}

/* What evaluation needs as numbers: mean and std of a set of one's own would follow from reading
 * all of its images. */
static Status fit(RunConfig *config, const Dataset *dataset) {
    const Augment *augment = &config->augment;
    if (!dataset->mean && (isnan(augment->mean[0]) || isnan(augment->std[0])))
        return FAIL(ST_USAGE,
                    "%s: augment.mean and augment.std are auto, and only training finds them: give "
                    "the numbers that the weights were trained with, or the config.yaml of the run "
                    "that they are of, which has them",
                    config->file);
    double mean[IMAGE_CHANNELS_MAX] = {0}, std[IMAGE_CHANNELS_MAX] = {0};
    for (int64_t c = 0; dataset->mean && c < dataset->image.c; c++) {
        mean[c] = dataset->mean[c];
        std[c] = dataset->std[c];
    }
    TRY(config_fit_images(config, dataset->image, mean, std));
    return config_settle_length(config, NULL, NULL);
}

static Status open_import(Import *import, const char *config, const char *weights,
                          const char *data) {
    char *words[] = {(char *)(uintptr_t)config, "--data", (char *)(uintptr_t)data};
    const Model *model = &import->model;
    import->config = calloc(1, sizeof *import->config);
    TRY_ALLOC(import->config);
    TRY(config_load(data ? 3 : 1, words, import->config));
    TRY(find_dataset(import->config, data, &import->dataset));
    TRY(fit(import->config, &import->dataset));
    TRY(session_parse_model(import->config, &import->dataset, &import->model));
    TRY(session_parse_groups(import->config, model, &import->grouping));
    TRY(config_text(import->config, true, &import->text));
    TRY(dataset_names_text(&import->dataset, &import->class_names));
    import->weight = malloc((size_t)model->flat * sizeof(float));
    import->zeros = calloc((size_t)model->flat, sizeof(float));
    import->running = malloc((size_t)model->running_flat * sizeof(float) + 1);
    TRY_ALLOC(import->weight);
    TRY_ALLOC(import->zeros);
    TRY_ALLOC(import->running);
    return weights_read(weights, model, import->weight, import->running);
}

/* A state before the first step. */
static RunState first_state(const RunConfig *config) {
    const Schedule *schedule = &config->schedule;
    return (RunState){.best_step = -1,
                      .last_accuracy = NAN,
                      .bad = {.lr_factor = 1},
                      .has_plateau = schedule->kind == SCHEDULE_PLATEAU,
                      .plateau = plateau_begin(schedule, config->monitor == MONITOR_ACCURACY)};
}

/* Averages begin at the weights; the optimizer's state is zero. */
static Checkpoint checkpoint_of(const Import *import) {
    const RunConfig *config = import->config;
    const Grouping *grouping = &import->grouping;
    Checkpoint checkpoint = {.model = &import->model,
                             .config = import->text,
                             .seed = config->seed,
                             .lanes = config->lanes > 0 ? config->lanes : 1,
                             .git = LOCKSTEP_GIT,
                             .image = import->dataset.image,
                             .classes = import->dataset.classes,
                             .class_names = import->class_names,
                             .instruction_set = "none",
                             .weight = import->weight,
                             .running = import->running,
                             .ema = config->optimizer.ema_decay > 0 ? import->weight : NULL,
                             .state = first_state(config)};
    memcpy(checkpoint.dataset, dataset_name(&import->dataset), sizeof checkpoint.dataset);
    if (config->optimizer.lookahead.every > 0)
        checkpoint.slow_running = import->running;
    checkpoint.n_slots = grouping->n_states;
    for (int i = 0; i < grouping->n_states; i++) {
        const GroupState *state = &grouping->state[i];
        checkpoint.slot_name[i] = state->name;
        checkpoint.slot_has[i] = state->has;
        checkpoint.slot[i] = state->slot == SLOT_SLOW ? import->weight : import->zeros;
    }
    return checkpoint;
}

static void free_import(Import *import) {
    free(import->class_names);
    free(import->text);
    free(import->running);
    free(import->zeros);
    free(import->weight);
    grouping_free(&import->grouping);
    model_free(&import->model);
    dataset_free(&import->dataset);
    free(import->config);
}

Status import_weights(const char *config, const char *weights, const char *folder, const char *data,
                      FILE *out) {
    Import import = {0};
    Status status = open_import(&import, config, weights, data);
    if (status == ST_OK && mkdir(folder, 0777) != 0 && errno != EEXIST)
        status = FAIL(ST_CHECKPOINT, "%s cannot be made: %s", folder, strerror(errno));
    if (status == ST_OK) {
        Checkpoint checkpoint = checkpoint_of(&import);
        status = checkpoint_write(folder, &checkpoint, NULL, NULL);
    }
    if (status == ST_OK)
        fprintf(out, "%s/step-00000000.h5\n", folder);
    free_import(&import);
    return status;
}
