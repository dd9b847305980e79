/* train: `lockstep train`, the command line. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lockstep/command.h"
#include "lockstep/log.h"
#include "lockstep/run.h"
#include "lockstep/session.h"
#include "lockstep/versions.h"

static void print_model(const RunConfig *config, const Model *model, const Grouping *grouping) {
    if (config->json) {
        model_describe_json(model, stdout);
        return;
    }
    model_describe(model, config->lanes > 0 ? config->batch_size / config->lanes : 1, stdout);
    grouping_describe(grouping, model, stdout);
    if (!config->data[0])
        printf("Assumed, as no data is named: images of %" PRId64 " x %" PRId64 " x %" PRId64
               " and %" PRId64 " classes.\n",
               model->image.c, model->image.h, model->image.w, model->classes);
}

/* The model for the data set that --data names; without, as it would be for CIFAR-10. */
static Status describe(const RunConfig *config) {
    Dataset dataset;
    Model model = {0};
    Grouping grouping = {0};
    Status status = ST_OK;
    dataset_cifar10(&dataset);
    if (config->data[0])
        status = input_dataset(config, &dataset);
    if (status == ST_OK)
        status = session_parse_model(config, &dataset, &model);
    if (status == ST_OK)
        status = session_parse_groups(config, &model, &grouping);
    if (status == ST_OK)
        print_model(config, &model, &grouping);
    grouping_free(&grouping);
    model_free(&model);
    dataset_free(&dataset);
    return status;
}

/* Prints and exits, without MPI: --help, --dump-config, --describe. */
static Status print_only(const RunConfig *config) {
    if (config->help) {
        config_help(stdout);
        return ST_OK;
    }
    if (config->dump_config)
        return config_dump(config, stdout);
    return describe(config);
}

static Status train_recorded(RunConfig *config, Status status) {
    char libraries[256];
    versions_line(libraries, sizeof libraries);
    return train(config, status, libraries);
}

Status train_command(int argc, char **argv) {
    RunConfig *config = calloc(1, sizeof *config);
    TRY_ALLOC(config);
    Status status = config_load(argc - 1, argv + 1, config);
    if (status == ST_OK && config->json && !config->describe)
        status = FAIL(ST_USAGE, "--json goes with --describe");
    bool only_prints = config->help || config->dump_config || config->describe;
    if (status != ST_OK || !only_prints)
        return train_recorded(config, status);
    status = print_only(config);
    if (status != ST_OK)
        log_fatal(-1, status_message());
    free(config);
    return status;
}
