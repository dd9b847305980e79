/* The flat order: every parameter, in model-text order, as a named range of one buffer. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "views.h"

/* Where `offset` rises to so that the next view is aligned. */
static int64_t align_up(int64_t offset) {
    return (offset + PARAM_ALIGN - 1) / PARAM_ALIGN * PARAM_ALIGN;
}

/* Appends one view to views[*n]; *flat is the end of the buffer so far. */
static void add_view(const Model *model, int layer, int which, const ParamSpec *spec,
                     ParamView *views, int *n, int64_t *flat) {
    ParamView *view = &views[(*n)++];
    view->layer = layer;
    view->which = which;
    view->spec = *spec;
    view->offset = *flat;
    view->count = param_count(spec);
    snprintf(view->name, sizeof view->name, "%s.%s", model->layers[layer].name, spec->role);
    *flat = align_up(view->offset + view->count);
}

Status model_make_views(Model *model) {
    /* One more than needed: calloc(0) may return NULL. */
    size_t layers = (size_t)model->n_layers;
    model->params = calloc(layers * LAYER_PARAMS_MAX + 1, sizeof *model->params);
    TRY_ALLOC(model->params);
    model->running = calloc(layers * LAYER_RUNNING_MAX + 1, sizeof *model->running);
    TRY_ALLOC(model->running);
    for (int i = 0; i < model->n_layers; i++) {
        const Layer *layer = &model->layers[i];
        for (int p = 0; p < layer->n_params; p++) {
            add_view(model, i, p, &layer->param[p], model->params, &model->n_params, &model->flat);
            model->parameters += param_count(&layer->param[p]);
        }
        for (int r = 0; r < layer->n_running; r++) {
            add_view(model, i, r, &layer->running[r], model->running, &model->n_running,
                     &model->running_flat);
        }
        if (model->flat > MODEL_ELEMENTS_MAX)
            return FAIL(ST_USAGE, "more than 2^31 parameters up to layer '%s'", layer->name);
    }
    return ST_OK;
}

void model_free(Model *model) {
    free(model->layers);
    free(model->params);
    free(model->running);
    free(model->class_weights);
    memset(model, 0, sizeof *model);
}

const char *model_layer_name(const Model *model, int layer) {
    return layer == LAYER_IMAGE ? "image" : model->layers[layer].name;
}

int64_t model_multiply_adds(const Model *model) {
    int64_t sum = 0;
    for (int i = 0; i < model->n_layers; i++)
        sum += layer_multiply_adds(&model->layers[i]);
    return sum;
}
