/* lines: see lines.h. */
#include "lines.h"

#include <math.h>
#include <stdlib.h>

#include "spread.h"

enum { LINES_SHOWN = 21 }; /* in one figure: each colour three times */

static void draw_curves(Painter *painter, Size size, const void *figure) {
    plot_curves(painter, size, figure);
}

/* A line of a figure: a run, or the mean of those that differ by their seed alone. */
typedef struct Line {
    char name[300];
    int first, runs;           /* the first run of it, and how many */
    Column column;             /* a run's own, or means over runs; */
    double spread[COLUMN_MAX]; /* then their deviations */
} Line;

/* What a figure's lines are made of. */
typedef struct Quantity {
    const char *name, *title, *unit;
    bool tested;  /* a field of evaluations of the test set, else of logged steps */
    size_t field; /* offset in EvalPoint or TrainPoint */
    double factor;
} Quantity;

static const Quantity quantities[] = {
    {"accuracy", "Test accuracy", "%", true, offsetof(EvalPoint, accuracy), 100},
    {"model_losses", "Test loss", "cross-entropy", true, offsetof(EvalPoint, loss), 1},
    {"training_losses", "Training loss", "cross-entropy", false, offsetof(TrainPoint, loss), 1},
};

/* Evaluations of the test set: each so manieth where there are more than a column has room for. */
static void test_column(const Facts *facts, size_t field, double factor, int64_t group,
                        Column *column) {
    int64_t seen = 0;
    column->n = 0;
    for (int64_t i = 0; i < facts->n_eval; i++) {
        const EvalPoint *point = &facts->eval[i];
        if (point->holdout || seen++ % group != 0)
            continue;
        column->x[column->n] = point->epoch;
        column->y[column->n++] = factor * *(const double *)((const char *)point + field);
    }
}

static bool is_tested(const Facts *facts) {
    return isfinite(fact_number(facts->result, "test_accuracy"));
}

/* Whether run i is of the line that begins with run `first`. A run that goes on, or crashed, is not
 * of a mean: it has a line of its own. */
static bool is_of(const Facts *facts, const int *group, int first, int i) {
    return i == first ||
           (group[i] == group[first] && is_tested(&facts[i]) && is_tested(&facts[first]));
}

/* Lines in the order of their first runs; returns how many of lines[n]. */
static int find_lines(const Facts *facts, int n, const int *group, Line *lines) {
    int n_lines = 0;
    for (int i = 0; i < n; i++) {
        bool known = false;
        for (int l = 0; l < n_lines && !known; l++)
            known = is_of(facts, group, lines[l].first, i);
        if (known)
            continue;
        Line *line = &lines[n_lines++];
        *line = (Line){.first = i};
        for (int j = i; j < n; j++)
            line->runs += is_of(facts, group, i, j);
        if (line->runs > 1)
            snprintf(line->name, sizeof line->name, "%s, mean of %d seeds", facts[i].name,
                     line->runs);
        else
            snprintf(line->name, sizeof line->name, "%s", facts[i].name);
    }
    return n_lines;
}

/* Points of runs at the same place are one: mean and deviation, where two runs or more are there;
 * the others, which ended earlier, have no part in it. columns[n] */
static void mean_column(const Column *columns, int n, int64_t *at, Line *line) {
    Column *mean = &line->column;
    mean->n = 0;
    for (int i = 0; i < n; i++)
        at[i] = 0;
    for (;;) {
        Spread spread = {0};
        double x = INFINITY;
        for (int i = 0; i < n; i++)
            x = at[i] < columns[i].n ? fmin(x, columns[i].x[at[i]]) : x;
        if (isinf(x))
            return;
        for (int i = 0; i < n; i++) {
            if (at[i] < columns[i].n && columns[i].x[at[i]] == x)
                spread_add(&spread, columns[i].y[at[i]++]);
        }
        if (spread.n < 2 || mean->n == COLUMN_MAX)
            continue;
        mean->x[mean->n] = x;
        mean->y[mean->n] = spread_mean(&spread);
        line->spread[mean->n++] = spread_deviation(&spread);
    }
}

static void own_column(const Facts *facts, const Quantity *quantity, int64_t group,
                       Column *column) {
    (quantity->tested ? test_column : figures_train_column)(facts, quantity->field,
                                                            quantity->factor, group, column);
}

/* Runs of a mean are thinned out alike, so that their points stand at the same places. */
static Status fill_line(const Facts *facts, int n, const int *group, const Quantity *quantity,
                        Line *line) {
    int64_t points = 1;
    int found = 0;
    for (int i = line->first; i < n; i++) {
        int64_t have = quantity->tested ? facts[i].n_eval : facts[i].n_train;
        points = is_of(facts, group, line->first, i) && have > points ? have : points;
    }
    if (line->runs == 1) {
        own_column(&facts[line->first], quantity, figures_group(points), &line->column);
        return ST_OK;
    }
    Column *columns = calloc((size_t)line->runs, sizeof *columns);
    int64_t *at = calloc((size_t)line->runs, sizeof *at);
    Status status = columns && at ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
    for (int i = line->first; i < n && status == ST_OK; i++) {
        if (is_of(facts, group, line->first, i))
            own_column(&facts[i], quantity, figures_group(points), &columns[found++]);
    }
    if (status == ST_OK)
        mean_column(columns, found, at, line);
    free(columns);
    free(at);
    return status;
}

static Status overlay(Sheet *sheet, const Quantity *quantity, const Line *lines, int n) {
    Series series[LINES_SHOWN];
    bool means = false;
    for (int i = 0; i < n; i++) {
        bool mean = lines[i].runs > 1;
        means = means || mean;
        series[i] = (Series){.name = lines[i].name,
                             .n = lines[i].column.n,
                             .x = lines[i].column.x,
                             .y = lines[i].column.y,
                             .spread = mean ? lines[i].spread : NULL,
                             .band = mean,
                             .colour = i % SERIES_INKS,
                             .dashed = i >= SERIES_INKS,
                             .dots = quantity->tested};
    }
    Curves curves = {.title = quantity->title,
                     .x_label = "epoch",
                     .y_label = quantity->unit,
                     .x_whole = true,
                     .n_series = n,
                     .series = series};
    return sheet_figure(
        sheet, quantity->name, curves.title, (Size){480, 360}, draw_curves, &curves, false,
        means ? "Line and band: mean and standard deviation (n − 1) of runs that differ by their "
                "seed alone."
              : NULL);
}

Status lines_figures(Sheet *sheet, const Facts *facts, int n, const int *group) {
    Status status = ST_OK;
    Line *lines = calloc((size_t)n, sizeof *lines);
    TRY_ALLOC(lines);
    int n_lines = find_lines(facts, n, group, lines);
    int shown = n_lines < LINES_SHOWN ? n_lines : LINES_SHOWN;
    sheet_open_section(sheet, "curves", NULL);
    text_add(&sheet->html, "<div class=\"figures\">\n");
    for (size_t q = 0; q < sizeof quantities / sizeof *quantities; q++) {
        for (int l = 0; l < shown; l++)
            TRY_DONE(fill_line(facts, n, group, &quantities[q], &lines[l]));
        TRY_DONE(overlay(sheet, &quantities[q], lines, shown));
    }
    text_add(&sheet->html, "</div>\n");
    if (n_lines > shown)
        text_add(&sheet->html, "<p>The first %d lines are shown; the tables have all runs.</p>\n",
                 shown);
    sheet_close_section(sheet);
done:
    free(lines);
    return status;
}
