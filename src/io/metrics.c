/* metrics: metrics.jsonl and result.json. See metrics.h.
 *
 * A line is formatted on the stack and written by one write(2): a crash tears at most the last
 * line. What is not known to be on the disk is kept here too: when an fsync has failed, the system
 * takes those pages as written, whether they are or not, and another fsync of them says yes. So the
 * next one is of a new file, made of what was on the disk before and what is kept. */
#include "lockstep/metrics.h"

#include <cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_util.h"
#include "lockstep/clock.h"
#include "lockstep/file.h"
#include "lockstep/hash.h"
#include "lockstep/log.h"
#include "lockstep/text.h"
#include "metrics_mend.h"
#include "tensorboard.h"

enum { LINE_BYTES = 2048, KEPT_BYTES = 1 << 20 };

struct Metrics {
    RunDir *dir; /* has the descriptor of metrics.jsonl; borrowed */
    atomic_bool has_board;
    Tensorboard board;
    pthread_mutex_t lines; /* guards what follows and the descriptor: steps write, another thread
                              makes durable */
    Text kept;             /* lines behind the first `durable` bytes of metrics.jsonl */
    size_t durable;
    bool doubtful; /* an fsync has failed since */
};

/* TensorBoard's events say what metrics.jsonl says as well: where they cannot be written the run
 * goes on without them, unless the directory is another's now. */
static Status after_board(Metrics *sinks, Status status) {
    if (status != ST_CHECKPOINT)
        return status;
    log_warn("%s; the run goes on without TensorBoard's events", status_message());
    status_clear();
    sinks->has_board = false;
    return rundir_check(sinks->dir);
}

typedef struct Line {
    char text[LINE_BYTES];
    size_t used; /* LINE_BYTES: did not fit */
} Line;

static void add(Line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(Line *line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line->text + line->used, LINE_BYTES - line->used, format, arguments);
    va_end(arguments);
    line->used =
        n < 0 || (size_t)n >= LINE_BYTES - line->used ? LINE_BYTES : line->used + (size_t)n;
}

/* The shortest of up to 17 digits that reads back to the same value. */
static void add_real(Line *line, const char *key, double value) {
    char text[40] = "null";
    if (isfinite(value)) {
        for (int digits = 6; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, value);
            if (strtod(text, NULL) == value)
                break;
        }
    }
    add(line, ",\"%s\":%s", key, text);
}

static void add_int(Line *line, const char *key, int64_t value) {
    add(line, ",\"%s\":%" PRId64, key, value);
}

/* Host names and words of our own: only quotes, backslashes and control characters are in the way.
 */
static void add_text(Line *line, const char *key, const char *value) {
    add(line, ",\"%s\":\"", key);
    for (const char *c = value; *c; c++) {
        if (*c == '"' || *c == '\\')
            add(line, "\\%c", *c);
        else if ((unsigned char)*c < 0x20)
            add(line, "\\u%04x", (unsigned char)*c);
        else
            add(line, "%c", *c);
    }
    add(line, "\"");
}

/* "times":{"at":"2026-01-31T12:00:00Z"; the caller adds more and closes it. */
static void begin_times(Line *line) {
    char now[21];
    clock_iso8601(now);
    add(line, ",\"times\":{\"at\":\"%s\"", now);
}

/* Measured, so six digits are plenty. `first` has no comma before it. */
static void add_measured(Line *line, const char *key, double value, bool first) {
    if (isfinite(value))
        add(line, "%s\"%s\":%.6g", first ? "" : ",", key, value);
    else
        add(line, "%s\"%s\":null", first ? "" : ",", key);
}

static Status put_line(Metrics *sinks, Line *line) {
    const RunDir *dir = sinks->dir;
    TRY(rundir_check(dir));
    add(line, "}\n");
    if (line->used >= LINE_BYTES)
        return FAIL(ST_INTERNAL, "a line of metrics.jsonl is longer than %d bytes", LINE_BYTES);
    pthread_mutex_lock(&sinks->lines);
    Status status = file_write(dir->metrics_fd, "metrics.jsonl", line->text, line->used);
    text_add_bytes(&sinks->kept, line->text, line->used);
    pthread_mutex_unlock(&sinks->lines);
    if (status != ST_OK)
        status_prefix("%s", dir->path);
    return status;
}

