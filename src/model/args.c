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
    const LayerArg *arg;
    for (; n < WORDS_MAX && (arg = layer_arg(type, n)); n++)
        names[n] = arg->key;
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
    case ARG_OUTPUTS:
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
    ParseResult result = PARSE_OK;
    if (arg->type == ARG_OUTPUTS && strcmp(value, "classes") == 0) {
        number = (double)parser->model->classes;
    } else if (arg->type == ARG_REAL) {
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
    const LayerArg *arg;
    for (*index = 0; (arg = layer_arg(type, *index)); (*index)++) {
        if (strcmp(arg->key, key) == 0)
            return arg;
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

/* What a line gives must be of use with what holds for its layer. */
static Status check_used(const Parser *parser, const Layer *layer, uint64_t seen) {
    const LayerType *type = layer_type(layer->kind);
    const LayerArg *arg;
    for (int bit = 0; (arg = layer_arg(type, bit)); bit++) {
        if ((seen >> bit & 1) == 0 || layer_arg_is_used(layer, arg))
            continue;
        if (arg->offset == offsetof(Layer, init.bias))
            return FAIL_AT(parser, layer->line, "%s: '%s' has no meaning without a bias",
                           type->name, arg->key);
        return FAIL_AT(parser, layer->line, "%s: '%s' has no meaning with init=%s", type->name,
                       arg->key, init_name(layer->init.weight));
    }
    return ST_OK;
}

/* What the line must have and has not; `given` has a bit for each argument that is given. */
static Status check_given(const Parser *parser, const Layer *layer, uint64_t given) {
    const LayerType *type = layer_type(layer->kind);
    const LayerArg *arg;
    for (int bit = 0; (arg = layer_arg(type, bit)); bit++) {
        if (arg->absent == ABSENT_REFUSED && (given >> bit & 1) == 0) {
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
        const LayerType *type = layer_type((LayerKind)kind);
        Layer *layer = &parser->defaults[kind].layer;
        const LayerArg *arg;
        layer->kind = (LayerKind)kind;
        for (int i = 0; (arg = layer_arg(type, i)); i++) {
            bool follows = arg->absent == ABSENT_LABEL_SMOOTHING;
            store_arg(arg, layer, follows ? smoothing : layer_arg_default(type->init, arg));
        }
    }
    return ST_OK;
}

/* The words behind `default` or `default KIND`, from word[first] on, for one kind. */
static Status read_default(Parser *parser, int kind, int number, Line *line, int first) {
    Defaults *defaults = &parser->defaults[kind];
    uint64_t seen = 0;
    defaults->layer.line = number;
    for (int i = first; i < line->n_words; i++)
        TRY(read_word(parser, &defaults->layer, NO_LAYER, line->word[i], &seen));
    defaults->given |= seen;
    /* Whether there is a bias, and how it begins, layers say one by one. */
    const LayerArg *arg;
    for (int bit = 0; (arg = layer_arg(layer_type((LayerKind)kind), bit)); bit++) {
        if (arg->offset == offsetof(Layer, init.bias))
            seen &= ~(UINT64_C(1) << bit);
    }
    return check_used(parser, &defaults->layer, seen);
}

/* Whether the word is an argument that several kinds have: init=... */
static bool is_weight_arg(const char *word) {
    size_t length = strcspn(word, "=");
    const LayerArg *arg = layer_init_weight.args;
    while (arg->key && (strncmp(arg->key, word, length) != 0 || arg->key[length] != '\0'))
        arg++;
    return arg->key;
}

/* `default init=...`: of all kinds whose weight sums are made of. */
static Status read_weight_default(Parser *parser, int number, const Line *line) {
    for (int i = 1; i < line->n_words; i++) {
        if (!is_weight_arg(line->word[i])) {
            return FAIL_AT(parser, number,
                           "'%s' is not for all weights: name a kind, as in 'default conv %s'",
                           line->word[i], line->word[i]);
        }
    }
    for (int kind = 0; kind < LAYER_KINDS; kind++) {
        Line copy = *line; /* reading cuts words in two */
        for (int i = 0; i < line->n_words; i++)
            copy.word[i] = copy.text + (line->word[i] - line->text);
        if (layer_type((LayerKind)kind)->init == &layer_init_weight)
            TRY(read_default(parser, kind, number, &copy, 1));
    }
    return ST_OK;
}

Status text_read_default(Parser *parser, int number, Line *line) {
    int kind;
    if (line->n_words > 1 && is_weight_arg(line->word[1]))
        return read_weight_default(parser, number, line);
    if (line->n_words < 3) {
        return FAIL_AT(parser, number,
                       "default wants a kind of layer and arguments: default bn eps=0.001");
    }
    TRY(text_find_kind(parser, number, line->word[1], &kind));
    return read_default(parser, kind, number, line, 2);
}

Status text_read_args(const Parser *parser, int self, Line *line) {
    Layer *layer = &parser->model->layers[self];
    const Defaults *defaults = &parser->defaults[layer->kind];
    uint64_t seen = 0;
    layer->args = defaults->layer.args;
    layer->init = defaults->layer.init;
    layer->n_in = 1;
    layer->input[0] = self > 0 ? self - 1 : LAYER_IMAGE;
    for (int i = 1; line && i < line->n_words; i++)
        TRY(read_word(parser, layer, self, line->word[i], &seen));
    TRY(check_given(parser, layer, seen | defaults->given));
    return check_used(parser, layer, seen);
}
