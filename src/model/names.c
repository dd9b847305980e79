/* Names of layers: what may be one, and which layer one stands for. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/parse.h"
#include "parser.h"

bool text_is_label(const char *text) {
    if (!isalpha((unsigned char)text[0]) && text[0] != '_')
        return false;
    for (const char *c = text; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
            return false;
    }
    return strlen(text) < LAYER_NAME_MAX && strcmp(text, "image") != 0;
}

void text_list_names(const char *const *names, char list[NAMES_MAX_BYTES]) {
    size_t used = 0;
    list[0] = '\0';
    for (int i = 0; names[i] && used < NAMES_MAX_BYTES; i++)
        used += (size_t)snprintf(list + used, NAMES_MAX_BYTES - used, "%s%s", i == 0 ? "" : ", ",
                                 names[i]);
}

static const char *const keywords[KEYWORDS + 1] = {
    [KEYWORD_REPEAT] = "repeat", [KEYWORD_END] = "end", [KEYWORD_DEFAULT] = "default"};

Keyword text_keyword(const char *word) {
    int keyword = 0;
    while (keyword < KEYWORDS && strcmp(keywords[keyword], word) != 0)
        keyword++;
    return (Keyword)keyword;
}

Status text_find_kind(const Parser *parser, int number, const char *word, int *kind) {
    const char *names[LAYER_KINDS + KEYWORDS + 1] = {NULL};
    *kind = layer_kind_of(word);
    if (*kind >= 0)
        return ST_OK;
    for (int k = 0; k < LAYER_KINDS; k++)
        names[k] = layer_type((LayerKind)k)->name;
    memcpy(names + LAYER_KINDS, keywords, sizeof keywords);
    const char *near = nearest_name(word, names);
    if (near)
        return FAIL_AT(parser, number, "no layer is called '%s'; did you mean '%s'?", word, near);
    names[LAYER_KINDS] = NULL;
    char list[NAMES_MAX_BYTES];
    text_list_names(names, list);
    return FAIL_AT(parser, number, "no layer is called '%s'; there are %s", word, list);
}

/* Whether the layer called `full` goes by `name`: x.2.1 by x, x.2 and x.2.1. */
static bool goes_by(const char *full, const char *name) {
    size_t length = strlen(name);
    return strncmp(full, name, length) == 0 && (full[length] == '\0' || full[length] == '.');
}

/* The last layer before `end` that goes by `name`, or -1. */
static int find_last(const Model *model, int end, const char *name) {
    int i = end - 1;
    while (i >= 0 && !goes_by(model->layers[i].name, name))
        i--;
    return i;
}

Status text_check_names(const Parser *parser) {
    const Model *model = parser->model;
    for (int i = 0; i < model->n_layers; i++) {
        int taken = find_last(model, i, model->layers[i].name);
        if (taken >= 0) {
            return FAIL_AT(parser, model->layers[i].line,
                           "the name '%s' is taken by line %d: choose another label",
                           model->layers[i].name, text_line(parser, model->layers[taken].line));
        }
    }
    return ST_OK;
}

Status text_find_input(const Parser *parser, int self, const char *name, int *input) {
    const Model *model = parser->model;
    int line = model->layers[self].line;
    if (strcmp(name, "image") == 0) {
        *input = LAYER_IMAGE;
        return ST_OK;
    }
    *input = find_last(model, self, name);
    if (*input >= 0)
        return ST_OK;
    int below = find_last(model, model->n_layers, name);
    if (below >= 0) {
        return FAIL_AT(parser, line, "'%s' stands in line %d: a layer reads only layers above it",
                       name, text_line(parser, model->layers[below].line));
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