Status metrics_train(Metrics *sinks, const TrainMetrics *metrics) {
    Line line = {.used = 0};
    add(&line, "{\"kind\":\"train\"");
    add_text(&line, "dataset", metrics->dataset);
    add_int(&line, "step", metrics->step);
    add_real(&line, "epoch", metrics->epoch);
    add_real(&line, "loss", metrics->loss);
    add_real(&line, "accuracy", metrics->accuracy);
    add_real(&line, "lr", metrics->lr);
    if (!(metrics->grad_norm < 0))
        add_real(&line, "grad_norm", metrics->grad_norm);
    add_int(&line, "images", metrics->images);
    begin_times(&line);
    for (Phase p = 0; p < PHASES; p++)
        add_measured(&line, phase_key(p), metrics->times.seconds[p], false);
    add(&line, "},\"rates\":{");
    add_measured(&line, "images_per_s", metrics->images_per_s, true);
    add(&line, "}");
    add_int(&line, "memory", metrics->memory);
    add_int(&line, "ranks", metrics->ranks);
    add_int(&line, "threads", metrics->threads);
    add_text(&line, "host", metrics->host);
    TRY(put_line(sinks, &line));
    return sinks->has_board ? after_board(sinks, tensorboard_train(&sinks->board, metrics)) : ST_OK;
}

static void format_eval(Line *line, const EvalMetrics *metrics) {
    add(line, "{\"kind\":\"eval\"");
    add_text(line, "dataset", metrics->dataset);
    add_int(line, "step", metrics->step);
    add_int(line, "epoch", metrics->epoch);
    add_text(line, "split", metrics->split);
    add_real(line, "loss", metrics->loss);
    add_real(line, "accuracy", metrics->accuracy);
    if (!(metrics->train_loss < 0)) {
        add_real(line, "train_loss", metrics->train_loss);
        add_real(line, "train_accuracy", metrics->train_accuracy);
    }
    add_int(line, "images", metrics->images);
    add(line, ",\"best\":%s", metrics->best ? "true" : "false");
}

Status metrics_eval(Metrics *sinks, const EvalMetrics *metrics) {
    Line line = {.used = 0};
    format_eval(&line, metrics);
    begin_times(&line);
    add_measured(&line, "wall_s", metrics->wall_s, false);
    add(&line, "}");
    TRY(put_line(sinks, &line));
    return sinks->has_board ? after_board(sinks, tensorboard_eval(&sinks->board, metrics)) : ST_OK;
}

/* The line of another process, whose times are not known. */
static void put_past(const EvalMetrics *metrics, Text *text) {
    Line line = {.used = 0};
    format_eval(&line, metrics);
    text_add(text, "%s,\"times\":{\"at\":null,\"wall_s\":null}}\n", line.text);
}

Status metrics_image(Metrics *sinks, int64_t step, const BoardImage *image) {
    TRY(rundir_check(sinks->dir));
    return sinks->has_board ? after_board(sinks, tensorboard_image(&sinks->board, step, image))
                            : ST_OK;
}

Status metrics_histogram(Metrics *sinks, int64_t step, const char *tag,
                         const Histogram *histogram) {
    TRY(rundir_check(sinks->dir));
    return sinks->has_board
               ? after_board(sinks, tensorboard_histogram(&sinks->board, step, tag, histogram))
               : ST_OK;
}

/* Makes the file what `step` and the known evaluations say. `anew`: as a new file, also where it is
 * that already. */
static Status mend(RunDir *dir, int64_t step, const EvalMetrics *known, int64_t n, bool anew) {
    Status status = ST_OK;
    char path[4096];
    char *text = NULL;
    size_t size = 0;
    int64_t put_back;
    Text mended = {0};
    TRY(rundir_check(dir));
    TRY(file_join(dir->path, "metrics.jsonl", path));
    bool have = access(path, F_OK) == 0;
    if (have)
        TRY(file_load(path, &text, &size));
    TRY_DONE(metrics_mended(text ? text : "", size, step, known, n, put_past, &mended, &put_back));
    if (put_back > 0)
        log_warn("%s lacked %" PRId64 " evaluation%s that the checkpoint knows of: put back, "
                 "without their times",
                 path, put_back, put_back == 1 ? "" : "s");
    if (put_back > 0 || (have && (anew || mended.size != size)))
        TRY_DONE(rundir_replace(dir, "metrics.jsonl", mended.bytes, mended.size));
done:
    text_free(&mended);
    free(text);
    return status;
}

