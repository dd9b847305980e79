/* Model text -> layers. Two passes: the first finds the lines, their kinds and names, so that the
 * second, which reads arguments and infers shapes, can say of any name whether it stands above,
 * below or nowhere. Every error names source and line. */
#include <ctype.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "lockstep/parse.h"
#include "views.h"

enum { LINE_MAX_BYTES = 512, WORDS_MAX = 24, LAYERS_MAX = 4096, IMAGE_INPUT = -1, NO_INPUT = -2 };

/* A line being read, cut into words in place. */
typedef struct Line {
    char text[LINE_MAX_BYTES];
    char *word[WORDS_MAX]; /* into text */
    int n_words;
    char *label; /* into text, NULL if none */
} Line;

typedef struct Parser {
    const char *source;
    int first_line;
    double smoothing;
    Model *model;
    const char **args_of; /* [n_layers] where the words after the kind begin, in the caller's text;
                             NULL for a layer that the text does not spell out */
} Parser;

#define FAIL_AT(parser, line, format, ...)                                                         \
    FAIL(ST_USAGE, "%s:%d: " format, (parser)->source, (parser)->first_line + (line)-1,            \
         ##__VA_ARGS__)

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
    if (colon == NULL)
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

static bool is_label(const char *text) {
    if (!isalpha((unsigned char)text[0]) && text[0] != '_')
        return false;
    for (const char *c = text; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
            return false;
    }
    return strlen(text) < LAYER_NAME_MAX && strcmp(text, "image") != 0;
}

static Status unknown_kind(const Parser *parser, int number, const char *word) {
    const char *names[LAYER_KINDS + 1] = {NULL};
    for (int kind = 0; kind < LAYER_KINDS; kind++)
        names[kind] = layer_type((LayerKind)kind)->name;
    const char *near = nearest_name(word, names);
    if (near != NULL)
        return FAIL_AT(parser, number, "no layer is called '%s'; did you mean '%s'?", word, near);
    char list[256] = "";
    for (int kind = 0; kind < LAYER_KINDS; kind++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", kind == 0 ? "" : ", ", names[kind]);
    }
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
    if (line->label != NULL && !is_label(line->label)) {
        return FAIL_AT(parser, number,
                       "'%s' cannot be a label: use a letter, then letters, digits, _ and -, %d "
                       "at most, and not 'image'",
                       line->label, LAYER_NAME_MAX - 1);
    }
    layer->kind = (LayerKind)kind;
    layer->line = number;
    ordinals[kind]++;
    if (line->label != NULL)
        snprintf(layer->name, sizeof layer->name, "%s", line->label);
    else
        snprintf(layer->name, sizeof layer->name, "%s%d", line->word[0], ordinals[kind]);
    model->n_layers++;
    return ST_OK;
}

static int find_layer(const Model *model, const char *name) {
    for (int i = 0; i < model->n_layers; i++) {
        if (strcmp(model->layers[i].name, name) == 0)
            return i;
    }
    return -1;
}

static Status check_names(const Parser *parser) {
    const Model *model = parser->model;
    for (int i = 0; i < model->n_layers; i++) {
        int first = find_layer(model, model->layers[i].name);
        if (first != i) {
            return FAIL_AT(parser, model->layers[i].line,
                           "the name '%s' is taken by line %d: choose another label",
                           model->layers[i].name,
                           parser->first_line + model->layers[first].line - 1);
        }
    }
    return ST_OK;
}

/* First pass: layers with kind, line and name. */
static Status read_kinds(Parser *parser, const char *text) {
    Model *model = parser->model;
    int ordinals[LAYER_KINDS] = {0};
    int number = 1;
    for (const char *at = text;; at = line_end(at) + 1, number++) {
        Line line;
        TRY(cut_line(parser, at, number, &line));
        if (line.n_words > 0 || line.label != NULL) {
            parser->args_of[model->n_layers] = at;
            TRY(name_layer(parser, &line, number, ordinals));
        }
        if (*line_end(at) == '\0')
            break;
    }
    if (model->n_layers == 0)
        return FAIL_AT(parser, 1, "the model has no layers");
    if (model->layers[model->n_layers - 1].kind != LAYER_SOFTMAX_CE) {
        Layer *loss = &model->layers[model->n_layers];
        loss->kind = LAYER_SOFTMAX_CE;
        loss->line = model->layers[model->n_layers - 1].line;
        snprintf(loss->name, sizeof loss->name, "softmax_ce%d", ordinals[LAYER_SOFTMAX_CE] + 1);
        model->n_layers++;
    }
    return check_names(parser);
}

/* The layer above layer `self` that `name` stands for. */
static Status find_input(const Parser *parser, int self, const char *name, int *input) {
    const Model *model = parser->model;
    int line = model->layers[self].line;
    if (strcmp(name, "image") == 0) {
        *input = IMAGE_INPUT;
        return ST_OK;
    }
    int found = find_layer(model, name);
    if (found >= self) {
        return FAIL_AT(parser, line, "'%s' stands in line %d: a layer reads only layers above it",
                       name, parser->first_line + model->layers[found].line - 1);
    }
    if (found >= 0) {
        *input = found;
        return ST_OK;
    }
    const char **names = calloc((size_t)self + 2, sizeof *names);
    TRY_ALLOC(names);
    for (int i = 0; i < self; i++)
        names[i] = model->layers[i].name;
    names[self] = "image";
    const char *near = nearest_name(name, names);
    Status status =
        near != NULL
            ? FAIL_AT(parser, line, "no layer above is called '%s'; did you mean '%s'?", name, near)
            : FAIL_AT(parser, line, "no layer above is called '%s': label one with '%s:'", name,
                      name);
    free(names);
    return status;
}

static Status unknown_arg(const Parser *parser, const Layer *layer, const char *key) {
    const LayerType *type = layer_type(layer->kind);
    const char *names[WORDS_MAX + 3];
    int n = 0;
    for (const LayerArg *arg = type->args; arg->key != NULL && n < WORDS_MAX; arg++)
        names[n++] = arg->key;
    names[n++] = "from";
    if (layer->kind == LAYER_ADD)
        names[n++] = "with";
    names[n] = NULL;
    const char *near = nearest_name(key, names);
    if (near != NULL) {
        return FAIL_AT(parser, layer->line, "%s has no argument '%s'; did you mean '%s'?",
                       type->name, key, near);
    }
    char list[256] = "";
    for (int i = 0; i < n; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : ", ", names[i]);
    }
    return FAIL_AT(parser, layer->line, "%s has no argument '%s'; it takes %s", type->name, key,
                   list);
}

