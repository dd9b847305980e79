/* table: a CSV file in memory. Private to src/report. Local.
 *
 * Fields are apart by commas; one in double quotes may hold commas, line ends and, doubled, quotes
 * (RFC 4180). The first line names the columns, and every other one has as many fields. */
#ifndef LOCKSTEP_REPORT_TABLE_H
#define LOCKSTEP_REPORT_TABLE_H

#include <stdint.h>

#include "lockstep/status.h"

typedef struct Table {
    const char *path;      /* borrowed */
    char *text;            /* the file; fields are pieces of it */
    int64_t columns, rows; /* rows without the names */
    char **cells;          /* [1 + rows][columns], the names first */
} Table;

/* ST_USAGE where it is no such file or cannot be read. */
Status table_read(const char *path, Table *table);
void table_free(Table *table);

const char *table_cell(const Table *table, int64_t row, int64_t column);

/* The column of that name; ST_USAGE, with the nearest name, where there is none. */
Status table_find(const Table *table, const char *name, int64_t *column);

/* A field as a number; NaN where it is empty; ST_USAGE where it is no number. */
Status table_number(const Table *table, int64_t row, int64_t column, double *value);

#endif
