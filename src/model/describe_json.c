/* --describe --json: the model as one JSON object, for tools that are not in C. Every argument is
 * there with its value, so that no tool needs to know a default. Nothing in a name has to be
 * escaped. */
#include <inttypes.h>
#include <stdlib.h>

#include "lockstep/model.h"

/* The shorter of two texts that read back to the same value. */
static void put_real(FILE *out, double value) {
    char text[32];
    snprintf(text, sizeof text, "%.15g", value);
    if (strtod(text, NULL) != value)
        snprintf(text, sizeof text, "%.17g", value);
    fputs(text, out);
}

static void put_shape(FILE *out, Shape shape) {
    fprintf(out, "[%" PRId64 ", %" PRId64 ", %" PRId64 "]", shape.c, shape.h, shape.w);
}

static void put_inputs(FILE *out, const Model *model, const Layer *layer) {
    fputs(", \"inputs\": [", out);
    for (int i = 0; i < layer->n_in; i++)
        fprintf(out, "%s\"%s\"", i > 0 ? ", " : "", model_layer_name(model, layer->input[i]));
    fputs("], \"in\": [", out);
    for (int i = 0; i < layer->n_in; i++) {
        fputs(i > 0 ? ", " : "", out);
        put_shape(out, layer->in[i]);
    }
    fputs("], \"out\": ", out);
    put_shape(out, layer->out);
}

static void put_args(FILE *out, const Layer *layer) {
    const char *comma = "";
    fputs(", \"args\": {", out);
    const LayerArg *arg;
    for (int i = 0; (arg = layer_arg(layer_type(layer->kind), i)); i++, comma = ", ") {
        double value = layer_arg_value(layer, arg);
        fprintf(out, "%s\"%s\": ", comma, arg->key);
        if (arg->type == ARG_FLAG)
            fputs(value != 0 ? "true" : "false", out);
        else if (arg->type == ARG_WORD)
            fprintf(out, "\"%s\"", arg->words[(int)value]);
        else
            put_real(out, value);
    }
    fputs("}", out);
}

/* The parameters, or running statistics, of layer `index`, which have these views. */
static void put_params(FILE *out, const char *key, const ParamView *views, int n, int index) {
    const char *comma = "";
    fprintf(out, ", \"%s\": [", key);
    for (int i = 0; i < n; i++) {
        const ParamSpec *spec = &views[i].spec;
        if (views[i].layer != index)
            continue;
        fprintf(out, "%s{\"name\": \"%s\", \"shape\": [", comma, views[i].name);
        for (int d = 0; d < spec->ndim; d++)
            fprintf(out, "%s%" PRId64, d > 0 ? ", " : "", spec->dim[d]);
        fprintf(out, "], \"decay\": %s, \"init\": \"%s\", \"init_arg\": ",
                spec->decay ? "true" : "false", init_name(spec->init));
        put_real(out, spec->init_arg);
        fputs("}", out);
        comma = ", ";
    }
    fputs("]", out);
}

static void put_layer(FILE *out, const Model *model, int index) {
    const Layer *layer = &model->layers[index];
    const LayerType *type = layer_type(layer->kind);
    fprintf(out, "  {\"name\": \"%s\", \"kind\": \"%s\", \"loss\": %s", layer->name, type->name,
            type->is_loss ? "true" : "false");
    put_inputs(out, model, layer);
    put_args(out, layer);
    put_params(out, "params", model->params, model->n_params, index);
    put_params(out, "running", model->running, model->n_running, index);
    fprintf(out, ", \"multiply_adds\": %" PRId64 "}", layer_multiply_adds(layer));
}

void model_describe_json(const Model *model, FILE *out) {
    fputs("{\"image\": ", out);
    put_shape(out, model->image);
    fprintf(out,
            ", \"classes\": %" PRId64 ", \"parameters\": %" PRId64 ", \"multiply_adds\": %" PRId64
            ", \"layers\": [\n",
            model->classes, model->parameters, model_multiply_adds(model));
    for (int i = 0; i < model->n_layers; i++) {
        put_layer(out, model, i);
        fputs(i + 1 < model->n_layers ? ",\n" : "\n]}\n", out);
    }
}
