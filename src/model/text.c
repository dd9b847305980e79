/* Model text -> layers. Two passes: the first (unroll.c) finds the layers, their kinds and names,
 * so that the second, which reads arguments (args.c) and infers shapes, can say of any name whether
 * it stands above, below or nowhere. Every error names source and line. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "parser.h"
#include "views.h"

static Shape output_of(const Model *model, int layer) {
    return layer == LAYER_IMAGE ? model->image : model->layers[layer].out;
}

/* Second pass, one layer: arguments and shapes. */
static Status read_layer(const Parser *parser, const Item *item) {
    Model *model = parser->model;
    int self = item->layer;
    Layer *layer = &model->layers[self];
    const LayerType *type = layer_type(layer->kind);
    Line line;
    if (item->at)
        TRY(text_cut_line(parser, item->at, item->line, &line));
    TRY(text_read_args(parser, self, item->at ? &line : NULL));
    for (int i = 0; i < layer->n_in; i++)
        layer->in[i] = output_of(model, layer->input[i]);
    if (type->is_loss && self != model->n_layers - 1) {
        return FAIL_AT(parser, layer->line, "%s must be the last layer, but line %d follows",
                       type->name, text_line(parser, layer[1].line));
    }
    Status status = type->infer(layer);
    if (status == ST_OK)
        status = layer_check_init(layer);
    if (status != ST_OK) {
        status_prefix("%s:%d", parser->source, text_line(parser, layer->line));
        return status;
    }
    /* Sides first: their product with the channels might not fit 64 bits. */
    if (layer->out.h * layer->out.w > MODEL_ELEMENTS_MAX ||
        shape_count(layer->out) > MODEL_ELEMENTS_MAX)
        return FAIL_AT(parser, layer->line, "the output has more than 2^31 elements an image");
    return ST_OK;
}

/* Second pass, in the order of the unrolled text. */
static Status read_items(Parser *parser) {
    for (int i = 0; i < parser->n_items; i++) {
        const Item *item = &parser->items[i];
        Line line;
        if (item->layer != ITEM_DEFAULT) {
            TRY(read_layer(parser, item));
            continue;
        }
        TRY(text_cut_line(parser, item->at, item->line, &line));
        TRY(text_read_default(parser, item->line, &line));
    }
    return ST_OK;
}

static bool is_read(const Model *model, int layer) {
    for (int i = layer + 1; i < model->n_layers; i++) {
        for (int k = 0; k < model->layers[i].n_in; k++) {
            if (model->layers[i].input[k] == layer)
                return true;
        }
    }
    return false;
}

/* What can only be said of the whole: no output is left unread, and the logits fit the classes. */
static Status check_graph(const Parser *parser) {
    const Model *model = parser->model;
    const Layer *loss = &model->layers[model->n_layers - 1];
    for (int i = 0; i < model->n_layers - 1; i++) {
        if (!is_read(model, i)) {
            return FAIL_AT(parser, model->layers[i].line,
                           "no layer reads the output of '%s': remove it, or read it with from= "
                           "or with=",
                           model->layers[i].name);
        }
    }
    if (loss->in[0].c < model->classes) {
        return FAIL_AT(parser, loss->line,
                       "the model gives %" PRId64 " numbers an image, but the data set has %" PRId64
                       " classes: end it with 'linear c=classes', or more outputs",
                       loss->in[0].c, model->classes);
    }
    return ST_OK;
}

Status model_parse(const char *text, const char *source, int first_line, Shape image,
                   int64_t classes, double smoothing, Model *model) {
    Parser parser = {.source = source, .first_line = first_line, .model = model};
    Status status = ST_OK;
    memset(model, 0, sizeof *model);
    model->image = image;
    model->classes = classes;
    TRY_DONE(text_start_defaults(&parser, smoothing));
    TRY_DONE(text_unroll(&parser, text));
    TRY_DONE(read_items(&parser));
    TRY_DONE(check_graph(&parser));
    status = model_make_views(model);
    if (status != ST_OK)
        status_prefix("%s", source);
done:
    free(parser.items);
    free(parser.defaults);
    if (status != ST_OK)
        model_free(model);
    return status;
}
