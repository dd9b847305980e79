/* flight_file: a rank's record as text, and back. See flight.h.
 *
 *   lockstep flight 1
 *   start 20261126T153201Z-4f2a1c07
 *   rank 3 of 8 on n2
 *   reason rank 3 has waited for longer than its deadline
 *   now 123456.789000
 *   stood 0.000000 until 0.000000
 *   host 0 n1                            one line a rank, where they are known
 *   entries 812
 *   41 bucket 1 12 1048576 123400.1 0.0 2
 *
 * An entry: order, op, sequence, step, bytes, start, end, index. What is not of this form is
 * refused: nothing is drawn from half a record. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lockstep/file.h"
#include "lockstep/flight.h"

enum { LINE_BYTES = 512, PATH_BYTES = 4096, RANKS_MOST = 1 << 20 };

static const char magic[] = "lockstep flight 1";

static const char *const op_words[FLIGHT_OPS] = {
    "nothing", "barrier", "broadcast", "gather",  "sum",      "maximum", "agreement",
    "bucket",  "step",    "stage",     "forward", "backward", "turn"};

static void print(FILE *out, const FlightRecord *record, const char *start,
                  const char (*hosts)[FLIGHT_HOST_MAX]) {
    fprintf(out, "%s\nstart %s\nrank %d of %d on %s\nreason %s\n", magic, start, record->rank,
            record->size, record->host, record->reason);
    fprintf(out, "now %.6f\nstood %.6f until %.6f\n", record->now, record->stood_s,
            record->stood_until);
    for (int r = 0; hosts && r < record->size; r++)
        fprintf(out, "host %d %s\n", r, hosts[r]);
    fprintf(out, "entries %d\n", record->n);
    for (int i = 0; i < record->n; i++) {
        const FlightEntry *entry = &record->entry[i];
        fprintf(out, "%" PRId64 " %s %" PRId64 " %" PRId64 " %" PRId64 " %.6f %.6f %d\n",
                entry->order, op_words[entry->op], entry->sequence, entry->step, entry->bytes,
                entry->start, entry->end, (int)entry->index);
    }
}

/* Under another name first: what has the right one is whole. */
Status flight_write(const char *path, const FlightRecord *record, const char *start,
                    const char (*hosts)[FLIGHT_HOST_MAX]) {
    char made[PATH_BYTES];
    if (snprintf(made, sizeof made, "%s.tmp", path) >= (int)sizeof made)
        return FAIL(ST_CHECKPOINT, "%s: too long a path", path);
    int fd = file_open(made, O_WRONLY | O_CREAT | O_TRUNC);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!out) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return FAIL(ST_CHECKPOINT, "%s: cannot be written: %s", made, file_cause(error));
    }
    print(out, record, start, hosts);
    bool whole = !ferror(out);
    if (fclose(out) != 0 || !whole || rename(made, path) != 0)
        return FAIL(ST_CHECKPOINT, "%s: not all of it could be written: %s", path, strerror(errno));
    return ST_OK;
}

/* ---- reading ---- */

typedef struct Reader {
    const char *path;
    FILE *in;
    int line;
    char text[LINE_BYTES];
} Reader;

static Status next_line(Reader *reader) {
    reader->line++;
    if (!fgets(reader->text, sizeof reader->text, reader->in))
        return FAIL(ST_CHECKPOINT, "%s: ends before line %d; the record is not whole", reader->path,
                    reader->line);
    reader->text[strcspn(reader->text, "\n")] = '\0';
    return ST_OK;
}

static Status wrong(const Reader *reader, const char *wanted) {
    return FAIL(ST_CHECKPOINT,
                "%s:%d: `%.60s` where a line as `%s` should be: it is no flight record",
                reader->path, reader->line, reader->text, wanted);
}

