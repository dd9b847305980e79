/* The first pass over model text: from lines to layers with kind and name, `repeat N` ... `end`
 * unrolled.
 *
 * A round of a repeat must make a layer, and layers are counted: so neither time nor memory grows
 * beyond LAYERS_MAX times the text, whatever is nested. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/parse.h"
#include "parser.h"

enum { LAYERS_MAX = 4096, DEPTH_MAX = 8 };

/* A repeat that is open. */
typedef struct Repeat {
    const char *body; /* its first line */
    int body_line;
    int line; /* of the repeat */
    int64_t round, rounds;
    int layers_before; /* this round */
} Repeat;

/* Where the pass stands. */
typedef struct Unroll {
    Parser *parser;
    const char *next; /* the line that comes next */
    int next_line;
    Repeat open[DEPTH_MAX];
    int depth;
    int ordinals[LAYER_KINDS]; /* layers of each kind so far */
    int layers_room, items_room;
} Unroll;

/* `array` with room for one more element than it has; what is new is zero. NULL where memory ran
 * out: then `array` is as it was. */
static void *grown(void *array, int used, int *room, size_t size) {
    if (used < *room)
        return array;
    int more = *room > 0 ? 2 * *room : 64;
    char *bytes = realloc(array, (size_t)more * size);
    if (!bytes)
        return NULL;
    memset(bytes + (size_t)used * size, 0, (size_t)(more - used) * size);
    *room = more;
    return bytes;
}

static Status add_item(Unroll *unroll, Item item) {
    Parser *parser = unroll->parser;
    Item *items = grown(parser->items, parser->n_items, &unroll->items_room, sizeof item);
    TRY_ALLOC(items);
    parser->items = items;
    items[parser->n_items++] = item;
    return ST_OK;
}

static Status add_layer(Unroll *unroll, const char *at, int line, int kind, Layer **added) {
    Model *model = unroll->parser->model;
    if (model->n_layers == LAYERS_MAX)
        return FAIL_AT(unroll->parser, line, "the model has more than %d layers", LAYERS_MAX);
    Layer *layers = grown(model->layers, model->n_layers, &unroll->layers_room, sizeof *layers);
    TRY_ALLOC(layers);
    model->layers = layers;
    TRY(add_item(unroll, (Item){at, line, model->n_layers}));
    *added = &layers[model->n_layers++];
    (*added)->kind = (LayerKind)kind;
    (*added)->line = line;
    unroll->ordinals[kind]++;
    return ST_OK;
}

/* LABEL or, in repeats, LABEL.ROUND, LABEL.OUTER.INNER ... */
static Status name_labelled(const Unroll *unroll, const char *label, Layer *layer) {
    char name[LAYER_NAME_MAX + 24 * DEPTH_MAX];
    int used = snprintf(name, sizeof name, "%s", label);
    for (int i = 0; i < unroll->depth; i++)
        used += sprintf(name + used, ".%d", (int)unroll->open[i].round);
    if (used >= LAYER_NAME_MAX) {
        return FAIL_AT(unroll->parser, layer->line,
                       "the name '%s' has more than %d characters: choose a shorter label", name,
                       LAYER_NAME_MAX - 1);
    }
    memcpy(layer->name, name, (size_t)used + 1);
    return ST_OK;
}

/* A line that is a layer. */
static Status read_kind(Unroll *unroll, const char *at, int number, const Line *line) {
    const Parser *parser = unroll->parser;
    Layer *layer;
    int kind;
    if (line->n_words == 0)
        return FAIL_AT(parser, number, "the label '%s' has no layer behind it", line->label);
    TRY(text_find_kind(parser, number, line->word[0], &kind));
    if (line->label && !text_is_label(line->label)) {
        return FAIL_AT(parser, number,
                       "'%s' cannot be a label: use a letter, then letters, digits, _ and -, %d "
                       "at most, and not 'image'",
                       line->label, LAYER_NAME_MAX - 1);
    }
    TRY(add_layer(unroll, at, number, kind, &layer));
    if (line->label)
        return name_labelled(unroll, line->label, layer);
    snprintf(layer->name, sizeof layer->name, "%s%d", line->word[0], unroll->ordinals[kind]);
    return ST_OK;
}

