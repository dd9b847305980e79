/* tensorboard: see tensorboard.h. */
#include "tensorboard.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file_util.h"
#include "folder.h"

static void file_name(int64_t number, char name[64]) {
    snprintf(name, 64, "events.out.tfevents.%06" PRId64 ".lockstep", number);
}

static bool has_number(const char *name, int64_t *number) {
    char same[64];
    if (sscanf(name, "events.out.tfevents.%" SCNd64 ".lockstep", number) != 1)
        return false;
    file_name(*number, same);
    return strcmp(name, same) == 0;
}

static bool is_numbered(const char *name) {
    int64_t number;
    return has_number(name, &number);
}

/* The number of the last file, 0 where there is none. */
static Status last_number(const char *folder, int64_t *number) {
    Names names;
    int64_t found;
    Status status = folder_names(folder, is_numbered, &names);
    *number = 0;
    for (int64_t i = 0; status == ST_OK && i < names.n; i++) {
        if (has_number(names.name[i], &found) && found > *number)
            *number = found;
    }
    folder_free(&names);
    return status;
}

/* As Markdown: each line is indented, which keeps it as it is. */
static Status add_block(EventFile *file, const char *tag, const char *words) {
    Text text = {0};
    char *bytes;
    size_t size;
    for (const char *line = words; *line;) {
        size_t length = strcspn(line, "\n");
        text_add(&text, "    %.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
    TRY(text_take(&text, &bytes, &size));
    event_words(file, tag, bytes);
    free(bytes);
    return ST_OK;
}

static Status begin(Tensorboard *board, int64_t step, const BoardFacts *facts) {
    EventFile *file = &board->file;
    /* A run that begins anew has nothing before it, not even the texts of step 0. */
    TRY(event_file_start(file, step == 0 ? 0 : step + 1));
    if (step > 0)
        return ST_OK;
    TRY(add_block(file, "config", facts->config));
    TRY(add_block(file, "structure", facts->structure));
    return event_file_write(file, 0);
}

/* A new file under the old name, with what the old one holds: what a process that was cut off still
 * writes goes to a file that has no name any more. */
static Status renew(const RunDir *dir, const char *folder, int64_t number) {
    char name[64], inner[80], path[4096], *bytes;
    size_t size;
    file_name(number, name);
    TRY(file_join(folder, name, path));
    TRY(file_load(path, &bytes, &size));
    snprintf(inner, sizeof inner, "tensorboard/%s", name);
    Status status = rundir_replace(dir, inner, bytes, size);
    free(bytes);
    return status;
}

Status tensorboard_open(const RunDir *dir, int64_t step, const BoardFacts *facts,
                        Tensorboard *board) {
    char folder[4096], path[4096], name[64];
    int64_t number;
    board->file.fd = -1;
    TRY(rundir_check(dir));
    TRY(file_join(dir->path, "tensorboard", folder));
    TRY(file_make_folders(folder, "--out"));
    TRY(last_number(folder, &number));
    if (number > 0)
        TRY(renew(dir, folder, number));
    file_name(number + 1, name);
    TRY(file_join(folder, name, path));
    TRY(event_file_create(path, &board->file));
    TRY(begin(board, step, facts));
    TRY(file_sync_folder(folder));
    return file_sync_folder(dir->path);
}

void tensorboard_close(Tensorboard *board) {
    event_file_close(&board->file);
}

Status tensorboard_train(Tensorboard *board, const TrainMetrics *metrics) {
    char tag[64];
    EventFile *file = &board->file;
    event_scalar(file, "train/loss", metrics->loss);
    event_scalar(file, "train/accuracy", metrics->accuracy);
    event_scalar(file, "train/lr", metrics->lr);
    event_scalar(file, "train/epoch", metrics->epoch);
    if (!(metrics->grad_norm < 0))
        event_scalar(file, "train/grad_norm", metrics->grad_norm);
    event_scalar(file, "speed/images_per_s", metrics->images_per_s);
    for (Phase p = 0; p < PHASES; p++) {
        snprintf(tag, sizeof tag, "seconds/%s", phase_key(p));
        event_scalar(file, tag, metrics->times.seconds[p]);
    }
    return event_file_write(file, metrics->step);
}

Status tensorboard_eval(Tensorboard *board, const EvalMetrics *metrics) {
    EventFile *file = &board->file;
    char tag[64];
    snprintf(tag, sizeof tag, "%s/loss", metrics->split);
    event_scalar(file, tag, metrics->loss);
    snprintf(tag, sizeof tag, "%s/accuracy", metrics->split);
    event_scalar(file, tag, metrics->accuracy);
    return event_file_write(file, metrics->step);
}

Status tensorboard_histogram(Tensorboard *board, int64_t step, const char *tag,
                             const Histogram *histogram) {
    event_histogram(&board->file, tag, histogram);
    return event_file_write(&board->file, step);
}

Status tensorboard_image(Tensorboard *board, int64_t step, const BoardImage *image) {
    return event_image(&board->file, step, image);
}
