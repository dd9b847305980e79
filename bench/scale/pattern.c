/* pattern: what the trainer's ranks say to each other in a step, as timeline.h describes it.
 *
 * The recipe is read, the model parsed and the gradient cut into buckets by the trainer's own
 * functions, so that the simulation follows when they change.
 *
 *     build/bench/scale/pattern configs/resnet9.yaml [--reduction NAME] [--bucket-bytes N] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/engine.h"
#include "../../src/engine/grad_sum.h"
#include "lockstep/dataset.h"
#include "lockstep/log.h"

/* The first bucket that is complete once gradient elements [begin, flat) are, as step.c has it. */
static int first_complete(const GradSum *sum, int64_t begin) {
    int bucket = sum->buckets;
    while (bucket > 0 && sum->begin[bucket - 1] >= begin)
        bucket--;
    return bucket;
}

static void print_layers(const Model *model, const GradSum *sum) {
    for (int i = 0; i < model->n_layers; i++) {
        const Layer *layer = &model->layers[i];
        int64_t work = layer_multiply_adds(layer);
        int64_t back =
            layer->input[0] == LAYER_IMAGE ? work : 2 * work; /* no gradient of the image */
        int ready = -1;
        for (int v = model->n_params - 1; v >= 0; v--) {
            if (model->params[v].layer == i)
                ready = first_complete(sum, model->params[v].offset);
        }
        printf("layer %s %" PRId64 " %" PRId64 " %" PRId64 " %d\n", layer->name, work, back,
               shape_count(layer->in[0]) + shape_count(layer->out), ready);
    }
}

/* Bytes of an element on its way. */
static int sent_bytes(const GradSum *sum) {
    return (int)(sum->exact && !sum->shifted ? sizeof(int64_t) : dtype_size(DT_F32));
}

/* Bytes of device memory an element, from the last sum to the next step: the optimizer reads the
 * sum, a weight and a slot, and writes both; what came as int32 is made int64 before. */
static int moved_bytes(const GradSum *sum) {
    return sum->shifted ? 4 + 8 + 8 + 16 : sent_bytes(sum) + 16;
}

static void print_messages(const GradSum *sum) {
    int bytes = sent_bytes(sum);
    bool one = bytes == sizeof(int64_t); /* the tail goes with bucket 0 */
    for (int b = sum->buckets - 1; b >= 0; b--) {
        int64_t tail = b == 0 && one ? sum->tail : 0;
        printf("message %d %" PRId64 " %d\n", b, sum->begin[b + 1] - sum->begin[b] + tail, bytes);
    }
    if (!one)
        printf("message 0 %" PRId64 " %zu\n", sum->tail, sizeof(int64_t));
}

static Status print_pattern(RunConfig *config, Model *model, GradSum *sum, Comm **comm,
                            Device **device) {
    Dataset dataset;
    dataset_cifar10(&dataset);
    TRY(comm_open_self(1, comm));
    TRY(model_parse(config->model, config->file, config->model_line, dataset.image, dataset.classes,
                    config->label_smoothing, model));
    TRY(device_open_ref(&(DeviceOptions){0}, device));
    TRY(grad_sum_open(sum, *comm, NULL, *device, model, config, NULL));
    const char *name = sum->shifted ? "exact32" : sum->exact ? "exact" : "native";
    printf("pattern %s %s %" PRId64 " %" PRId64 " %d %d\n", config->name, name, model->parameters,
           model->flat, sum->buckets, moved_bytes(sum));
    print_layers(model, sum);
    print_messages(sum);
    return ST_OK;
}

int main(int argc, char **argv) {
    Model model = {0};
    GradSum sum = {0};
    Comm *comm = NULL;
    Device *device = NULL;
    RunConfig *config = calloc(1, sizeof *config);
    if (!config)
        return ST_INTERNAL;
    Status status = config_load(argc - 1, argv + 1, config);
    if (status == ST_OK)
        status = print_pattern(config, &model, &sum, &comm, &device);
    if (status != ST_OK)
        log_fatal(-1, status_message());
    grad_sum_close(&sum);
    if (device)
        device->ops->close(device);
    model_free(&model);
    if (comm)
        comm_close(comm);
    free(config);
    return (int)status;
}