/* Stores `value` where `arg` says. */
static void store_arg(const LayerArg *arg, Layer *layer, double value) {
    char *field = (char *)layer + arg->offset;
    switch (arg->type) {
    case ARG_INT:
        *(int64_t *)(void *)field = (int64_t)value;
        break;
    case ARG_REAL:
        *(double *)(void *)field = value;
        break;
    case ARG_FLAG:
        *(bool *)(void *)field = value != 0;
        break;
    }
}

/* One `key=value` (value NULL: a bare key) for an argument of the table. */
static Status read_arg(const Parser *parser, Layer *layer, const LayerArg *arg, const char *value) {
    const char *kind = layer_type(layer->kind)->name;
    double number = 1;
    if (value == NULL) {
        if (arg->type != ARG_FLAG)
            return FAIL_AT(parser, layer->line, "%s: '%s' wants a value: %s=NUMBER", kind, arg->key,
                           arg->key);
        store_arg(arg, layer, 1);
        return ST_OK;
    }
    ParseResult result;
    if (arg->type == ARG_REAL) {
        result = parse_real(value, &number);
    } else {
        int64_t whole = 0;
        result = parse_int(value, &whole);
        number = (double)whole;
    }
    if (result == PARSE_SYNTAX) {
        return FAIL_AT(parser, layer->line, "%s: '%s=%s' is not a %s", kind, arg->key, value,
                       arg->type == ARG_REAL ? "number" : "whole number");
    }
    if (result == PARSE_RANGE || number < arg->min || number > arg->max) {
        return FAIL_AT(parser, layer->line, "%s: '%s=%s' is out of bounds: %g to %g", kind,
                       arg->key, value, arg->min, arg->max);
    }
    store_arg(arg, layer, number);
    return ST_OK;
}

static const LayerArg *find_arg(const LayerType *type, const char *key, int *index) {
    for (*index = 0; type->args[*index].key != NULL; (*index)++) {
        if (strcmp(type->args[*index].key, key) == 0)
            return &type->args[*index];
    }
    return NULL;
}

/* One word behind the kind: an argument, from= or with=. `seen` has a bit for each argument of the
 * table, and one each for from and with. */
