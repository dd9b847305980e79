/* text: a string that grows. Local.
 *
 * Running out of memory is remembered, not reported at each call: text_take tells. */
#ifndef LOCKSTEP_TEXT_H
#define LOCKSTEP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Text {
    char *bytes; /* [room], ended by a zero byte that size does not count; NULL: empty */
    size_t size, room;
    bool failed; /* memory ran out: what is here is not all */
} Text;

/* Room for a text of `size` bytes, so that as much can be added without asking for memory. */
void text_reserve(Text *text, size_t size);
void text_clear(Text *text);             /* empty; keeps its room */
void text_drop(Text *text, size_t size); /* its first `size` bytes */

void text_add(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_bytes(Text *text, const void *bytes, size_t size);

/* With the five characters that XML and HTML reserve as entities, control characters left out. */
void text_add_escaped(Text *text, const char *words);

/* As base64 (RFC 4648), with padding and without line breaks. */
void text_add_base64(Text *text, const void *bytes, size_t size);

/* The bytes, which the caller frees; the text is empty afterwards. ST_INTERNAL where memory ran
 * out: then all is freed. */
Status text_take(Text *text, char **bytes, size_t *size);
void text_free(Text *text);

/* Of words in UTF-8: the bytes of as many characters as `most` at the beginning; and how many
 * characters some bytes are. */
size_t text_prefix(const char *words, size_t most);
size_t text_characters(const char *words, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