static Status read_repeat(Unroll *unroll, int number, const Line *line) {
    const Parser *parser = unroll->parser;
    int64_t rounds = 0;
    if (unroll->depth == DEPTH_MAX)
        return FAIL_AT(parser, number, "more than %d repeats within each other", DEPTH_MAX);
    ParseResult result = line->n_words == 2 ? parse_int(line->word[1], &rounds) : PARSE_SYNTAX;
    if (result == PARSE_SYNTAX)
        return FAIL_AT(parser, number, "repeat wants a whole number, and nothing else: repeat 3");
    if (result == PARSE_RANGE || rounds < 1 || rounds > LAYERS_MAX) {
        return FAIL_AT(parser, number, "repeat: '%s' is out of bounds: 1 to %d", line->word[1],
                       LAYERS_MAX);
    }
    unroll->open[unroll->depth++] = (Repeat){.body = unroll->next,
                                             .body_line = unroll->next_line,
                                             .line = number,
                                             .round = 1,
                                             .rounds = rounds,
                                             .layers_before = parser->model->n_layers};
    return ST_OK;
}

static Status read_end(Unroll *unroll, int number, const Line *line) {
    const Parser *parser = unroll->parser;
    if (line->n_words > 1)
        return FAIL_AT(parser, number, "end stands alone, not before '%s'", line->word[1]);
    if (unroll->depth == 0)
        return FAIL_AT(parser, number, "end, but no repeat is open above it");
    Repeat *repeat = &unroll->open[unroll->depth - 1];
    if (parser->model->n_layers == repeat->layers_before) {
        return FAIL_AT(parser, number, "no layer stands between this end and the repeat of line %d",
                       text_line(parser, repeat->line));
    }
    if (repeat->round == repeat->rounds) {
        unroll->depth--;
        return ST_OK;
    }
    repeat->round++;
    repeat->layers_before = parser->model->n_layers;
    unroll->next = repeat->body;
    unroll->next_line = repeat->body_line;
    return ST_OK;
}

/* `default ...` is read in the second pass (args.c). */
static Status note_default(Unroll *unroll, const char *at, int number) {
    if (unroll->depth > 0) {
        return FAIL_AT(unroll->parser, number,
                       "default stands outside of repeats: put it above line %d",
                       text_line(unroll->parser, unroll->open[0].line));
    }
    return add_item(unroll, (Item){at, number, ITEM_DEFAULT});
}

static Status read_line(Unroll *unroll, const char *at, int number) {
    Line line;
    TRY(text_cut_line(unroll->parser, at, number, &line));
    if (line.n_words == 0 && !line.label)
        return ST_OK;
    Keyword keyword = line.n_words > 0 ? text_keyword(line.word[0]) : KEYWORDS;
    if (keyword == KEYWORDS)
        return read_kind(unroll, at, number, &line);
    if (line.label)
        return FAIL_AT(unroll->parser, number, "%s is no layer and takes no label", line.word[0]);
    switch (keyword) {
    case KEYWORD_REPEAT:
        return read_repeat(unroll, number, &line);
    case KEYWORD_END:
        return read_end(unroll, number, &line);
    default:
        return note_default(unroll, at, number);
    }
}

/* Where the text does not end with a loss, the usual one follows. */
static Status append_loss(Unroll *unroll) {
    const Model *model = unroll->parser->model;
    const Layer *last = &model->layers[model->n_layers - 1];
    Layer *loss;
    int kind = 0;
    if (layer_type(last->kind)->is_loss)
        return ST_OK;
    while (!layer_type((LayerKind)kind)->is_loss)
        kind++;
    TRY(add_layer(unroll, NULL, last->line, kind, &loss));
    snprintf(loss->name, sizeof loss->name, "%s%d", layer_type(loss->kind)->name,
             unroll->ordinals[kind]);
    return ST_OK;
}

Status text_unroll(Parser *parser, const char *text) {
    Unroll unroll = {.parser = parser, .next = text, .next_line = 1};
    while (unroll.next) {
        const char *at = unroll.next;
        int number = unroll.next_line++;
        const char *end = at + strcspn(at, "\n");
        unroll.next = *end == '\0' ? NULL : end + 1;
        TRY(read_line(&unroll, at, number));
    }
    if (unroll.depth > 0)
        return FAIL_AT(parser, unroll.open[unroll.depth - 1].line,
                       "this repeat has no end: close it with a line 'end'");
    if (parser->model->n_layers == 0)
        return FAIL_AT(parser, 1, "the model has no layers");
    TRY(append_loss(&unroll));
    return text_check_names(parser);
}
