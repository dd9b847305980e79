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

static int find_layer(const Model *model, const char *name) {
    for (int i = 0; i < model->n_layers; i++) {
        if (strcmp(model->layers[i].name, name) == 0)
            return i;
    }
    return -1;
}

Status text_check_names(const Parser *parser) {
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

Status text_find_input(const Parser *parser, int self, const char *name, int *input) {
    const Model *model = parser->model;
    int line = model->layers[self].line;
    if (strcmp(name, "image") == 0) {
        *input = LAYER_IMAGE;
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
