/* Model text -> layers. Two passes: the first finds the lines, their kinds and names, so that the
 * second, which reads arguments (args.c) and infers shapes, can say of any name whether it stands
 * above, below or nowhere. Every error names source and line. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/parse.h"
#include "parser.h"
#include "views.h"

enum { LAYERS_MAX = 4096 };

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

static const char *line_end(const char *at) {
    return at + strcspn(at, "\n");
}

/* Copies one line up to its comment and cuts it into words. */
static Status cut_line(const Parser *parser, const char *at, int number, Line *line) {
    size_t length = strcspn(at, "#\n");
    line->n_words = 0;
    line->label = NULL;
    if (length >= sizeof line->text)
        return FAIL_AT(parser, number, "the line has more than %d characters", LINE_MAX_BYTES - 1);
    memcpy(line->text, at, length);
    line->text[length] = '\0';
    for (char *c = line->text; *c != '\0';) {
        if (is_blank(*c)) {
            *c++ = '\0';
            continue;
        }
        if (line->n_words == WORDS_MAX)
            return FAIL_AT(parser, number, "the line has more than %d words", WORDS_MAX);
        line->word[line->n_words++] = c;
        while (*c != '\0' && !is_blank(*c)) {
            if (!isprint((unsigned char)*c))
                return FAIL_AT(parser, number, "byte 0x%02x is not text", (unsigned char)*c);
            c++;
        }
    }
    if (line->n_words == 0)
        return ST_OK;
    char *colon = strchr(line->word[0], ':');
    if (!colon)
        return ST_OK;
    if (colon[1] != '\0')
        return FAIL_AT(parser, number, "put a blank after the colon of the label '%s'",
                       line->word[0]);
    *colon = '\0';
    line->label = line->word[0];
    line->n_words--;
    memmove(line->word, line->word + 1, (size_t)line->n_words * sizeof line->word[0]);
    return ST_OK;
}

static Status unknown_kind(const Parser *parser, int number, const char *word) {
    const char *names[LAYER_KINDS + 1] = {NULL};
    for (int kind = 0; kind < LAYER_KINDS; kind++)
        names[kind] = layer_type((LayerKind)kind)->name;
    const char *near = nearest_name(word, names);
    if (near)
        return FAIL_AT(parser, number, "no layer is called '%s'; did you mean '%s'?", word, near);
    char list[NAMES_MAX_BYTES];
    text_list_names(names, list);
    return FAIL_AT(parser, number, "no layer is called '%s'; there are %s", word, list);
}

/* First pass, one line: kind and name of a new layer. */
static Status name_layer(const Parser *parser, Line *line, int number, int *ordinals) {
    Model *model = parser->model;
    Layer *layer = &model->layers[model->n_layers];
    if (line->n_words == 0)
        return FAIL_AT(parser, number, "the label '%s' has no layer behind it", line->label);
    if (model->n_layers == LAYERS_MAX)
        return FAIL_AT(parser, number, "the model has more than %d layers", LAYERS_MAX);
    int kind = layer_kind_of(line->word[0]);
    if (kind < 0)
        return unknown_kind(parser, number, line->word[0]);
    if (line->label && !text_is_label(line->label)) {
        return FAIL_AT(parser, number,
                       "'%s' cannot be a label: use a letter, then letters, digits, _ and -, %d "
                       "at most, and not 'image'",
                       line->label, LAYER_NAME_MAX - 1);
    }
    layer->kind = (LayerKind)kind;
    layer->line = number;
    ordinals[kind]++;
    if (line->label)
        snprintf(layer->name, sizeof layer->name, "%s", line->label);
    else
        snprintf(layer->name, sizeof layer->name, "%s%d", line->word[0], ordinals[kind]);
    model->n_layers++;
    return ST_OK;
}

