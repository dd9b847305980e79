/* The resolved configuration as YAML, by libyaml's emitter, which quotes what needs quoting. */
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "options.h"
#include "value.h"
#include "yaml_read.h"

typedef struct Text {
    char *bytes; /* zero-ended, owned */
    size_t length, room;
} Text;

typedef struct Writer {
    yaml_emitter_t emitter;
    Text text;
    bool failed; /* libyaml ran out of memory; nothing else can fail here */
} Writer;

/* yaml_write_handler_t: appends to the text, 0 where memory is out. */
static int append(void *context, unsigned char *bytes, size_t size) {
    Text *text = context;
    if (text->length + size + 1 > text->room) {
        size_t room = 2 * (text->length + size + 1);
        char *grown = realloc(text->bytes, room);
        if (!grown)
            return 0;
        text->bytes = grown;
        text->room = room;
    }
    memcpy(text->bytes + text->length, bytes, size);
    text->length += size;
    text->bytes[text->length] = '\0';
    return 1;
}

/* Sends one event whose initialisation returned `made`. */
static void emit(Writer *writer, yaml_event_t *event, int made) {
    if (made == 0 || writer->failed)
        writer->failed = true;
    else if (yaml_emitter_emit(&writer->emitter, event) == 0) /* frees the event */
        writer->failed = true;
}

static void emit_scalar(Writer *writer, const char *text, yaml_scalar_style_t style) {
    yaml_event_t event;
    emit(writer, &event,
         yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text,
                                      (int)strlen(text), 1, 1, style));
}

static void emit_mapping(Writer *writer, bool start) {
    yaml_event_t event;
    if (start) {
        emit(writer, &event,
             yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
    } else {
        emit(writer, &event, yaml_mapping_end_event_initialize(&event));
    }
}

static void emit_sequence(Writer *writer, bool start) {
    yaml_event_t event;
    if (start) {
        emit(writer, &event,
             yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_FLOW_SEQUENCE_STYLE));
    } else {
        emit(writer, &event, yaml_sequence_end_event_initialize(&event));
    }
}

/* "a,b" -> [a, b] and "a:b,c:d" -> [[a, b], [c, d]]. */
static void emit_list(Writer *writer, const char *value) {
    char copy[CONFIG_WEIGHTS_MAX];
    char *outer = NULL, *inner = NULL;
    strcpy(copy, value);
    emit_sequence(writer, true);
    for (char *item = strtok_r(copy, ",", &outer); item; item = strtok_r(NULL, ",", &outer)) {
        bool pair = strchr(item, ':') != NULL;
        if (pair)
            emit_sequence(writer, true);
        for (char *part = strtok_r(item, ":", &inner); part; part = strtok_r(NULL, ":", &inner))
            emit_scalar(writer, part, YAML_PLAIN_SCALAR_STYLE);
        if (pair)
            emit_sequence(writer, false);
    }
    emit_sequence(writer, false);
}

/* Opens and closes groups so that the next key stands in the group of `key`; returns the key's last
 * part. `key` NULL closes the last group. */
static const char *enter_group(Writer *writer, const char *key, char group[OPTION_KEY_MAX]) {
    const char *dot = key ? strchr(key, '.') : NULL;
    size_t length = dot ? (size_t)(dot - key) : 0;
    bool same = strlen(group) == length && (length == 0 || strncmp(group, key, length) == 0);
    if (!same) {
        if (group[0] != '\0')
            emit_mapping(writer, false);
        memcpy(group, key ? key : "", length);
        group[length] = '\0';
        if (group[0] != '\0') {
            emit_scalar(writer, group, YAML_PLAIN_SCALAR_STYLE);
            emit_mapping(writer, true);
        }
    }
    return dot ? dot + 1 : key;
}

static void emit_options(Writer *writer, const RunConfig *config, bool stored) {
    char group[OPTION_KEY_MAX] = "";
    for (const Option *option = config_options; option->key; option++) {
        char buffer[OPTION_VALUE_MAX];
        bool skip = option->type == OPTION_ACTION || (option->flags & OPTION_ALIAS) != 0 ||
                    (stored && (option->flags & OPTION_UNSTORED) != 0);
        if (skip)
            continue;
        emit_scalar(writer, enter_group(writer, option->key, group), YAML_PLAIN_SCALAR_STYLE);
        const char *value = option_format(option, config, buffer);
        if (option_takes_list(option) &&
            ((option->type != OPTION_BYTES && option->type != OPTION_CHANNELS) ||
             strchr(value, ',') != NULL))
            emit_list(writer, value);
        else if (strchr(value, '\n'))
            emit_scalar(writer, value, YAML_LITERAL_SCALAR_STYLE);
        else if (yaml_is_nothing(value))
            emit_scalar(writer, value, YAML_SINGLE_QUOTED_SCALAR_STYLE);
        else
            emit_scalar(writer, value, YAML_ANY_SCALAR_STYLE);
    }
    enter_group(writer, NULL, group);
}

Status config_text(const RunConfig *config, bool stored, char **text) {
    Writer writer = {0};
    yaml_event_t event;
    *text = NULL;
    if (yaml_emitter_initialize(&writer.emitter) == 0)
        return FAIL(ST_INTERNAL, "out of memory");
    yaml_emitter_set_output(&writer.emitter, append, &writer.text);
    yaml_emitter_set_unicode(&writer.emitter, 1);
    yaml_emitter_set_width(&writer.emitter, -1);
    emit(&writer, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
    emit(&writer, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
    emit_mapping(&writer, true);
    emit_options(&writer, config, stored);
    emit_mapping(&writer, false);
    emit(&writer, &event, yaml_document_end_event_initialize(&event, 1));
    emit(&writer, &event, yaml_stream_end_event_initialize(&event));
    yaml_emitter_delete(&writer.emitter);
    if (writer.failed) {
        free(writer.text.bytes);
        return FAIL(ST_INTERNAL,
                    "cannot write the configuration as YAML: out of memory, or a value "
                    "that is not UTF-8");
    }
    *text = writer.text.bytes;
    return ST_OK;
}

Status config_dump(const RunConfig *config, FILE *out) {
    char *text = NULL;
    TRY(config_text(config, false, &text));
    bool written = fputs(text, out) >= 0;
    free(text);
    if (!written)
        return FAIL(ST_USAGE, "cannot write the configuration");
    return ST_OK;
}
