/* A line of model text, cut into its label and words. */
#include <ctype.h>
#include <string.h>

#include "parser.h"

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

Status text_cut_line(const Parser *parser, const char *at, int number, Line *line) {
    size_t length = strcspn(at, "#\n");
    line->n_words = 0;
    line->label = NULL;
    if (length >= sizeof line->text)
        return FAIL_AT(parser, number, "the line has more than %d characters", LINE_MAX_BYTES - 1);
    memcpy(line->text, at, length);
    line->text[length] = '\0';
    for (char *c = line->text; *c != '\0';) {
        if (is_blank(*c)) {
            *c++ = '\0';
            continue;
        }
        if (line->n_words == WORDS_MAX)
            return FAIL_AT(parser, number, "the line has more than %d words", WORDS_MAX);
        line->word[line->n_words++] = c;
        while (*c != '\0' && !is_blank(*c)) {
            if (!isprint((unsigned char)*c))
                return FAIL_AT(parser, number, "byte 0x%02x is not text", (unsigned char)*c);
            c++;
        }
    }
    if (line->n_words == 0)
        return ST_OK;
    char *colon = strchr(line->word[0], ':');
    if (!colon)
        return ST_OK;
    if (colon[1] != '\0')
        return FAIL_AT(parser, number, "put a blank after the colon of the label '%s'",
                       line->word[0]);
    *colon = '\0';
    line->label = line->word[0];
    line->n_words--;
    memmove(line->word, line->word + 1, (size_t)line->n_words * sizeof line->word[0]);
    return ST_OK;
}
