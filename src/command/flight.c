/* flight: `lockstep flight`, where the ranks of a run parted or stood still. No MPI. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/command.h"
#include "lockstep/flight_dir.h"
#include "lockstep/log.h"

static const char usage[] =
    "lockstep flight RUN | FOLDER\n\n"
    "Lays the flight records that the ranks of a run left beside each other: RUN/flight/START/\n"
    "rank-N of the newest start that left any, or those in FOLDER. Prints where the ranks parted,\n"
    "or who is behind and what in, then what each rank was doing.\n";

enum { DOING_MAX = 160 };

/* What a rank was doing, for the table. */
typedef struct Row {
    char doing[DOING_MAX];
    double since;
    int64_t calls[FLIGHT_PLANES]; /* the last collective of each plane that it came to */
} Row;

static Row row_of(const FlightRecord *record) {
    Row row = {.since = 0};
    flight_doing(record, row.doing, sizeof row.doing, &row.since);
    for (int i = 0; i < record->n; i++) {
        FlightPlane plane;
        if (flight_is_collective(record->entry[i].op, &plane))
            row.calls[plane] = record->entry[i].sequence;
    }
    return row;
}

static bool alike(const FlightSet *set, const Row *rows, int a, int b) {
    return strcmp(rows[a].doing, rows[b].doing) == 0 &&
           strcmp(set->records[a].reason, set->records[b].reason) == 0 &&
           memcmp(rows[a].calls, rows[b].calls, sizeof rows[a].calls) == 0 &&
           strcmp(set->records[a].host, set->records[b].host) == 0;
}

/* A line for the ranks that are like `first`, which is the lowest of them. */
static void print_rows(const FlightSet *set, const Row *rows, int first, bool *member) {
    const FlightRecord *record = &set->records[first];
    const Row *row = &rows[first];
    char ranks[64];
    for (int r = 0; r < set->n; r++)
        member[r] = alike(set, rows, r, first);
    flight_ranks(member, set->n, ranks, sizeof ranks);
    printf("%-8s %-12s %-44s %8.1f %8" PRId64 " %8" PRId64 "  %s\n", ranks,
           record->host[0] ? record->host : "-", row->doing, row->since, row->calls[FLIGHT_DATA],
           row->calls[FLIGHT_CONTROL], record->reason);
}

static Status print_table(const FlightSet *set) {
    Status status = ST_OK;
    Row *rows = calloc((size_t)set->n, sizeof *rows);
    bool *member = calloc((size_t)set->n, sizeof *member);
    if (!rows || !member) {
        status = FAIL(ST_INTERNAL, "out of memory");
        goto done;
    }
    for (int r = 0; r < set->n; r++)
        rows[r] = row_of(&set->records[r]);
    printf("%-8s %-12s %-44s %8s %8s %8s  %s\n", "rank", "host", "doing", "since s", "buckets",
           "others", "written for");
    for (int r = 0; r < set->n; r++) {
        int before = 0;
        while (!alike(set, rows, r, before))
            before++;
        if (before == r)
            print_rows(set, rows, r, member);
    }
done:
    free(member);
    free(rows);
    return status;
}

static Status show(const char *path) {
    char line[STATUS_MESSAGE_MAX];
    FlightSet set;
    Status status = flight_set_read(path, &set);
    if (status == ST_OK) {
        flight_verdict(set.records, set.n, line, sizeof line);
        printf("%s\n\n", line);
        status = print_table(&set);
    }
    if (status == ST_OK)
        printf("\nFrom %s; buckets and others: collectives that the rank has come to.\n",
               set.folder);
    flight_set_free(&set);
    return status;
}

Status flight_command(int argc, char **argv) {
    Status status = ST_OK;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return ST_OK;
    }
    if (argc != 2 || argv[1][0] == '-')
        status = FAIL(ST_USAGE, "which run directory? lockstep flight RUN; see lockstep flight "
                                "--help");
    else
        status = show(argv[1]);
    if (status != ST_OK)
        log_fatal(-1, status_message());
    return status;
}
