/* figures: see figures.h. */
#include "figures.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MARKS_MAX = 64, BARS_MAX = 24 };

static const Size curve_size = {480, 320};

int figures_marks(const Facts *facts, Mark *marks, int room) {
    int n = 0;
    for (int64_t i = 1; i < facts->n_sessions && n < room; i++) {
        double epoch = facts_epoch(facts, fact_number(facts->sessions[i].start, "step"));
        bool crashed = !facts->sessions[i - 1].end;
        if (isfinite(epoch))
            marks[n++] = (Mark){epoch, crashed ? "crash, resumed" : "resumed"};
    }
    return n;
}

int64_t figures_group(int64_t n) {
    return (n + COLUMN_MAX - 1) / COLUMN_MAX;
}

void figures_train_column(const Facts *facts, size_t field, double factor, int64_t group,
                          Column *column) {
    column->n = 0;
    for (int64_t from = 0; from < facts->n_train; from += group) {
        double x = 0, y = 0;
        int64_t n = 0;
        for (; n < group && from + n < facts->n_train; n++) {
            const TrainPoint *point = &facts->train[from + n];
            x += point->epoch;
            y += factor * *(const double *)((const char *)point + field);
        }
        column->x[column->n] = x / (double)n;
        column->y[column->n++] = y / (double)n;
    }
}

/* Evaluations of one set; where there are too many, each so manieth. */
static void eval_column(const Facts *facts, bool holdout, size_t field, double factor,
                        Column *column) {
    int64_t skip = (facts->n_eval + COLUMN_MAX - 1) / COLUMN_MAX, seen = 0;
    column->n = 0;
    for (int64_t i = 0; i < facts->n_eval; i++) {
        const EvalPoint *point = &facts->eval[i];
        if (point->holdout != holdout || seen++ % skip != 0)
            continue;
        column->x[column->n] = point->epoch;
        column->y[column->n++] = factor * *(const double *)((const char *)point + field);
    }
}

static void draw_curves(Painter *painter, Size size, const void *figure) {
    plot_curves(painter, size, figure);
}

static Series series_of(const char *name, const Column *column, int colour, bool dots) {
    return (Series){.name = name,
                    .n = column->n,
                    .x = column->x,
                    .y = column->y,
                    .colour = colour,
                    .dots = dots};
}

/* What was met in training, and what the test set and the held-out images said. */
static Status learning_figure(Sheet *sheet, const Facts *facts, const char *name, const char *title,
                              const char *unit, size_t trained, size_t evaluated, double factor,
                              const char *note) {
    Column train, test, held;
    Mark marks[MARKS_MAX];
    figures_train_column(facts, trained, factor, figures_group(facts->n_train), &train);
    eval_column(facts, false, evaluated, factor, &test);
    eval_column(facts, true, evaluated, factor, &held);
    Series series[] = {series_of("training", &train, 0, false), series_of("test", &test, 1, true),
                       series_of("held out", &held, 2, true)};
    Curves curves = {.title = title,
                     .x_label = "epoch",
                     .y_label = unit,
                     .x_whole = true,
                     .from_zero = true,
                     .n_series = held.n > 0 ? 3 : 2,
                     .n_marks = figures_marks(facts, marks, MARKS_MAX),
                     .series = series,
                     .marks = marks};
    return sheet_figure(sheet, name, title, curve_size, draw_curves, &curves, false, note);
}

static Status rate_figure(Sheet *sheet, const Facts *facts) {
    Column lr;
    Mark marks[MARKS_MAX];
    figures_train_column(facts, offsetof(TrainPoint, lr), 1, figures_group(facts->n_train), &lr);
    Series series = series_of("learning rate", &lr, 0, false);
    Curves curves = {.title = "Learning rate",
                     .x_label = "epoch",
                     .y_label = "per step",
                     .x_whole = true,
                     .from_zero = true,
                     .n_series = 1,
                     .n_marks = figures_marks(facts, marks, MARKS_MAX),
                     .series = &series,
                     .marks = marks};
    return sheet_figure(sheet, "learning_rate", curves.title, curve_size, draw_curves, &curves,
                        false, NULL);
}

/* ---- Times ---- */

enum { PARTS = PHASES, COLUMNS_MAX = 400 };

static const char *const part_names[] = {[PHASE_DATA] = "data",
                                         [PHASE_FORWARD] = "forward",
                                         [PHASE_BACKWARD] = "backward",
                                         [PHASE_EXPOSED] = "communication",
                                         [PHASE_OPTIMIZER] = "optimizer",
                                         [PHASE_CHECKPOINT] = "checkpoint",
                                         [PHASE_EVALUATION] = "evaluation"};
_Static_assert(sizeof part_names / sizeof *part_names == PHASES && (int)PHASES <= (int)SERIES_INKS,
               "each phase has a name and a colour");

static void draw_stacks(Painter *painter, Size size, const void *figure) {
    plot_stacks(painter, size, figure);
}

/* The column of an epoch that has been going on for `epoch`: 1.0 is the end of the first. */
static int64_t column_of(double epoch, int64_t columns) {
    int64_t column = (int64_t)ceil(epoch - 1e-9) - 1;
    return column < 0 ? 0 : column >= columns ? columns - 1 : column;
}

