/* Model text: any bytes are parsed or refused with a message; a model that was parsed is a graph
 * without gaps, whose parts agree with each other. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/model.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INIT_MAX = 1 << 20 };

static void check_graph(const Model *model) {
    for (int i = 0; i < model->n_layers; i++) {
        const Layer *layer = &model->layers[i];
        const LayerType *type = layer_type(layer->kind);
        MUST(layer->n_in >= type->min_inputs && layer->n_in <= type->max_inputs);
        for (int k = 0; k < layer->n_in; k++)
            MUST(layer->input[k] >= LAYER_IMAGE && layer->input[k] < i &&
                 shape_count(layer->in[k]) > 0);
        MUST(shape_count(layer->out) > 0);
        MUST(type->is_loss == (i == model->n_layers - 1));
        MUST(layer_multiply_adds(layer) >= 0);
    }
    MUST(model_multiply_adds(model) >= 0);
    MUST(model->layers[model->n_layers - 1].in[0].c >= model->classes);
}

static void check_views(const ParamView *views, int n, int64_t flat) {
    int64_t end = 0;
    for (int i = 0; i < n; i++) {
        MUST(views[i].offset % PARAM_ALIGN == 0);
        MUST(views[i].offset >= end && views[i].offset < end + PARAM_ALIGN);
        MUST(views[i].count > 0);
        end = views[i].offset + views[i].count;
    }
    MUST(flat % PARAM_ALIGN == 0 && flat >= end && flat < end + PARAM_ALIGN);
}

static void check_init(const Model *model) {
    if (model->flat > INIT_MAX || model->running_flat > INIT_MAX)
        return;
    float *weights = malloc((size_t)model->flat * sizeof *weights + 1);
    float *running = malloc((size_t)model->running_flat * sizeof *running + 1);
    MUST(weights && running);
    model_init(model, 1, weights, running);
    free(weights);
    free(running);
}

static void check_describe(const Model *model) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    MUST(out);
    model_describe(model, 1, out);
    fclose(out);
    MUST(length > 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Model model;
    Shape image = {1, 3, 32, 32};
    char *text = malloc(size + 1);
    MUST(text);
    memcpy(text, data, size);
    text[size] = '\0';
    if (model_parse(text, "fuzz", 1, image, 10, 0.1, &model) == ST_OK) {
        check_graph(&model);
        check_views(model.params, model.n_params, model.flat);
        check_views(model.running, model.n_running, model.running_flat);
        check_init(&model);
        check_describe(&model);
        model_free(&model);
    } else {
        MUST(strlen(status_message()) > 0);
    }
    status_clear();
    free(text);
    return 0;
}
