/* facts: see facts.h. Lines of metrics.jsonl that a running process has not finished are left out.
 */
#include "facts.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lockstep/file.h"
#include "lockstep/input.h"
#include "lockstep/text.h"

double fact_number(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
}

const char *fact_text(const cJSON *object, const char *key) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? text : "";
}

double facts_epoch(const Facts *facts, double step) {
    return facts->steps_per_epoch > 0 ? step / facts->steps_per_epoch : (double)NAN;
}

/* FOLDER/NAME as a string; *text is NULL where there is none. */
static Status read_text(const char *folder, const char *name, char **text) {
    char path[CONFIG_PATH_MAX + 64], block[65536];
    Text all = {0};
    size_t n, size;
    *text = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = file_open_stream(path);
    if (!file && errno == ENOENT)
        return ST_OK;
    if (!file)
        return FAIL(ST_CHECKPOINT, "%s: cannot be opened: %s", path, file_cause(errno));
    while ((n = fread(block, 1, sizeof block, file)) > 0)
        text_add_bytes(&all, block, n);
    bool failed = ferror(file);
    fclose(file);
    if (failed) {
        text_free(&all);
        return FAIL(ST_CHECKPOINT, "%s: cannot be read", path);
    }
    return text_take(&all, text, &size);
}

static TrainPoint train_point(const cJSON *line) {
    const cJSON *times = cJSON_GetObjectItemCaseSensitive(line, "times");
    TrainPoint point = {.step = fact_number(line, "step"),
                        .epoch = fact_number(line, "epoch"),
                        .loss = fact_number(line, "loss"),
                        .accuracy = fact_number(line, "accuracy"),
                        .lr = fact_number(line, "lr"),
                        .grad_norm = fact_number(line, "grad_norm"),
                        .images_per_s = fact_number(cJSON_GetObjectItemCaseSensitive(line, "rates"),
                                                    "images_per_s")};
    for (Phase p = 0; p < PHASES; p++) {
        double seconds = fact_number(times, phase_key(p));
        point.times.seconds[p] = isfinite(seconds) ? seconds : 0;
    }
    return point;
}

static EvalPoint eval_point(const cJSON *line) {
    return (EvalPoint){.step = fact_number(line, "step"),
                       .epoch = fact_number(line, "epoch"),
                       .loss = fact_number(line, "loss"),
                       .accuracy = fact_number(line, "accuracy"),
                       .train_loss = fact_number(line, "train_loss"),
                       .train_accuracy = fact_number(line, "train_accuracy"),
                       .wall_s =
                           fact_number(cJSON_GetObjectItemCaseSensitive(line, "times"), "wall_s"),
                       .holdout = strcmp(fact_text(line, "split"), "holdout") == 0};
}

static void add_metric(Facts *facts, const cJSON *line) {
    const char *kind = fact_text(line, "kind");
    snprintf(facts->measured_on, sizeof facts->measured_on, "%s", fact_text(line, "dataset"));
    if (strcmp(kind, "train") == 0)
        facts->train[facts->n_train++] = train_point(line);
    else if (strcmp(kind, "eval") == 0)
        facts->eval[facts->n_eval++] = eval_point(line);
}

static int64_t count_lines(const char *text) {
    int64_t lines = 1;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    return lines;
}

/* Calls add for every line that is a JSON object. */
static void each_line(Facts *facts, char *text, void (*add)(Facts *, const cJSON *)) {
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        cJSON *object = cJSON_Parse(line);
        if (cJSON_IsObject(object))
            add(facts, object);
        cJSON_Delete(object);
    }
}

Status facts_read_metrics(Facts *facts) {
    char *text;
    TRY(read_text(facts->path, "metrics.jsonl", &text));
    if (!text)
        return FAIL(ST_USAGE, "%s is no run directory: it has no metrics.jsonl", facts->path);
    int64_t lines = count_lines(text);
    facts->train = calloc((size_t)lines, sizeof *facts->train);
    facts->eval = calloc((size_t)lines + 1, sizeof *facts->eval);
    if (facts->train && facts->eval)
        each_line(facts, text, add_metric);
    free(text);
    TRY_ALLOC(facts->train);
    TRY_ALLOC(facts->eval);
    for (int64_t i = 0; i < facts->n_train; i++) {
        if (facts->train[i].epoch > 0)
            facts->steps_per_epoch = round(facts->train[i].step / facts->train[i].epoch);
    }
    for (int64_t i = 0; i < facts->n_eval && facts->steps_per_epoch == 0; i++) {
        if (facts->eval[i].epoch > 0)
            facts->steps_per_epoch = round(facts->eval[i].step / facts->eval[i].epoch);
    }
    return ST_OK;
}

static void add_session(Facts *facts, const cJSON *line) {
    const char *kind = fact_text(line, "kind");
    cJSON *copy = cJSON_Duplicate(line, true);
    if (strcmp(kind, "start") == 0)
        facts->sessions[facts->n_sessions++].start = copy;
    else if (strcmp(kind, "end") == 0 && facts->n_sessions > 0 &&
             !facts->sessions[facts->n_sessions - 1].end)
        facts->sessions[facts->n_sessions - 1].end = copy;
    else
        cJSON_Delete(copy);
}

static Status read_sessions(Facts *facts) {
    char *text;
    TRY(read_text(facts->path, "sessions.jsonl", &text));
    if (!text)
        return ST_OK;
    facts->sessions = calloc((size_t)count_lines(text), sizeof *facts->sessions);
    if (facts->sessions)
        each_line(facts, text, add_session);
    free(text);
    TRY_ALLOC(facts->sessions);
    return ST_OK;
}