static Status read_word(const Parser *parser, int self, char *word, uint64_t *seen) {
    Layer *layer = &parser->model->layers[self];
    char *value = strchr(word, '=');
    if (value != NULL)
        *value++ = '\0';
    int bit;
    const LayerArg *arg = find_arg(layer_type(layer->kind), word, &bit);
    int *input = NULL;
    if (strcmp(word, "from") == 0) {
        bit = 62;
        input = &layer->input;
    } else if (strcmp(word, "with") == 0 && layer->kind == LAYER_ADD) {
        bit = 63;
        input = &layer->with;
    } else if (arg == NULL) {
        return unknown_arg(parser, layer, word);
    }
    if ((*seen >> bit & 1) != 0)
        return FAIL_AT(parser, layer->line, "'%s' is given twice", word);
    *seen |= UINT64_C(1) << bit;
    if (input == NULL)
        return read_arg(parser, layer, arg, value);
    if (value == NULL || *value == '\0')
        return FAIL_AT(parser, layer->line, "'%s' wants a label: %s=LABEL", word, word);
    return find_input(parser, self, value, input);
}

/* Second pass, one layer: inputs and arguments. */
static Status read_args(const Parser *parser, int self) {
    Layer *layer = &parser->model->layers[self];
    const LayerType *type = layer_type(layer->kind);
    uint64_t seen = 0;
    layer->input = self - 1; /* -1, the image, for the first */
    layer->with = NO_INPUT;
    for (const LayerArg *arg = type->args; arg->key != NULL; arg++)
        store_arg(arg, layer, arg->otherwise);
    if (layer->kind == LAYER_SOFTMAX_CE)
        layer->args.loss.smoothing = parser->smoothing;
    if (parser->args_of[self] == NULL)
        return ST_OK;
    Line line;
    TRY(cut_line(parser, parser->args_of[self], layer->line, &line));
    for (int i = 1; i < line.n_words; i++)
        TRY(read_word(parser, self, line.word[i], &seen));
    for (int bit = 0; type->args[bit].key != NULL; bit++) {
        if (type->args[bit].required && (seen >> bit & 1) == 0) {
            return FAIL_AT(parser, layer->line, "%s wants %s= (%s)", type->name,
                           type->args[bit].key, type->args[bit].help);
        }
    }
    if (layer->kind == LAYER_ADD && layer->with == NO_INPUT)
        return FAIL_AT(parser, layer->line, "add wants with=LABEL, the layer to be added");
    if (layer->with == layer->input) {
        return FAIL_AT(parser, layer->line,
                       "add reads the same layer twice: for twice its output use 'scale by=2'");
    }
    return ST_OK;
}

static Shape output_of(const Model *model, int layer) {
    return layer == IMAGE_INPUT ? model->image : model->layers[layer].out;
}

/* Second pass: arguments and shapes in text order. */
static Status read_layers(const Parser *parser) {
    Model *model = parser->model;
    for (int i = 0; i < model->n_layers; i++) {
        Layer *layer = &model->layers[i];
        Shape with = {0, 0, 0, 0};
        TRY(read_args(parser, i));
        layer->in = output_of(model, layer->input);
        if (layer->with != NO_INPUT)
            with = output_of(model, layer->with);
        if (layer->kind == LAYER_SOFTMAX_CE && i != model->n_layers - 1) {
            return FAIL_AT(parser, layer->line,
                           "softmax_ce must be the last layer, but line %d "
                           "follows",
                           parser->first_line + layer[1].line - 1);
        }
        Status status = layer_type(layer->kind)->infer(layer, with);
        if (status != ST_OK) {
            status_prefix("%s:%d", parser->source, parser->first_line + layer->line - 1);
            return status;
        }
        /* Sides first: their product with the channels might not fit 64 bits. */
        if (layer->out.h * layer->out.w > MODEL_ELEMENTS_MAX ||
            shape_count(layer->out) > MODEL_ELEMENTS_MAX)
            return FAIL_AT(parser, layer->line, "the output has more than 2^31 elements an image");
    }
    return ST_OK;
}

static bool is_read(const Model *model, int self) {
    for (int i = self + 1; i < model->n_layers; i++) {
        if (model->layers[i].input == self || model->layers[i].with == self)
            return true;
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
    if (loss->in.c < model->classes) {
        return FAIL_AT(parser, loss->line,
                       "the model gives %lld numbers an image, but the data set has %lld classes: "
                       "end it with 'linear c=%lld', or more",
                       (long long)loss->in.c, (long long)model->classes, (long long)model->classes);
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
    if (model->layers == NULL || parser.args_of == NULL)
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