/* Where the text does not end with a loss, the usual one follows. */
static void append_loss(Model *model, const int *ordinals) {
    const Layer *last = &model->layers[model->n_layers - 1];
    Layer *loss = &model->layers[model->n_layers];
    int kind = 0;
    if (layer_type(last->kind)->is_loss)
        return;
    while (!layer_type((LayerKind)kind)->is_loss)
        kind++;
    loss->kind = (LayerKind)kind;
    loss->line = last->line;
    snprintf(loss->name, sizeof loss->name, "%s%d", layer_type(loss->kind)->name,
             ordinals[kind] + 1);
    model->n_layers++;
}

/* First pass: layers with kind, line and name. */
static Status read_kinds(Parser *parser, const char *text) {
    Model *model = parser->model;
    int ordinals[LAYER_KINDS] = {0};
    int number = 1;
    for (const char *at = text;; at = line_end(at) + 1, number++) {
        Line line;
        TRY(cut_line(parser, at, number, &line));
        if (line.n_words > 0 || line.label) {
            parser->args_of[model->n_layers] = at;
            TRY(name_layer(parser, &line, number, ordinals));
        }
        if (*line_end(at) == '\0')
            break;
    }
    if (model->n_layers == 0)
        return FAIL_AT(parser, 1, "the model has no layers");
    append_loss(model, ordinals);
    return text_check_names(parser);
}

static Shape output_of(const Model *model, int layer) {
    return layer == LAYER_IMAGE ? model->image : model->layers[layer].out;
}

/* Second pass, one layer: arguments and shapes. */
static Status read_layer(const Parser *parser, int self) {
    Model *model = parser->model;
    Layer *layer = &model->layers[self];
    const LayerType *type = layer_type(layer->kind);
    Line line;
    bool spelt = parser->args_of[self] != NULL;
    if (spelt)
        TRY(cut_line(parser, parser->args_of[self], layer->line, &line));
    TRY(text_read_args(parser, self, spelt ? &line : NULL));
    for (int i = 0; i < layer->n_in; i++)
        layer->in[i] = output_of(model, layer->input[i]);
    if (type->is_loss && self != model->n_layers - 1) {
        return FAIL_AT(parser, layer->line, "%s must be the last layer, but line %d follows",
                       type->name, parser->first_line + layer[1].line - 1);
    }
    Status status = type->infer(layer);
    if (status != ST_OK) {
        status_prefix("%s:%d", parser->source, parser->first_line + layer->line - 1);
        return status;
    }
    /* Sides first: their product with the channels might not fit 64 bits. */
    if (layer->out.h * layer->out.w > MODEL_ELEMENTS_MAX ||
        shape_count(layer->out) > MODEL_ELEMENTS_MAX)
        return FAIL_AT(parser, layer->line, "the output has more than 2^31 elements an image");
    return ST_OK;
}

/* Second pass, in text order. */
static Status read_layers(const Parser *parser) {
    for (int i = 0; i < parser->model->n_layers; i++)
        TRY(read_layer(parser, i));
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
                       " classes: end it with 'linear c=%" PRId64 "', or more",
                       loss->in[0].c, model->classes, model->classes);
    }
    return ST_OK;
}

static size_t count_lines(const char *text) {
    size_t lines = 1;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

Status model_parse(const char *text, const char *source, int first_line, Shape image,
                   int64_t classes, double smoothing, Model *model) {
    Parser parser = {source, first_line, smoothing, model, NULL};
    size_t most = count_lines(text) + 1; /* one for softmax_ce */
    Status status = ST_OK;
    memset(model, 0, sizeof *model);
    model->image = image;
    model->classes = classes;
    model->layers = calloc(most, sizeof *model->layers);
    parser.args_of = calloc(most, sizeof *parser.args_of);
    if (!model->layers || !parser.args_of)
        TRY_DONE(FAIL(ST_INTERNAL, "out of memory"));
    TRY_DONE(read_kinds(&parser, text));
    TRY_DONE(read_layers(&parser));
    TRY_DONE(check_graph(&parser));
    status = model_make_views(model);
    if (status != ST_OK)
        status_prefix("%s", source);
done:
    free(parser.args_of);
    if (status != ST_OK)
        model_free(model);
    return status;
}
