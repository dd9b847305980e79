/* parser: what the files that read model text share: text.c (lines, shapes, the whole), args.c
 * (what stands behind a layer's kind), names.c (what layers are called). Private to src/model. */
#ifndef LOCKSTEP_MODEL_PARSER_H
#define LOCKSTEP_MODEL_PARSER_H

#include "lockstep/model.h"

enum { LINE_MAX_BYTES = 512, WORDS_MAX = 24, NAMES_MAX_BYTES = 1024 };

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
    /* [n_layers] where the words after the kind begin, in the caller's text; NULL for a layer that
     * the text does not spell out */
    const char **args_of;
} Parser;

/* ST_USAGE with source and number of a line, which counts from 1 in the model text. */
#define FAIL_AT(parser, line, format, ...)                                                         \
    FAIL(ST_USAGE, "%s:%d: " format, (parser)->source, (parser)->first_line + (line)-1,            \
         ##__VA_ARGS__)

/* Whether a layer can be called so. */
bool text_is_label(const char *text);

/* The NULL-ended names with commas between, for a message. */
void text_list_names(const char *const *names, char list[NAMES_MAX_BYTES]);

/* ST_USAGE where two layers have one name. */
Status text_check_names(const Parser *parser);

/* The layer above layer `self` that `name` stands for: *input. ST_USAGE where none does. */
Status text_find_input(const Parser *parser, int self, const char *name, int *input);

/* Inputs and arguments of layer `self` from its line; `line` NULL: a layer that the text does not
 * spell out. */
Status text_read_args(const Parser *parser, int self, Line *line);

#endif