Status metrics_mend(RunDir *dir, int64_t step, const EvalMetrics *known, int64_t n) {
    return mend(dir, step, known, n, false);
}

/* The file as it is named now, in place of the one that is open, which stays open where that fails:
 * what is written there meanwhile is kept as well. */
static Status open_lines(RunDir *dir) {
    char path[4096];
    TRY(file_join(dir->path, "metrics.jsonl", path));
    int fd = file_open(path, O_WRONLY | O_CREAT | O_APPEND);
    if (fd < 0)
        return FAIL(ST_CHECKPOINT, "%s: cannot be opened: %s", path, file_cause(errno));
    if (dir->metrics_fd >= 0)
        close(dir->metrics_fd);
    dir->metrics_fd = fd;
    /* It may have been made here: metrics_sync is about its lines, not about its name. */
    return file_sync_folder(dir->path);
}

static Status size_of_lines(const RunDir *dir, size_t *size) {
    struct stat file;
    if (fstat(dir->metrics_fd, &file) != 0)
        return FAIL(ST_CHECKPOINT, "%s/metrics.jsonl: cannot be looked at: %s", dir->path,
                    strerror(errno));
    *size = (size_t)file.st_size;
    return ST_OK;
}

Status metrics_open(RunDir *dir, int64_t step, const EvalMetrics *known, int64_t n,
                    const BoardFacts *facts, Metrics **sinks) {
    Metrics *made = calloc(1, sizeof *made);
    TRY_ALLOC(made);
    *sinks = made;
    made->dir = dir;
    made->board.file.fd = -1;
    if (pthread_mutex_init(&made->lines, NULL) != 0)
        return FAIL(ST_INTERNAL, "a mutex cannot be made");
    text_reserve(&made->kept, KEPT_BYTES);
    TRY(mend(dir, step, known, n, true));
    TRY(open_lines(dir));
    TRY(size_of_lines(dir, &made->durable));
    made->has_board = facts != NULL;
    return facts ? after_board(made, tensorboard_open(dir, step, facts, &made->board)) : ST_OK;
}

void metrics_close(Metrics *sinks) {
    if (!sinks)
        return;
    tensorboard_close(&sinks->board);
    text_free(&sinks->kept);
    pthread_mutex_destroy(&sinks->lines);
    free(sinks);
}

/* metrics.jsonl as a new file: what was durable of it, and the lines kept since. With the lock. */
static Status write_anew(Metrics *sinks) {
    Status status = ST_OK;
    char path[4096], *text = NULL;
    size_t size = 0;
    Text all = {0};
    TRY(file_join(sinks->dir->path, "metrics.jsonl", path));
    TRY(file_load(path, &text, &size));
    if (size < sinks->durable)
        status = FAIL(ST_CHECKPOINT, "%s: is shorter than what was on the disk of it", path);
    TRY_DONE(status);
    text_add_bytes(&all, text, sinks->durable);
    text_add_bytes(&all, sinks->kept.bytes, sinks->kept.size);
    if (all.failed || sinks->kept.failed)
        status = FAIL(ST_INTERNAL, "out of memory");
    TRY_DONE(status);
    TRY_DONE(rundir_replace(sinks->dir, "metrics.jsonl", all.bytes, all.size));
    TRY_DONE(open_lines(sinks->dir));
    sinks->doubtful = false;
done:
    text_free(&all);
    free(text);
    return status;
}

