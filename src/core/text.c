/* text: see text.h. */
#include "lockstep/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for `more` bytes and the final zero. */
static bool reserve(Text *text, size_t more) {
    size_t wanted = text->size + more + 1, room = text->room ? text->room : 256;
    if (text->failed || wanted <= text->room)
        return !text->failed;
    while (room < wanted)
        room *= 2;
    char *bytes = realloc(text->bytes, room);
    if (!bytes) {
        text->failed = true;
        return false;
    }
    text->bytes = bytes;
    text->room = room;
    return true;
}

void text_reserve(Text *text, size_t size) {
    reserve(text, size > text->size ? size - text->size : 0);
}

void text_clear(Text *text) {
    text->size = 0;
}

void text_drop(Text *text, size_t size) {
    if (size == 0)
        return;
    text->size -= size;
    memmove(text->bytes, text->bytes + size, text->size + 1);
}

void text_add_bytes(Text *text, const void *bytes, size_t size) {
    if (!reserve(text, size))
        return;
    if (size > 0)
        memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
    text->bytes[text->size] = '\0';
}

void text_add(Text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (n < 0 || !reserve(text, (size_t)n))
        return;
    va_start(arguments, format);
    vsnprintf(text->bytes + text->size, (size_t)n + 1, format, arguments);
    va_end(arguments);
    text->size += (size_t)n;
}

void text_add_escaped(Text *text, const char *words) {
    for (const char *c = words; *c; c++) {
        switch (*c) {
        case '&':
            text_add(text, "&amp;");
            break;
        case '<':
            text_add(text, "&lt;");
            break;
        case '>':
            text_add(text, "&gt;");
            break;
        case '"':
            text_add(text, "&quot;");
            break;
        case '\'':
            text_add(text, "&#39;");
            break;
        default:
            if ((unsigned char)*c >= 0x20 || *c == '\n' || *c == '\t')
                text_add_bytes(text, c, 1);
        }
    }
}

void text_add_base64(Text *text, const void *bytes, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *in = bytes;
    if (!reserve(text, (size + 2) / 3 * 4))
        return;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t group = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                         (left > 2 ? in[i + 2] : 0);
        char four[4] = {digits[group >> 18], digits[group >> 12 & 63],
                        left > 1 ? digits[group >> 6 & 63] : '=',
                        left > 2 ? digits[group & 63] : '='};
        text_add_bytes(text, four, 4);
    }
}

Status text_take(Text *text, char **bytes, size_t *size) {
    if (text->failed || !reserve(text, 0)) {
        text_free(text);
        return FAIL(ST_INTERNAL, "out of memory");
    }
    text->bytes[text->size] = '\0';
    *bytes = text->bytes;
    *size = text->size;
    *text = (Text){0};
    return ST_OK;
}

void text_free(Text *text) {
    free(text->bytes);
    *text = (Text){0};
}

static bool begins_character(char c) {
    return ((unsigned char)c & 0xc0) != 0x80;
}

size_t text_prefix(const char *words, size_t most) {
    size_t bytes = 0;
    for (size_t n = 0; words[bytes]; bytes++) {
        n += begins_character(words[bytes]);
        if (n > most)
            break;
    }
    return bytes;
}

size_t text_characters(const char *words, size_t bytes) {
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n += begins_character(words[i]);
    return n;
}