static Status read_head(Reader *reader, FlightRecord *record) {
    TRY(next_line(reader));
    if (strcmp(reader->text, magic) != 0)
        return wrong(reader, magic);
    TRY(next_line(reader));
    if (strncmp(reader->text, "start ", 6) != 0)
        return wrong(reader, "start ID");
    TRY(next_line(reader));
    if (sscanf(reader->text, "rank %d of %d on %63s", &record->rank, &record->size, record->host) !=
            3 ||
        record->size < 1 || record->size > RANKS_MOST || record->rank < 0 ||
        record->rank >= record->size)
        return wrong(reader, "rank 3 of 8 on HOST");
    TRY(next_line(reader));
    if (strncmp(reader->text, "reason ", 7) != 0)
        return wrong(reader, "reason WORDS");
    snprintf(record->reason, sizeof record->reason, "%s", reader->text + 7);
    TRY(next_line(reader));
    if (sscanf(reader->text, "now %lf", &record->now) != 1)
        return wrong(reader, "now SECONDS");
    TRY(next_line(reader));
    if (sscanf(reader->text, "stood %lf until %lf", &record->stood_s, &record->stood_until) != 2)
        return wrong(reader, "stood SECONDS until SECONDS");
    return ST_OK;
}

/* Up to and with the line `entries N`. */
static Status read_hosts(Reader *reader, const FlightRecord *record, int *n,
                         char (*hosts)[FLIGHT_HOST_MAX]) {
    for (;;) {
        int rank, used = 0;
        TRY(next_line(reader));
        if (sscanf(reader->text, "entries %d", n) == 1)
            return *n >= 0 && *n <= FLIGHT_ENTRIES ? ST_OK : wrong(reader, "entries 1024");
        if (sscanf(reader->text, "host %d %n", &rank, &used) != 1 || used == 0 || rank < 0 ||
            rank >= record->size)
            return wrong(reader, "host 3 NAME");
        if (hosts)
            snprintf(hosts[rank], sizeof hosts[rank], "%.63s", reader->text + used);
    }
}

static Status read_entry(Reader *reader, FlightEntry *entry) {
    char op[16] = "";
    int index;
    TRY(next_line(reader));
    if (sscanf(reader->text, "%" SCNd64 " %15s %" SCNd64 " %" SCNd64 " %" SCNd64 " %lf %lf %d",
               &entry->order, op, &entry->sequence, &entry->step, &entry->bytes, &entry->start,
               &entry->end, &index) != 8)
        return wrong(reader, "ORDER OP SEQUENCE STEP BYTES START END INDEX");
    entry->index = index;
    for (entry->op = 0; entry->op < FLIGHT_OPS; entry->op++)
        if (strcmp(op, op_words[entry->op]) == 0)
            return ST_OK;
    return wrong(reader, "41 bucket 1 12 1048576 123400.1 0.0 2");
}

static Status read_all(Reader *reader, FlightRecord *record, char (**hosts)[FLIGHT_HOST_MAX]) {
    TRY(read_head(reader, record));
    if (hosts) {
        *hosts = calloc((size_t)record->size, sizeof **hosts);
        TRY_ALLOC(*hosts);
    }
    int n = 0;
    TRY(read_hosts(reader, record, &n, hosts ? *hosts : NULL));
    FlightEntry *entries = calloc((size_t)n + 1, sizeof *entries);
    TRY_ALLOC(entries);
    record->entry = entries;
    record->n = n;
    for (int i = 0; i < n; i++)
        TRY(read_entry(reader, &entries[i]));
    record->present = true;
    return ST_OK;
}

Status flight_read(const char *path, FlightRecord *record, char (**hosts)[FLIGHT_HOST_MAX]) {
    *record = (FlightRecord){0};
    if (hosts)
        *hosts = NULL;
    Reader reader = {.path = path, .in = file_open_stream(path)};
    if (!reader.in)
        return FAIL(ST_CHECKPOINT, "%s: cannot be read: %s", path, file_cause(errno));
    Status status = read_all(&reader, record, hosts);
    fclose(reader.in);
    return status;
}