/* Not with the lock for as long as the disk takes: steps write lines meanwhile. */
static Status sync_lines(Metrics *sinks) {
    const RunDir *dir = sinks->dir;
    pthread_mutex_lock(&sinks->lines);
    Status status = sinks->doubtful ? write_anew(sinks) : ST_OK;
    size_t lines = sinks->kept.size;
    pthread_mutex_unlock(&sinks->lines);
    TRY(status);
    int error = file_sync(dir->metrics_fd) != 0 ? errno : 0;
    pthread_mutex_lock(&sinks->lines);
    if (error) {
        sinks->doubtful = true;
    } else {
        sinks->durable += lines;
        text_drop(&sinks->kept, lines);
    }
    pthread_mutex_unlock(&sinks->lines);
    return error ? FAIL(ST_CHECKPOINT, "%s/metrics.jsonl: cannot be made durable: %s", dir->path,
                        strerror(error))
                 : ST_OK;
}

Status metrics_sync(Metrics *sinks) {
    TRY(sync_lines(sinks));
    if (sinks->has_board && file_sync(sinks->board.file.fd) != 0)
        return after_board(sinks, FAIL(ST_CHECKPOINT, "%s: cannot be made durable: %s",
                                       sinks->board.file.path, strerror(errno)));
    return ST_OK;
}

static void put_times(cJSON *root, const PhaseTimes *times) {
    cJSON *object = cJSON_AddObjectToObject(root, "times");
    for (Phase p = 0; p < PHASES; p++)
        cJSON_AddNumberToObject(object, phase_key(p), times->seconds[p]);
}

/* How fast each rank was. */
static void put_pace(cJSON *root, const RunResult *result) {
    if (!result->pace) {
        cJSON_AddNullToObject(root, "rank_times");
        return;
    }
    cJSON *list = cJSON_AddArrayToObject(root, "rank_times");
    for (int r = 0; r < result->ranks; r++) {
        cJSON *rank = cJSON_CreateObject();
        cJSON_AddNumberToObject(rank, "rank", r);
        cJSON_AddStringToObject(rank, "host", result->pace[r].host);
        cJSON_AddNumberToObject(rank, "lane_s", result->pace[r].lane_s);
        cJSON_AddNumberToObject(rank, "waited_s", result->pace[r].waited_s);
        cJSON_AddBoolToObject(rank, "slow", result->pace[r].slow);
        cJSON_AddItemToArray(list, rank);
    }
}

static void put_losses(cJSON *root, const RunResult *result) {
    cJSON *list = cJSON_AddArrayToObject(root, "lost_ranks");
    for (int64_t i = 0; i < result->n_losses; i++) {
        cJSON *loss = cJSON_CreateObject();
        cJSON_AddNumberToObject(loss, "rank", result->losses[i].rank);
        cJSON_AddStringToObject(loss, "host", result->losses[i].host);
        cJSON_AddNumberToObject(loss, "step", (double)result->losses[i].step);
        cJSON_AddItemToArray(list, loss);
    }
}

/* What the data set is like. */
static void put_classes(cJSON *root, const RunResult *result) {
    const int64_t image[] = {result->image.c, result->image.h, result->image.w};
    cJSON *list = cJSON_AddArrayToObject(root, "image");
    cJSON *names = cJSON_AddArrayToObject(root, "class_names");
    for (int i = 0; i < 3; i++)
        cJSON_AddItemToArray(list, cJSON_CreateNumber((double)image[i]));
    for (int64_t i = 0; i < result->classes; i++)
        cJSON_AddItemToArray(names, cJSON_CreateString(result->class_names[i]));
}

/* Counts, and the accuracy of each class (null for one without images). */
static void put_confusion(cJSON *root, const RunResult *result) {
    bool small = result->classes <= RESULT_CONFUSION_MAX;
    cJSON *rows = small ? cJSON_AddArrayToObject(root, "confusion")
                        : cJSON_AddNullToObject(root, "confusion");
    cJSON *accuracy = cJSON_AddArrayToObject(root, "class_accuracy");
    bool counted = result->confusion && result->class_images;
    for (int64_t i = 0; i < result->classes; i++) {
        const int64_t *counts = counted ? result->confusion + i * result->classes : NULL;
        int64_t images = counted ? result->class_images[i] : 0;
        cJSON *row = small ? cJSON_CreateArray() : NULL;
        for (int64_t j = 0; row && j < result->classes; j++)
            cJSON_AddItemToArray(row, cJSON_CreateNumber(counts ? (double)counts[j] : 0));
        if (row)
            cJSON_AddItemToArray(rows, row);
        cJSON_AddItemToArray(accuracy, images > 0
                                           ? cJSON_CreateNumber((double)counts[i] / (double)images)
                                           : cJSON_CreateNull());
    }
}

