/* catalogue: see catalogue.h.
 *
 * What a run's status is: the end that the last line of sessions.jsonl names, "finished" or
 * "stopped". Where a start is the last line, a result.json of that process says it as well (it died
 * between the two writes); else the run goes on while its owner lives, and has crashed where not.
 * An owner on another host cannot be seen: it counts as alive as long as the run writes to
 * metrics.jsonl or log.txt within its own deadline, which is how long it would wait for anything.
 * After that the run is silent: it may have crashed there, or be suspended.
 */
#include "lockstep/catalogue.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "facts.h"
#include "lockstep/parse.h"
#include "lockstep/rundir.h"
#include "lockstep/text.h"
#include "settings.h"

enum { DEPTH_MAX = 16 };

/* ---- Status ---- */

static bool wrote_lately(const Facts *facts) {
    static const char *const names[] = {"metrics.jsonl", "log.txt"};
    char path[CONFIG_PATH_MAX + 64];
    struct stat info;
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", facts->path, names[i]);
        if (stat(path, &info) == 0 && difftime(time(NULL), info.st_mtime) < facts->config->deadline)
            return true;
    }
    return false;
}

/* Of a run that has not ended. */
static const char *life_of(const Facts *facts) {
    switch (rundir_holder(facts->path)) {
    case HOLDER_ALIVE:
        return "running";
    case HOLDER_AWAY:
        return wrote_lately(facts) ? "running" : "silent";
    case HOLDER_NONE:
        break;
    }
    return "crashed";
}

/* Whether result.json is of the last process, and not of an earlier one. */
static bool result_is_last(const Facts *facts) {
    const SessionFact *last = &facts->sessions[facts->n_sessions - 1];
    double step = fact_number(facts->result, "step");
    if (!facts->result || step <= fact_number(last->start, "step"))
        return false;
    for (int64_t i = 0; i < facts->n_sessions - 1; i++) {
        if (facts->sessions[i].end && fact_number(facts->sessions[i].end, "step") == step)
            return false;
    }
    return true;
}

static bool has_ended(const Facts *facts) {
    if (facts->n_sessions == 0)
        return facts->result != NULL;
    return facts->result && (facts->sessions[facts->n_sessions - 1].end || result_is_last(facts));
}

static const char *status_of(const Facts *facts) {
    if (!has_ended(facts))
        return life_of(facts);
    return strcmp(fact_text(facts->result, "status"), "stopped") == 0 ? "stopped" : "finished";
}

/* ---- One run ---- */

/* The recipe that a command line names, where it has one with the usual ending. */
static void recipe_of_command(const char *command, char *recipe, size_t room) {
    for (const char *word = command; *word; word += strcspn(word, " "), word += *word == ' ') {
        size_t length = strcspn(word, " ");
        if (length > 5 && strncmp(word + length - 5, ".yaml", 5) == 0 && word[0] != '-') {
            snprintf(recipe, room, "%.*s", (int)length, word);
            return;
        }
    }
}

static void find_recipe(const Facts *facts, RunRow *row) {
    const cJSON *start =
        facts->n_sessions > 0 ? facts->sessions[facts->n_sessions - 1].start : NULL;
    char path[CONFIG_PATH_MAX] = "";
    snprintf(path, sizeof path, "%s", fact_text(start, "recipe"));
    if (!path[0]) /* written by a version that had no such field */
        recipe_of_command(fact_text(start, "command"), path, sizeof path);
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t length = strlen(base);
    if (length > 5 && strcmp(base + length - 5, ".yaml") == 0)
        length -= 5;
    snprintf(row->recipe, sizeof row->recipe, "%.*s", (int)length, base);
}

static Status find_changes(const Facts *facts, RunRow *row) {
    Text text = {0};
    size_t size;
    const cJSON *start =
        facts->n_sessions > 0 ? facts->sessions[facts->n_sessions - 1].start : NULL;
    const cJSON *changes = cJSON_GetObjectItemCaseSensitive(start, "changes");
    const cJSON *change;
    cJSON_ArrayForEach(change, changes) {
        if (cJSON_IsString(change))
            text_add(&text, "%s=%s\n", change->string, change->valuestring);
    }
    text_add(&text, "%s", "");
    return text_take(&text, &row->changes, &size);
}

static void fill_ended(const Facts *facts, RunRow *row) {
    const cJSON *result = facts->result;
    row->ranks = fact_number(result, "ranks");
    row->accuracy = fact_number(result, "test_accuracy");
    row->loss = fact_number(result, "test_loss");
    row->epoch = fact_number(result, "epoch");
    row->wall_s = fact_number(result, "wall_s");
    row->images_per_s = fact_number(result, "images_per_s");
    snprintf(row->dataset, sizeof row->dataset, "%s", fact_text(result, "dataset"));
    snprintf(row->state_hash, sizeof row->state_hash, "%s", fact_text(result, "state_hash"));
}

static Status fill_going(Facts *facts, RunRow *row) {
    TRY(facts_read_metrics(facts));
    if (facts->n_sessions > 0)
        row->ranks = fact_number(facts->sessions[facts->n_sessions - 1].start, "ranks");
    for (int64_t i = 0; i < facts->n_eval; i++) {
        if (facts->eval[i].holdout)
            continue;
        row->accuracy = facts->eval[i].accuracy;
        row->loss = facts->eval[i].loss;
        row->epoch = facts->eval[i].epoch;
    }
    if (facts->n_train > 0) {
        const TrainPoint *last = &facts->train[facts->n_train - 1];
        double epoch = floor(1000 * last->epoch) / 1000; /* else as many digits as a double has */
        row->epoch = isfinite(row->epoch) ? fmax(row->epoch, epoch) : epoch;
        row->images_per_s = last->images_per_s;
    }
    snprintf(row->dataset, sizeof row->dataset, "%s", facts->measured_on);
    return ST_OK;
}

