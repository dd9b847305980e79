/* yaml_read: YAML -> pairs of key and value, by libyaml's events. What a configuration does not
 * need (several documents, aliases, tags, keys that are not plain text) is an error; a key or a
 * group given twice too. How deep keys nest is for `each` to say, which sees each group first. */
#include "yaml_read.h"

#include <string.h>
#include <yaml.h>

enum { PAIRS_MAX = 256, LIST_MAX = 16384 };

typedef struct Reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one, freed by next_event */
    bool has_event;
    const char *source;
    YamlPairFn each;
    void *context;
    int n_seen;
    struct {
        char key[OPTION_KEY_MAX];
        int line;
    } seen[PAIRS_MAX]; /* for keys given twice */
} Reader;

static int event_line(const Reader *reader) {
    return (int)reader->event.start_mark.line + 1;
}

#define FAIL_AT(reader, line, format, ...)                                                         \
    FAIL(ST_USAGE, "%s:%d: " format, (reader)->source, (line), ##__VA_ARGS__)

/* `!name`, `!!str`: what would make another value of the text. NULL: none. */
static const char *event_tag(const yaml_event_t *event) {
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return (const char *)event->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return (const char *)event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return (const char *)event->data.mapping_start.tag;
    default:
        return NULL;
    }
}

static Status next_event(Reader *reader) {
    if (reader->has_event)
        yaml_event_delete(&reader->event);
    reader->has_event = yaml_parser_parse(&reader->parser, &reader->event) != 0;
    if (!reader->has_event) {
        const yaml_parser_t *parser = &reader->parser;
        size_t line = parser->problem_mark.line > parser->context_mark.line
                          ? parser->problem_mark.line
                          : parser->context_mark.line;
        return FAIL_AT(reader, (int)line + 1, "not YAML: %s%s%s",
                       parser->context ? parser->context : "", parser->context ? ", " : "",
                       parser->problem ? parser->problem : "out of memory");
    }
    if (reader->event.type == YAML_ALIAS_EVENT)
        return FAIL_AT(reader, event_line(reader), "aliases (*name) are not understood here");
    const char *tag = event_tag(&reader->event);
    if (tag)
        return FAIL_AT(reader, event_line(reader), "tags (%.40s) are not understood here", tag);
    return ST_OK;
}

/* The text of a scalar event; NULL where it holds a zero byte. */
static const char *event_text(const Reader *reader) {
    const char *text = (const char *)reader->event.data.scalar.value;
    return strlen(text) == reader->event.data.scalar.length ? text : NULL;
}

static Status give(Reader *reader, const YamlPair *pair) {
    for (int i = 0; i < reader->n_seen; i++) {
        if (strcmp(reader->seen[i].key, pair->key) == 0)
            return FAIL_AT(reader, pair->line, "'%s' is given twice; the first is in line %d",
                           pair->key, reader->seen[i].line);
    }
    if (reader->n_seen == PAIRS_MAX)
        return FAIL_AT(reader, pair->line, "more than %d keys", PAIRS_MAX);
    strcpy(reader->seen[reader->n_seen].key, pair->key);
    reader->seen[reader->n_seen++].line = pair->line;
    return reader->each(reader->context, pair);
}

static Status append_item(Reader *reader, char list[LIST_MAX], char separator) {
    const char *text = event_text(reader);
    size_t used = strlen(list);
    if (!text || strpbrk(text, ",:"))
        return FAIL_AT(reader, event_line(reader), "a list holds numbers alone");
    if (used + strlen(text) + 2 > LIST_MAX)
        return FAIL_AT(reader, event_line(reader), "the list is too long");
    if (separator != '\0')
        list[used++] = separator;
    strcpy(list + used, text);
    return ST_OK;
}

/* [a, b] -> "a,b" and [[a, b], [c, d]] -> "a:b,c:d"; the event is the list's start. */
static Status read_list(Reader *reader, YamlPair *pair) {
    char list[LIST_MAX] = "";
    int depth = 1;
    bool first = true, first_inside = true;
    while (depth > 0) {
        TRY(next_event(reader));
        char separator = depth == 2 && !first_inside ? ':' : first ? '\0' : ',';
        switch (reader->event.type) {
        case YAML_SCALAR_EVENT:
            TRY(append_item(reader, list, separator));
            first = first_inside = false;
            break;
        case YAML_SEQUENCE_START_EVENT:
            if (++depth > 2)
                return FAIL_AT(reader, event_line(reader), "the lists are nested too deep");
            first_inside = true;
            break;
        case YAML_SEQUENCE_END_EVENT:
            if (depth-- == 2 && first_inside)
                return FAIL_AT(reader, event_line(reader), "an empty list inside a list");
            break;
        default:
            return FAIL_AT(reader, event_line(reader), "a list holds numbers alone");
        }
    }
    pair->value = list;
    pair->kind = YAML_LIST;
    return give(reader, pair);
}

