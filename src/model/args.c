/* The words behind a layer's kind: its arguments, their defaults, and from= and with=, the layers
 * it reads. */
#include <stdlib.h>
#include <string.h>

#include "lockstep/parse.h"
#include "parser.h"

/* Bits of `seen` that are no argument's of the table. */
enum { SEEN_FROM = 62, SEEN_WITH = 63 };

enum { NO_LAYER = -2 };

/* The word with=A,B...: the layers read behind the first one. */
static Status find_others(const Parser *parser, int self, char *names) {
    Layer *layer = &parser->model->layers[self];
    const LayerType *type = layer_type(layer->kind);
    for (char *name = names; name;) {
        char *comma = strchr(name, ',');
        if (comma)
            *comma++ = '\0';
        if (*name == '\0')
            return FAIL_AT(parser, layer->line, "'with' wants labels: with=LABEL or with=A,B");
        if (layer->n_in == type->max_inputs) {
            return FAIL_AT(parser, layer->line, "%s reads at most %d layers: '%s' is one too many",
                           type->name, type->max_inputs, name);
        }
        TRY(text_find_input(parser, self, name, &layer->input[layer->n_in]));
        layer->n_in++;
        name = comma;
    }
    return ST_OK;
}

static Status unknown_arg(const Parser *parser, const Layer *layer, const char *key) {
    const LayerType *type = layer_type(layer->kind);
    const char *names[WORDS_MAX + 3];
    int n = 0;
    for (const LayerArg *arg = type->args; arg->key && n < WORDS_MAX; arg++)
        names[n++] = arg->key;
    names[n++] = "from";
    if (type->max_inputs > 1)
        names[n++] = "with";
    names[n] = NULL;
    const char *near = nearest_name(key, names);
    if (near) {
        return FAIL_AT(parser, layer->line, "%s has no argument '%s'; did you mean '%s'?",
                       type->name, key, near);
    }
    char list[NAMES_MAX_BYTES];
    text_list_names(names, list);
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
    case ARG_WORD:
        *(int *)(void *)field = (int)value;
        break;
    }
}

/* One of the words that `arg` knows. */
static Status read_choice(const Parser *parser, Layer *layer, const LayerArg *arg,
                          const char *value) {
    const char *kind = layer_type(layer->kind)->name;
    for (int i = 0; arg->words[i]; i++) {
        if (strcmp(arg->words[i], value) == 0) {
            store_arg(arg, layer, i);
            return ST_OK;
        }
    }
    const char *near = nearest_name(value, arg->words);
    if (near) {
        return FAIL_AT(parser, layer->line, "%s: no '%s' is called '%s'; did you mean '%s'?", kind,
                       arg->key, value, near);
    }
    char list[NAMES_MAX_BYTES];
    text_list_names(arg->words, list);
    return FAIL_AT(parser, layer->line, "%s: no '%s' is called '%s'; there are %s", kind, arg->key,
                   value, list);
}

/* One `key=value` (value NULL: a bare key) for an argument of the table. */
static Status read_arg(const Parser *parser, Layer *layer, const LayerArg *arg, const char *value) {
    const char *kind = layer_type(layer->kind)->name;
    double number = 1;
    if (!value) {
        if (arg->type != ARG_FLAG)
            return FAIL_AT(parser, layer->line, "%s: '%s' wants a value: %s=%s", kind, arg->key,
                           arg->key, arg->type == ARG_WORD ? "WORD" : "NUMBER");
        store_arg(arg, layer, 1);
        return ST_OK;
    }
    if (arg->type == ARG_WORD)
        return read_choice(parser, layer, arg, value);
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
    for (*index = 0; type->args[*index].key; (*index)++) {
        if (strcmp(type->args[*index].key, key) == 0)
            return &type->args[*index];
    }
    return NULL;
}

/* The word from= or with= of layer `self`. */
static Status read_inputs(const Parser *parser, int self, const char *word, char *value) {
    Layer *layer = &parser->model->layers[self];
    if (!value || *value == '\0')
        return FAIL_AT(parser, layer->line, "'%s' wants a label: %s=LABEL", word, word);
    return strcmp(word, "from") == 0 ? text_find_input(parser, self, value, &layer->input[0])
                                     : find_others(parser, self, value);
}