static Status read_result(Facts *facts) {
    char *text;
    TRY(read_text(facts->path, "result.json", &text));
    facts->result = text ? cJSON_Parse(text) : NULL;
    bool bad = text && !cJSON_IsObject(facts->result);
    free(text);
    return bad ? FAIL(ST_CHECKPOINT, "%s/result.json is not JSON", facts->path) : ST_OK;
}

static Status read_config(Facts *facts) {
    char source[CONFIG_PATH_MAX + 64];
    snprintf(source, sizeof source, "%s/config.yaml", facts->path);
    TRY(read_text(facts->path, "config.yaml", &facts->config_text));
    if (!facts->config_text)
        return FAIL(ST_USAGE, "%s is no run directory: it has no config.yaml", facts->path);
    facts->config = calloc(1, sizeof *facts->config);
    TRY_ALLOC(facts->config);
    return config_from_text(facts->config_text, source, facts->config);
}

/* The evaluation at the end of a run that ends within an epoch is in result.json alone. */
static void add_last_test(Facts *facts) {
    EvalPoint last = {.step = fact_number(facts->result, "step"),
                      .loss = fact_number(facts->result, "test_loss"),
                      .accuracy = fact_number(facts->result, "test_accuracy"),
                      .train_loss = (double)NAN,
                      .train_accuracy = (double)NAN,
                      .wall_s = (double)NAN};
    last.epoch = facts_epoch(facts, last.step);
    for (int64_t i = 0; i < facts->n_eval; i++) {
        if (!facts->eval[i].holdout && facts->eval[i].step >= last.step)
            return;
    }
    if (isfinite(last.accuracy) && isfinite(last.epoch))
        facts->eval[facts->n_eval++] = last;
}

/* The last part of the path, whatever slashes end it. */
static void name_of(const char *path, char *name, size_t room) {
    char whole[CONFIG_PATH_MAX];
    const char *real = realpath(path, whole) ? whole : path;
    const char *slash = strrchr(real, '/');
    snprintf(name, room, "%.*s", (int)room - 1, slash && slash[1] ? slash + 1 : real);
}

/* Path, name and configuration. */
static Status begin(const char *path, Facts *facts) {
    *facts = (Facts){0};
    if (strlen(path) >= sizeof facts->path)
        return FAIL(ST_USAGE, "the path %.40s... is too long", path);
    snprintf(facts->path, sizeof facts->path, "%s", path);
    name_of(path, facts->name, sizeof facts->name);
    if (access(path, F_OK) != 0)
        return FAIL(ST_USAGE, "%s: %s", path, strerror(errno));
    return read_config(facts);
}

/* What result.json says of the set. False where it does not. */
static bool told_dataset(const Facts *facts, Dataset *dataset) {
    const cJSON *image = cJSON_GetObjectItemCaseSensitive(facts->result, "image"), *name;
    const cJSON *names = cJSON_GetObjectItemCaseSensitive(facts->result, "class_names");
    int64_t side[3];
    Text lines = {0};
    char *text = NULL;
    size_t size;
    *dataset = (Dataset){0};
    for (int i = 0; i < 3; i++) {
        const cJSON *item = cJSON_GetArrayItem(image, i);
        side[i] = cJSON_IsNumber(item) ? item->valueint : 0; /* within an int's bounds */
    }
    cJSON_ArrayForEach(name, names) {
        const char *word = cJSON_GetStringValue(name);
        text_add(&lines, "%s%s", name == names->child ? "" : "\n", word ? word : "");
    }
    Status status = text_take(&lines, &text, &size);
    if (status == ST_OK)
        status = dataset_known(fact_text(facts->result, "dataset"),
                               (Shape){1, side[0], side[1], side[2]}, cJSON_GetArraySize(names),
                               text, dataset);
    free(text);
    if (status != ST_OK) {
        status_clear();
        dataset_free(dataset);
    }
    return status == ST_OK;
}

/* What is found must be what the run had, as far as it says so. */
static void find_images(Facts *facts) {
    Dataset told, *found = &facts->dataset;
    bool tells = told_dataset(facts, &told);
    facts->has_images =
        input_dataset(facts->config, found) == ST_OK && (!tells || dataset_is_alike(found, &told));
    if (facts->has_images) {
        dataset_free(&told);
        return;
    }
    status_clear();
    dataset_free(found);
    if (tells)
        *found = told;
    else
        dataset_cifar10(found);
}

Status facts_read_data(const char *path, Facts *facts) {
    TRY(begin(path, facts));
    find_images(facts);
    return ST_OK;
}

Status facts_read_head(const char *path, Facts *facts) {
    TRY(begin(path, facts));
    TRY(read_sessions(facts));
    return read_result(facts);
}

Status facts_read(const char *path, Facts *facts) {
    TRY(facts_read_head(path, facts));
    TRY(facts_read_metrics(facts));
    TRY(predictions_read(path, &facts->predictions));
    add_last_test(facts);
    find_images(facts);
    return ST_OK;
}

void facts_free(Facts *facts) {
    for (int64_t i = 0; i < facts->n_sessions; i++) {
        cJSON_Delete(facts->sessions[i].start);
        cJSON_Delete(facts->sessions[i].end);
    }
    free(facts->sessions);
    predictions_free(&facts->predictions);
    free(facts->train);
    free(facts->eval);
    cJSON_Delete(facts->result);
    free(facts->config_text);
    dataset_free(&facts->dataset);
    free(facts->config);
    *facts = (Facts){0};
}