static Status times_figure(Sheet *sheet, const Facts *facts) {
    double last = facts->n_train > 0 ? facts->train[facts->n_train - 1].epoch : 0;
    int64_t columns = (int64_t)ceil(last - 1e-9);
    if (columns < 1 || columns > COLUMNS_MAX)
        return ST_OK;
    double *value = calloc((size_t)(columns * (PARTS + 1)), sizeof *value);
    TRY_ALLOC(value);
    double *x = value + columns * PARTS;
    for (int64_t i = 0; i < columns; i++)
        x[i] = (double)i + 1;
    for (int64_t i = 0; i < facts->n_train; i++) {
        double *column = value + column_of(facts->train[i].epoch, columns) * PARTS;
        for (Phase p = 0; p < PHASE_EVALUATION; p++)
            column[p] += facts->train[i].times.seconds[p];
    }
    for (int64_t i = 0; i < facts->n_eval; i++) {
        double seconds = facts->eval[i].wall_s;
        value[column_of(facts->eval[i].epoch, columns) * PARTS + PHASE_EVALUATION] +=
            isfinite(seconds) ? seconds : 0;
    }
    Stacks stacks = {.title = "Where the time went",
                     .x_label = "epoch",
                     .y_label = "seconds",
                     .n_parts = PARTS,
                     .parts = part_names,
                     .n = columns,
                     .x = x,
                     .value = value};
    Status status = sheet_figure(
        sheet, "where_time_went", stacks.title, curve_size, draw_stacks, &stacks, false,
        "Communication is what backward did not hide. Each phase: the slowest rank.");
    free(value);
    return status;
}

Status figures_curves(Sheet *sheet, const Facts *facts) {
    TRY(learning_figure(sheet, facts, "model_losses", "Loss", "cross-entropy",
                        offsetof(TrainPoint, loss), offsetof(EvalPoint, loss), 1, NULL));
    TRY(learning_figure(sheet, facts, "accuracy", "Accuracy", "%", offsetof(TrainPoint, accuracy),
                        offsetof(EvalPoint, accuracy), 100, NULL));
    TRY(rate_figure(sheet, facts));
    return times_figure(sheet, facts);
}

/* ---- Classes ---- */

int64_t *figures_confusion(const Facts *facts) {
    const cJSON *rows = cJSON_GetObjectItemCaseSensitive(facts->result, "confusion");
    int64_t n = facts->dataset.classes, sum = 0;
    if (cJSON_GetArraySize(rows) != n)
        return NULL;
    int64_t *count = calloc((size_t)(n * n), sizeof *count);
    for (int64_t i = 0; count && i < n * n; i++) {
        const cJSON *row = cJSON_GetArrayItem(rows, (int)(i / n));
        const cJSON *item = cJSON_GetArrayItem(row, (int)(i % n));
        count[i] = cJSON_IsNumber(item) ? (int64_t)item->valuedouble : 0;
        sum += count[i];
    }
    if (sum == 0) { /* a stopped run was not evaluated */
        free(count);
        return NULL;
    }
    return count;
}

static void draw_heat(Painter *painter, Size size, const void *figure) {
    plot_heat(painter, size, figure);
}

static void draw_bars(Painter *painter, Size size, const void *figure) {
    plot_bars(painter, size, figure);
}

/* A class with its accuracy in %, NaN: without images. */
typedef struct ClassBar {
    const char *name;
    double value;
    int64_t class;
} ClassBar;

/* Those without images last, of equals the first one first. */
static int lowest_first(const void *a, const void *b) {
    const ClassBar *x = a, *y = b;
    double p = isnan(x->value) ? 101 : x->value, q = isnan(y->value) ? 101 : y->value;
    return p != q ? (p > q) - (p < q) : (x->class > y->class) - (x->class < y->class);
}

/* In the order of the classes; of many those with the lowest accuracy alone. */
static Status bars_figure(Sheet *sheet, const Facts *facts) {
    const cJSON *item, *list = cJSON_GetObjectItemCaseSensitive(facts->result, "class_accuracy");
    int64_t all = facts->dataset.classes, n = all < BARS_MAX ? all : BARS_MAX, i = 0;
    ClassBar *classes = calloc((size_t)all, sizeof *classes);
    const char *names[BARS_MAX];
    double value[BARS_MAX];
    char title[64] = "Test accuracy by class";
    TRY_ALLOC(classes);
    for (int64_t c = 0; c < all; c++)
        classes[c] = (ClassBar){facts->dataset.class_names[c], (double)NAN, c};
    cJSON_ArrayForEach(item, list) {
        if (i < all && cJSON_IsNumber(item))
            classes[i].value = 100 * item->valuedouble;
        i++;
    }
    if (all > n) {
        qsort(classes, (size_t)all, sizeof *classes, lowest_first);
        snprintf(title, sizeof title, "Lowest test accuracies: %d of %" PRId64 " classes", BARS_MAX,
                 all);
    }
    for (int64_t c = 0; c < n; c++) {
        names[c] = classes[c].name;
        value[c] = classes[c].value;
    }
    free(classes);
    Bars bars = {.title = title,
                 .x_label = "%",
                 .n = n,
                 .names = names,
                 .value = value,
                 .most = 100,
                 .decimals = 1};
    return sheet_figure(sheet, "per_class", bars.title, (Size){480, 480}, draw_bars, &bars, false,
                        NULL);
}

Status figures_confusion_matrix(Sheet *sheet, const Facts *facts, const int64_t *count) {
    Heat heat = {.title = facts->dataset.synthetic ? "Confusion matrix of synthetic images"
                                                   : "Confusion matrix",
                 .x_label = "guess",
                 .y_label = "truth",
                 .n = facts->dataset.classes,
                 .names = facts->dataset.class_names,
                 .count = count};
    return sheet_figure(sheet, "confusion_matrix", heat.title, (Size){480, 480}, draw_heat, &heat,
                        false, NULL);
}

Status figures_classes(Sheet *sheet, const Facts *facts) {
    int64_t *count = figures_confusion(facts);
    Status status = count ? figures_confusion_matrix(sheet, facts, count) : ST_OK;
    free(count);
    return status == ST_OK ? bars_figure(sheet, facts) : status;
}