/* One word behind the kind: an argument, or from= or with= of layer `self`; where `layer` is none
 * of the model but holds defaults, `self` is NO_LAYER. `seen` has a bit for each argument of the
 * table, and one each for from and with. */
static Status read_word(const Parser *parser, Layer *layer, int self, char *word, uint64_t *seen) {
    const LayerType *type = layer_type(layer->kind);
    char *value = strchr(word, '=');
    if (value)
        *value++ = '\0';
    int bit;
    const LayerArg *arg = find_arg(type, word, &bit);
    bool from = strcmp(word, "from") == 0;
    bool with = strcmp(word, "with") == 0 && type->max_inputs > 1;
    if (from || with)
        bit = from ? SEEN_FROM : SEEN_WITH;
    else if (!arg)
        return unknown_arg(parser, layer, word);
    if ((from || with) && self == NO_LAYER)
        return FAIL_AT(parser, layer->line, "'%s' has no default: it stands at a layer", word);
    if ((*seen >> bit & 1) != 0)
        return FAIL_AT(parser, layer->line, "'%s' is given twice", word);
    *seen |= UINT64_C(1) << bit;
    return from || with ? read_inputs(parser, self, word, value)
                        : read_arg(parser, layer, arg, value);
}

/* What the line must have and has not. */
static Status check_seen(const Parser *parser, const Layer *layer, uint64_t seen) {
    const LayerType *type = layer_type(layer->kind);
    for (int bit = 0; type->args[bit].key; bit++) {
        const LayerArg *arg = &type->args[bit];
        if (arg->absent == ABSENT_REFUSED && (seen >> bit & 1) == 0) {
            return FAIL_AT(parser, layer->line, "%s wants %s= (%s)", type->name, arg->key,
                           arg->help);
        }
    }
    if (layer->n_in < type->min_inputs) {
        return FAIL_AT(parser, layer->line, "%s reads %d layers: name %s by with=LABEL%s",
                       type->name, type->min_inputs,
                       type->min_inputs == 2 ? "the second" : "the others",
                       type->min_inputs == 2 ? "" : ",LABEL");
    }
    return ST_OK;
}

Status text_start_defaults(Parser *parser, double smoothing) {
    parser->defaults = calloc(LAYER_KINDS, sizeof *parser->defaults);
    TRY_ALLOC(parser->defaults);
    for (int kind = 0; kind < LAYER_KINDS; kind++) {
        Layer *layer = &parser->defaults[kind].layer;
        layer->kind = (LayerKind)kind;
        for (const LayerArg *arg = layer_type(layer->kind)->args; arg->key; arg++) {
            bool follows = arg->absent == ABSENT_LABEL_SMOOTHING;
            store_arg(arg, layer, follows ? smoothing : arg->otherwise);
        }
    }
    return ST_OK;
}

Status text_read_default(Parser *parser, int number, Line *line) {
    uint64_t seen = 0;
    int kind;
    if (line->n_words < 3) {
        return FAIL_AT(parser, number,
                       "default wants a kind of layer and arguments: default bn eps=0.001");
    }
    TRY(text_find_kind(parser, number, line->word[1], &kind));
    Defaults *defaults = &parser->defaults[kind];
    defaults->layer.line = number;
    for (int i = 2; i < line->n_words; i++)
        TRY(read_word(parser, &defaults->layer, NO_LAYER, line->word[i], &seen));
    defaults->given |= seen;
    return ST_OK;
}

Status text_read_args(const Parser *parser, int self, Line *line) {
    Layer *layer = &parser->model->layers[self];
    const Defaults *defaults = &parser->defaults[layer->kind];
    uint64_t seen = 0;
    layer->args = defaults->layer.args;
    layer->n_in = 1;
    layer->input[0] = self > 0 ? self - 1 : LAYER_IMAGE;
    for (int i = 1; line && i < line->n_words; i++)
        TRY(read_word(parser, layer, self, line->word[i], &seen));
    return check_seen(parser, layer, seen | defaults->given);
}