static Status read_scalar(Reader *reader, YamlPair *pair) {
    yaml_scalar_style_t style = reader->event.data.scalar.style;
    bool block = style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE;
    pair->value = event_text(reader);
    pair->text_line = event_line(reader) + (block ? 1 : 0);
    if (!pair->value)
        return FAIL_AT(reader, pair->line, "the value of '%s' holds a zero byte", pair->key);
    bool plain = style == YAML_PLAIN_SCALAR_STYLE;
    pair->kind = plain && yaml_is_nothing(pair->value) ? YAML_NOTHING : YAML_VALUE;
    return give(reader, pair);
}

/* `prefix` and the key of the current event, joined by a dot, into pair->key. */
static Status read_key(Reader *reader, const char *prefix, YamlPair *pair) {
    const char *text = reader->event.type == YAML_SCALAR_EVENT ? event_text(reader) : NULL;
    pair->line = event_line(reader);
    if (!text)
        return FAIL_AT(reader, pair->line, "a key must be plain text");
    const char *dot = *prefix == '\0' ? "" : ".";
    if (strlen(prefix) + strlen(dot) + strlen(text) >= sizeof pair->key)
        return FAIL_AT(reader, pair->line, "the key '%.40s...' is too long", text);
    strcpy(pair->key, prefix);
    strcat(pair->key, dot);
    strcat(pair->key, text);
    return ST_OK;
}

static Status read_mapping(Reader *reader, const char *prefix);

/* Its own line first, so that an unknown one is refused by its name, empty or not. */
static Status read_group(Reader *reader, YamlPair *pair) {
    pair->value = NULL;
    pair->kind = YAML_GROUP;
    TRY(give(reader, pair));
    return read_mapping(reader, pair->key);
}

/* The event is a mapping's start; returns at its end. */
static Status read_mapping(Reader *reader, const char *prefix) {
    for (;;) {
        YamlPair pair;
        TRY(next_event(reader));
        if (reader->event.type == YAML_MAPPING_END_EVENT)
            return ST_OK;
        TRY(read_key(reader, prefix, &pair));
        TRY(next_event(reader));
        if (reader->event.type == YAML_MAPPING_START_EVENT)
            TRY(read_group(reader, &pair));
        else if (reader->event.type == YAML_SEQUENCE_START_EVENT)
            TRY(read_list(reader, &pair));
        else
            TRY(read_scalar(reader, &pair));
    }
}

static Status read_stream(Reader *reader) {
    TRY(next_event(reader)); /* stream start */
    TRY(next_event(reader));
    if (reader->event.type == YAML_STREAM_END_EVENT)
        return ST_OK;
    TRY(next_event(reader));
    bool empty = reader->event.type == YAML_SCALAR_EVENT && reader->event.data.scalar.length == 0;
    if (!empty && reader->event.type != YAML_MAPPING_START_EVENT)
        return FAIL_AT(reader, event_line(reader), "expected lines of the form 'key: value'");
    if (!empty)
        TRY(read_mapping(reader, ""));
    TRY(next_event(reader)); /* document end */
    TRY(next_event(reader));
    if (reader->event.type != YAML_STREAM_END_EVENT)
        return FAIL_AT(reader, event_line(reader), "a second document ('---') is not understood");
    return ST_OK;
}

bool yaml_is_nothing(const char *text) {
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i], text) == 0)
            return true;
    }
    return false;
}

Status yaml_read(const char *text, size_t length, const char *source, YamlPairFn each,
                 void *context) {
    Reader reader = {.source = source, .each = each, .context = context};
    if (yaml_parser_initialize(&reader.parser) == 0)
        return FAIL(ST_INTERNAL, "out of memory");
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, length);
    Status status = read_stream(&reader);
    if (reader.has_event)
        yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
    return status;
}