static cJSON *result_object(const RunResult *result) {
    char hex[17];
    cJSON *root = cJSON_CreateObject();
    hash_hex(result->state_hash, hex);
    cJSON_AddStringToObject(root, "status", result->status);
    cJSON_AddStringToObject(root, "state_hash", hex);
    hash_hex(result->samples.all, hex);
    cJSON_AddStringToObject(root, "samples_hash", hex);
    cJSON_AddNumberToObject(root, "samples_from", (double)result->samples.from);
    cJSON_AddNumberToObject(root, "skipped_steps", (double)result->bad_steps.skipped);
    cJSON_AddNumberToObject(root, "rollbacks", (double)result->bad_steps.rollbacks);
    cJSON_AddNumberToObject(root, "lr_factor", result->bad_steps.lr_factor);
    cJSON_AddNumberToObject(root, "test_accuracy", result->test_accuracy);
    cJSON_AddNumberToObject(root, "test_loss", result->test_loss);
    cJSON_AddNumberToObject(root, "test_accuracy_plain", result->plain_accuracy);
    cJSON_AddNumberToObject(root, "test_loss_plain", result->plain_loss);
    cJSON_AddStringToObject(root, "tta", result->tta);
    cJSON_AddNumberToObject(root, "test_images", (double)result->test_images);
    cJSON_AddNumberToObject(root, "test_correct", (double)result->test_correct);
    cJSON_AddNumberToObject(root, "train_accuracy",
                            result->last_epoch ? result->last_epoch->train_accuracy : NAN);
    cJSON_AddNumberToObject(root, "train_loss",
                            result->last_epoch ? result->last_epoch->train_loss : NAN);
    cJSON_AddNumberToObject(root, "epoch", (double)result->epoch);
    cJSON_AddNumberToObject(root, "step", (double)result->step);
    cJSON_AddNumberToObject(root, "lanes", (double)result->lanes);
    cJSON_AddNumberToObject(root, "parameters", (double)result->parameters);
    cJSON_AddStringToObject(root, "device", result->device);
    cJSON_AddStringToObject(root, "dataset", result->dataset);
    put_classes(root, result);
    cJSON_AddStringToObject(root, "git", result->git);
    cJSON_AddNumberToObject(root, "best_accuracy",
                            result->best_step >= 0 ? result->best_accuracy : NAN);
    if (result->best_step >= 0)
        cJSON_AddNumberToObject(root, "best_step", (double)result->best_step);
    else
        cJSON_AddNullToObject(root, "best_step");
    cJSON_AddStringToObject(root, "selected_on", result->selected_on);
    cJSON_AddNumberToObject(root, "target_s", result->target_s);
    put_confusion(root, result);
    if (result->resumed_from >= 0)
        cJSON_AddNumberToObject(root, "resumed_from", (double)result->resumed_from);
    else
        cJSON_AddNullToObject(root, "resumed_from");
    cJSON_AddNumberToObject(root, "ranks", result->ranks);
    cJSON_AddNumberToObject(root, "images_per_s", result->images_per_s);
    cJSON_AddNumberToObject(root, "wall_s", result->wall_s);
    cJSON_AddNumberToObject(root, "train_s", result->train_s);
    cJSON_AddNumberToObject(root, "plan_s", result->plan_s);
    cJSON_AddNumberToObject(root, "plans_made", (double)result->plans_made);
    cJSON_AddNumberToObject(root, "plans_taken", (double)result->plans_taken);
    put_times(root, &result->times);
    put_pace(root, result);
    put_losses(root, result);
    return root;
}

Status metrics_result(RunDir *dir, const RunResult *result) {
    cJSON *root = result_object(result);
    /* Every part is in the text or the text is NULL: cJSON's adders pass NULL through. */
    char *text = root ? cJSON_Print(root) : NULL;
    Status status = text ? rundir_replace(dir, "result.json", text, strlen(text))
                         : FAIL(ST_INTERNAL, "out of memory for result.json");
    cJSON_free(text);
    cJSON_Delete(root);
    return status;
}