static Status fill(Facts *facts, RunRow *row) {
    TRY(facts_read_head(row->path, facts));
    find_recipe(facts, row);
    TRY(find_changes(facts, row));
    if (facts->n_sessions > 0)
        snprintf(row->date, sizeof row->date, "%s", fact_text(facts->sessions[0].start, "time"));
    row->options = calloc(1, sizeof *row->options);
    TRY_ALLOC(row->options);
    settings_read(facts->config, row->options);
    if (has_ended(facts))
        fill_ended(facts, row);
    else
        TRY(fill_going(facts, row));
    row->status = status_of(facts);
    return ST_OK;
}

/* A row of what cannot be read; the error record is clear afterwards. */
static Status fill_damaged(RunRow *row) {
    row->status = "damaged";
    row->error = strdup(status_message());
    status_clear();
    if (!row->changes)
        row->changes = strdup("");
    TRY_ALLOC(row->error);
    TRY_ALLOC(row->changes);
    return ST_OK;
}

/* ---- All of them ---- */

static bool is_there(const char *folder, const char *name) {
    char path[CONFIG_PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static bool is_run(const char *path) {
    return is_there(path, "sessions.jsonl") || is_there(path, "metrics.jsonl") ||
           is_there(path, "result.json");
}

static Status add_run(Catalogue *catalogue, const char *path, const char *name) {
    RunRow *grown = realloc(catalogue->row, (size_t)(catalogue->n + 1) * sizeof *grown);
    TRY_ALLOC(grown);
    catalogue->row = grown;
    RunRow *row = &grown[catalogue->n++];
    *row = (RunRow){.path = strdup(path),
                    .name = strdup(name),
                    .ranks = (double)NAN,
                    .accuracy = (double)NAN,
                    .loss = (double)NAN,
                    .epoch = (double)NAN,
                    .wall_s = (double)NAN,
                    .images_per_s = (double)NAN};
    TRY_ALLOC(row->path);
    TRY_ALLOC(row->name);
    Facts *facts = calloc(1, sizeof *facts);
    TRY_ALLOC(facts);
    Status status = fill(facts, row);
    facts_free(facts);
    free(facts);
    return status == ST_OK || status == ST_INTERNAL ? status : fill_damaged(row);
}

/* `name_at`: where in the paths the names begin. */
static Status walk(Catalogue *catalogue, const char *path, size_t name_at, int depth) {
    char below[CONFIG_PATH_MAX];
    struct stat info;
    Status status = ST_OK;
    DIR *list = opendir(path);
    if (!list && depth > 0) /* of somebody else, or gone meanwhile */
        return ST_OK;
    if (!list)
        return FAIL(ST_USAGE, "%s: %s", path, strerror(errno));
    for (struct dirent *entry; status == ST_OK && (entry = readdir(list));) {
        if (entry->d_name[0] == '.' ||
            snprintf(below, sizeof below, "%s/%s", path, entry->d_name) >= (int)sizeof below)
            continue;
        if (lstat(below, &info) != 0 || !(S_ISDIR(info.st_mode) || S_ISLNK(info.st_mode)))
            continue;
        if (is_run(below))
            status = add_run(catalogue, below, below + name_at);
        else if (S_ISDIR(info.st_mode) && depth < DEPTH_MAX)
            status = walk(catalogue, below, name_at, depth + 1);
    }
    closedir(list);
    return status;
}

static int by_name(const void *a, const void *b) {
    return name_order(((const RunRow *)a)->name, ((const RunRow *)b)->name);
}

Status catalogue_read(const char *folder, Catalogue *catalogue) {
    char path[CONFIG_PATH_MAX];
    *catalogue = (Catalogue){0};
    if (strlen(folder) >= sizeof path)
        return FAIL(ST_USAGE, "the path %.40s... is too long", folder);
    strcpy(path, folder);
    for (size_t end = strlen(path); end > 1 && path[end - 1] == '/';)
        path[--end] = '\0';
    if (is_run(path)) {
        char whole[CONFIG_PATH_MAX];
        const char *real = realpath(path, whole) ? whole : path;
        const char *slash = strrchr(real, '/');
        return add_run(catalogue, path, slash && slash[1] ? slash + 1 : real);
    }
    TRY(walk(catalogue, path, strlen(path) + 1, 0));
    if (catalogue->n > 0)
        qsort(catalogue->row, (size_t)catalogue->n, sizeof *catalogue->row, by_name);
    return ST_OK;
}

void catalogue_free(Catalogue *catalogue) {
    for (int64_t i = 0; i < catalogue->n; i++) {
        RunRow *row = &catalogue->row[i];
        free(row->path);
        free(row->name);
        free(row->changes);
        free(row->error);
        free(row->options);
    }
    free(catalogue->row);
    *catalogue = (Catalogue){0};
}

const char *catalogue_option(const RunRow *row, const char *key) {
    for (int i = 0; row->options && i < row->options->n; i++) {
        if (strcmp(row->options->setting[i].key, key) == 0)
            return row->options->setting[i].value;
    }
    return "";
}
