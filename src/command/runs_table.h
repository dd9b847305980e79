/* runs_table: the runs of a catalogue as a table: for people, as CSV, as JSON. Private to
 * src/command. Local. */
#ifndef LOCKSTEP_COMMAND_RUNS_TABLE_H
#define LOCKSTEP_COMMAND_RUNS_TABLE_H

#include <stdio.h>

#include "lockstep/catalogue.h"

enum { RUNS_COLUMNS_MAX = 32 };

/* Which columns, in which order. */
typedef struct RunsColumns {
    int n;
    int at[RUNS_COLUMNS_MAX]; /* into the table of columns */
    bool named;               /* by the user, and not all */
} RunsColumns;

/* The names of all columns, NULL-ended; as tools see them. */
const char *const *runs_column_names(void);

/* All columns, or those of a list of names with commas between. ST_USAGE with the nearest name. */
Status runs_columns_find(const char *list, RunsColumns *columns);

/* Sorts rows by a column, "-NAME": the largest first. Rows without a value stand last, equal ones
 * by name. */
Status runs_sort(Catalogue *catalogue, const char *by);

void runs_print_text(const Catalogue *catalogue, const RunsColumns *columns, FILE *out);

/* Unless columns are named, with one more for each option that a run has another value of than its
 * recipe. */
void runs_print_csv(const Catalogue *catalogue, const RunsColumns *columns, FILE *out);
Status runs_print_json(const Catalogue *catalogue, const RunsColumns *columns, FILE *out);

#endif
