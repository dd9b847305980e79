/* parser: what the files that read model text share: text.c (shapes, the whole), unroll.c (which
 * layers there are), args.c (what stands behind a layer's kind), names.c (what layers are called),
 * line.c (words). Private to src/model. Lines count from 1 in the model text. */
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

/* First words of lines that are no layers. */
typedef enum Keyword { KEYWORD_REPEAT, KEYWORD_END, KEYWORD_DEFAULT, KEYWORDS } Keyword;

enum { ITEM_DEFAULT = -1 };

/* What a line of the unrolled text says: a layer, or defaults for those below it. */
typedef struct Item {
    const char *at; /* the line, in the caller's text; NULL: a layer that text does not spell out */
    int line;
    int layer; /* its index, or ITEM_DEFAULT */
} Item;

/* What holds for the layers of a kind that do not say otherwise. */
typedef struct Defaults {
    Layer layer;    /* the kind, and its arguments */
    uint64_t given; /* bit i: text gave the kind's argument i */
} Defaults;

typedef struct Parser {
    const char *source;
    int first_line;
    Model *model;
    Item *items; /* [n_items] */
    int n_items;
    Defaults *defaults; /* [LAYER_KINDS] */
} Parser;

/* A line's number in the source. */
static inline int text_line(const Parser *parser, int line) {
    return parser->first_line + line - 1;
}

/* ST_USAGE with source and number of a line. */
#define FAIL_AT(parser, line, format, ...)                                                         \
    FAIL(ST_USAGE, "%s:%d: " format, (parser)->source, text_line(parser, line), ##__VA_ARGS__)

/* Copies the line at `at` up to its comment and cuts it into words. */
Status text_cut_line(const Parser *parser, const char *at, int number, Line *line);

/* First pass: fills model->layers with kind, line and name, and items. */
Status text_unroll(Parser *parser, const char *text);

/* The keyword that `word` is, or KEYWORDS. */
Keyword text_keyword(const char *word);

/* The layer kind called `word`: *kind. ST_USAGE with the nearest one, or all there are. */
Status text_find_kind(const Parser *parser, int number, const char *word, int *kind);

/* Whether a layer can be called so. */
bool text_is_label(const char *text);

/* The NULL-ended names with commas between, for a message. */
void text_list_names(const char *const *names, char list[NAMES_MAX_BYTES]);

/* ST_USAGE where two layers have one name, or a layer behind a repeat that of some in it. */
Status text_check_names(const Parser *parser);

/* The last layer above layer `self` that goes by `name`: *input. ST_USAGE where none does. In a
 * repeat, layers that go by `x` are called x.1, x.2 ... */
Status text_find_input(const Parser *parser, int self, const char *name, int *input);

/* parser->defaults as the kinds have them; `smoothing` is what losses without a word of it have. */
Status text_start_defaults(Parser *parser, double smoothing);

/* A line `default KIND key=value...`, or `default init=...` for all kinds with such a weight. */
Status text_read_default(Parser *parser, int number, Line *line);

/* Inputs and arguments of layer `self` from its line; `line` NULL: a layer that the text does not
 * spell out. */
Status text_read_args(const Parser *parser, int self, Line *line);

#endif
