/* flight_dir: see flight_dir.h. */
#include "lockstep/flight_dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file_util.h"
#include "folder.h"
#include "lockstep/clock.h"

/* "20261126T153201Z-4711" */
void flight_start_name(char out[FLIGHT_START_MAX]) {
    char now[21], *to = out;
    clock_iso8601(now);
    for (const char *c = now; *c; c++)
        if (*c != '-' && *c != ':')
            *to++ = *c;
    snprintf(to, (size_t)(out + FLIGHT_START_MAX - to), "-%ld", (long)getpid());
}

static bool is_start(const char *name) {
    int day = 0, second = 0, process = 0, used = 0;
    return sscanf(name, "%8dT%6dZ-%d%n", &day, &second, &process, &used) == 3 && name[used] == '\0';
}

static bool is_record(const char *name) {
    int rank, used = 0;
    return sscanf(name, "rank-%d%n", &rank, &used) == 1 && name[used] == '\0' && rank >= 0;
}

/* Also one whose writer was killed. */
static bool is_record_or_part(const char *name) {
    int rank, used = 0;
    return sscanf(name, "rank-%d%n", &rank, &used) == 1 && rank >= 0 &&
           (name[used] == '\0' || strcmp(name + used, ".tmp") == 0);
}

static Status remove_start(const char *folder) {
    Names names;
    char path[4096];
    Status status = folder_names(folder, is_record_or_part, &names);
    for (int64_t i = 0; status == ST_OK && i < names.n; i++) {
        status = file_join(folder, names.name[i], path);
        if (status == ST_OK)
            status = file_remove(path);
    }
    folder_free(&names);
    if (status == ST_OK && rmdir(folder) != 0 && errno != ENOENT && errno != ENOTEMPTY)
        status = FAIL(ST_CHECKPOINT, "%s: cannot be removed: %s", folder, strerror(errno));
    return status;
}

Status flight_prune(const char *run, int64_t keep) {
    Names names = {0};
    char all[4096], folder[4096];
    Status status = ST_OK;
    TRY(file_join(run, "flight", all));
    TRY_DONE(folder_names(all, is_start, &names));
    for (int64_t i = 0; i < names.n - keep; i++) {
        TRY_DONE(file_join(all, names.name[i], folder));
        TRY_DONE(remove_start(folder));
    }
    if (keep == 0)
        rmdir(all); /* stays where there is something else in it */
done:
    folder_free(&names);
    return status;
}

/* The folder of records that `path` means. */
static Status find_folder(const char *path, char folder[4096]) {
    Names names = {0};
    char all[4096];
    Status status = ST_OK;
    TRY(file_join(path, "flight", all));
    TRY_DONE(folder_names(all, is_start, &names));
    if (names.n > 0)
        TRY_DONE(file_join(all, names.name[names.n - 1], folder));
    else
        snprintf(folder, 4096, "%s", path);
done:
    folder_free(&names);
    return status;
}

/* One rank's file; all of a start tell the same number of ranks. */
static Status take(FlightSet *set, const char *name) {
    char path[4096];
    char(*hosts)[FLIGHT_HOST_MAX] = NULL;
    FlightRecord record = {0};
    Status status = file_join(set->folder, name, path);
    if (status == ST_OK)
        status = flight_read(path, &record, &hosts);
    if (status == ST_OK && !set->records) {
        set->n = record.size;
        set->records = calloc((size_t)set->n, sizeof *set->records);
        if (!set->records)
            status = FAIL(ST_INTERNAL, "out of memory");
    }
    if (status == ST_OK && (record.size != set->n || set->records[record.rank].present))
        status = FAIL(ST_CHECKPOINT, "%s: rank %d of %d, where other records are of another run",
                      path, record.rank, record.size);
    if (status == ST_OK) {
        set->records[record.rank] = record;
        record.entry = NULL;
    }
    for (int r = 0; status == ST_OK && r < set->n; r++) {
        if (set->records[r].present)
            continue;
        set->records[r].rank = r;
        snprintf(set->records[r].host, sizeof set->records[r].host, "%s", hosts[r]);
    }
    free(record.entry);
    free(hosts);
    return status;
}

Status flight_set_read(const char *path, FlightSet *set) {
    Names names = {0};
    Status status = ST_OK;
    *set = (FlightSet){0};
    TRY(find_folder(path, set->folder));
    TRY_DONE(folder_names(set->folder, is_record, &names));
    if (names.n == 0)
        TRY_DONE(FAIL(ST_CHECKPOINT,
                      "%s holds no flight record: a run leaves one when it fails, hangs, or gets "
                      "SIGQUIT, in its folder flight",
                      path));
    for (int64_t i = 0; i < names.n; i++)
        TRY_DONE(take(set, names.name[i]));
done:
    folder_free(&names);
    return status;
}

void flight_set_free(FlightSet *set) {
    for (int r = 0; set->records && r < set->n; r++)
        free(set->records[r].entry);
    free(set->records);
    *set = (FlightSet){0};
}
