/* table: see table.h. */
#include "table.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/file.h"
#include "lockstep/parse.h"
#include "lockstep/text.h"

/* The whole file as a string; *size bytes, none of them zero. */
static Status load(const char *path, char **text, size_t *size) {
    char block[65536];
    Text all = {0};
    size_t n;
    FILE *file = file_open_stream(path);
    if (!file)
        return FAIL(ST_USAGE, "%s: cannot be opened: %s", path, file_cause(errno));
    while ((n = fread(block, 1, sizeof block, file)) > 0)
        text_add_bytes(&all, block, n);
    bool failed = ferror(file);
    fclose(file);
    if (failed || (all.size > 0 && memchr(all.bytes, '\0', all.size))) {
        text_free(&all);
        return FAIL(ST_USAGE, "%s: %s", path, failed ? "cannot be read" : "not a table of text");
    }
    return text_take(&all, text, size);
}

/* Ends the field that begins at `at`, in place, and unfolds its quotes. *end: past what ends it;
 * *last: it was the last of its line. NULL: a quote is never closed, or something follows it. */
static char *take_field(char *at, char **end, bool *last) {
    char *field = at, *to = at;
    bool quoted = *at == '"';
    if (quoted) {
        for (at++; *at && (*at != '"' || at[1] == '"'); at++) {
            at += *at == '"';
            *to++ = *at;
        }
        if (*at++ != '"')
            return NULL;
    } else {
        at += strcspn(at, ",\r\n");
        to = at;
    }
    char ends = *at;
    if (ends == '\r' && at[1] == '\n')
        ends = *++at;
    if (ends != '\0' && ends != ',' && ends != '\n')
        return NULL;
    *to = '\0';
    *end = at + (ends != '\0');
    *last = ends != ',';
    return field;
}

/* As many as there can be fields. */
static int64_t count_ends(const char *text) {
    int64_t n = 1;
    for (const char *c = text; *c; c++)
        n += *c == ',' || *c == '\n';
    return n;
}

static Status split(Table *table) {
    char *at = table->text, *end = at + strlen(at);
    int64_t n = 0, in_row = 0;
    bool last = false;
    table->cells = calloc((size_t)count_ends(at), sizeof *table->cells);
    TRY_ALLOC(table->cells);
    while (at < end || (n > 0 && !last)) {
        int64_t line = table->columns > 0 ? n / table->columns + 1 : 1;
        char *field = take_field(at, &at, &last);
        if (!field)
            return FAIL(ST_USAGE, "%s: row %" PRId64 " has a quote that does not end a field",
                        table->path, line);
        table->cells[n++] = field;
        in_row++;
        if (last && table->columns == 0)
            table->columns = in_row;
        if (last ? in_row != table->columns : table->columns > 0 && in_row >= table->columns)
            return FAIL(ST_USAGE, "%s: row %" PRId64 " has not the %" PRId64 " fields of the first",
                        table->path, line, table->columns);
        in_row = last ? 0 : in_row;
    }
    if (n == 0)
        return FAIL(ST_USAGE, "%s: is empty", table->path);
    table->rows = n / table->columns - 1;
    return ST_OK;
}

Status table_read(const char *path, Table *table) {
    size_t size;
    *table = (Table){.path = path};
    TRY(load(path, &table->text, &size));
    Status status = split(table);
    if (status != ST_OK)
        table_free(table);
    return status;
}

void table_free(Table *table) {
    free(table->cells);
    free(table->text);
    *table = (Table){0};
}

const char *table_cell(const Table *table, int64_t row, int64_t column) {
    return table->cells[(row + 1) * table->columns + column];
}

Status table_find(const Table *table, const char *name, int64_t *column) {
    for (*column = 0; *column < table->columns; ++*column) {
        if (strcmp(table->cells[*column], name) == 0)
            return ST_OK;
    }
    const char **names = calloc((size_t)table->columns + 1, sizeof *names);
    TRY_ALLOC(names);
    for (int64_t c = 0; c < table->columns; c++)
        names[c] = table->cells[c];
    const char *near = nearest_name(name, names);
    free(names);
    return FAIL(ST_USAGE, "%s: no column is called '%s'%s%s%s", table->path, name,
                near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

Status table_number(const Table *table, int64_t row, int64_t column, double *value) {
    const char *cell = table_cell(table, row, column);
    *value = (double)NAN;
    if (*cell != '\0' && parse_real(cell, value) != PARSE_OK)
        return FAIL(ST_USAGE, "%s: row %" PRId64 ", column %s: '%s' is no number", table->path,
                    row + 2, table->cells[column], cell);
    return ST_OK;
}
