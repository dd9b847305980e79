/* runs: the page of several runs. See page.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "page.h"
#include "settings.h"

enum { RUNS_SHOWN = 21 }; /* curves in one figure: each colour three times */

static void draw_curves(Painter *painter, Size size, const void *figure) {
    plot_curves(painter, size, figure);
}

/* Runs that differ by their seed at most: group[i] is the first run that i goes with. */
static void find_groups(const Settings *settings, int n, int *group) {
    for (int i = 0; i < n; i++) {
        group[i] = i;
        for (int j = 0; j < i && group[i] == i; j++) {
            if (group[j] == j && settings_same_but_seed(&settings[j], &settings[i]))
                group[i] = j;
        }
    }
}

/* ---- Curves ---- */

/* Evaluations of the test set, as many as a figure can show. */
static void test_column(const Facts *facts, size_t field, double factor, Column *column) {
    column->n = 0;
    for (int64_t i = 0; i < facts->n_eval && column->n < COLUMN_MAX; i++) {
        if (facts->eval[i].holdout)
            continue;
        column->x[column->n] = facts->eval[i].epoch;
        column->y[column->n++] = factor * *(const double *)((const char *)&facts->eval[i] + field);
    }
}

static Status overlay(Sheet *sheet, const Facts *facts, int n, const char *name, const char *title,
                      const char *unit, const Column *columns, bool dots) {
    Series series[RUNS_SHOWN];
    for (int i = 0; i < n; i++)
        series[i] = (Series){.name = facts[i].name,
                             .n = columns[i].n,
                             .x = columns[i].x,
                             .y = columns[i].y,
                             .colour = i % SERIES_INKS,
                             .dashed = i >= SERIES_INKS,
                             .dots = dots};
    Curves curves = {.title = title,
                     .x_label = "epoch",
                     .y_label = unit,
                     .x_whole = true,
                     .n_series = n,
                     .series = series};
    return sheet_figure(sheet, name, title, (Size){480, 360}, draw_curves, &curves, false, NULL);
}

/* ---- Means over seeds ---- */

typedef struct Spread {
    int64_t n;
    double sum, squares, least, most;
} Spread;

static void spread_add(Spread *spread, double value) {
    if (!isfinite(value))
        return;
    spread->least = spread->n == 0 ? value : fmin(spread->least, value);
    spread->most = spread->n == 0 ? value : fmax(spread->most, value);
    spread->n++;
    spread->sum += value;
    spread->squares += value * value;
}

static double spread_mean(const Spread *spread) {
    return spread->n > 0 ? spread->sum / (double)spread->n : (double)NAN;
}

/* Of a sample: n - 1. */
static double spread_deviation(const Spread *spread) {
    double mean = spread_mean(spread), n = (double)spread->n;
    return spread->n > 1 ? sqrt(fmax(0, spread->squares - n * mean * mean) / (n - 1)) : (double)NAN;
}

static void add_group(Sheet *sheet, const Facts *facts, int n, const int *group, int first) {
    Spread accuracy = {0}, loss = {0};
    for (int i = first; i < n; i++) {
        if (group[i] != first)
            continue;
        spread_add(&accuracy, 100 * fact_number(facts[i].result, "test_accuracy"));
        spread_add(&loss, fact_number(facts[i].result, "test_loss"));
    }
    if (accuracy.n < 2)
        return;
    text_add(&sheet->html, "<tr><th scope=\"row\">");
    text_add_escaped(&sheet->html, facts[first].name);
    text_add(&sheet->html,
             "</th><td>%.0f</td><td>%.3f %%</td><td>%.3f</td><td>%.2f %%</td><td>%.2f %%</td>"
             "<td>%.4f</td><td>%.4f</td></tr>\n",
             (double)accuracy.n, spread_mean(&accuracy), spread_deviation(&accuracy),
             accuracy.least, accuracy.most, spread_mean(&loss), spread_deviation(&loss));
}

static void add_means(Sheet *sheet, const Facts *facts, int n, const int *group) {
    bool any = false;
    for (int i = 0; i < n; i++)
        any = any || group[i] != i;
    if (!any)
        return;
    sheet_open_section(sheet, "seeds", "Over seeds");
    text_add(&sheet->html,
             "<p>Runs that differ by their seed alone, together; the deviation is that of a sample "
             "(n − 1).</p>\n<div class=\"scroll\"><table class=\"num\"><thead><tr>"
             "<th>the first of them</th><th>runs</th><th>test accuracy, mean</th><th>deviation</th>"
             "<th>least</th><th>most</th><th>test loss, mean</th><th>deviation</th></tr></thead>"
             "<tbody>\n");
    for (int i = 0; i < n; i++) {
        if (group[i] == i)
            add_group(sheet, facts, n, group, i);
    }
    text_add(&sheet->html, "</tbody></table></div>\n");
    sheet_close_section(sheet);
}

/* ---- Tables ---- */

static void add_cell(Sheet *sheet, double value, const char *format, double factor) {
    char words[64] = "";
    if (isfinite(value))
        snprintf(words, sizeof words, format, factor * value);
    text_add(&sheet->html, "<td>%s</td>", words);
}

static void add_run(Sheet *sheet, const Facts *facts) {
    const cJSON *result = facts->result;
    char wall[32] = "";
    if (result)
        duration_words(fact_number(result, "wall_s"), wall);
    text_add(&sheet->html, "<tr><th scope=\"row\">");
    text_add_escaped(&sheet->html, facts->name);
    text_add(&sheet->html, "</th>");
    add_cell(sheet, fact_number(result, "test_accuracy"), "%.2f %%", 100);
    add_cell(sheet, fact_number(result, "test_loss"), "%.4f", 1);
    add_cell(sheet, fact_number(result, "epoch"), "%.0f", 1);
    add_cell(sheet, fact_number(result, "ranks"), "%.0f", 1);
    text_add(&sheet->html, "<td>%s</td>", wall);
    add_cell(sheet, fact_number(result, "images_per_s"), "%.0f", 1);
    text_add(&sheet->html, "<td class=\"words\">%s</td>",
             result ? fact_text(result, "status") : "not ended");
    text_add(&sheet->html, "<td class=\"words\">%s</td>", fact_text(result, "dataset"));
    text_add(&sheet->html, "<td class=\"words\"><code>%s</code></td></tr>\n",
             fact_text(result, "state_hash"));
}

static void add_runs(Sheet *sheet, const Facts *facts, int n) {
    sheet_open_section(sheet, "results", "Results");
    text_add(&sheet->html,
             "<div class=\"scroll\"><table class=\"num\"><thead><tr><th>run</th>"
             "<th>test accuracy</th><th>test loss</th><th>epochs</th><th>ranks</th><th>time</th>"
             "<th>images/s</th><th class=\"words\">status</th><th class=\"words\">data set</th>"
             "<th class=\"words\">state_hash</th></tr></thead><tbody>\n");
    for (int i = 0; i < n; i++)
        add_run(sheet, &facts[i]);
    text_add(&sheet->html, "</tbody></table></div>\n");
    sheet_close_section(sheet);
}

static void add_differences(Sheet *sheet, const Facts *facts, const Settings *settings, int n) {
    int different = 0;
    sheet_open_section(sheet, "differences", "What differs");
    text_add(&sheet->html, "<div class=\"scroll\"><table><thead><tr><th>option</th>");
    for (int run = 0; run < n; run++) {
        text_add(&sheet->html, "<th>");
        text_add_escaped(&sheet->html, facts[run].name);
        text_add(&sheet->html, "</th>");
    }
    text_add(&sheet->html, "</tr></thead><tbody>\n");
    for (int i = 0; i < settings[0].n; i++) {
        if (!settings_differ(settings, n, i))
            continue;
        different++;
        text_add(&sheet->html, "<tr><th scope=\"row\">%s</th>", settings[0].setting[i].key);
        for (int run = 0; run < n; run++) {
            text_add(&sheet->html, "<td>");
            text_add_escaped(&sheet->html, settings[run].setting[i].value);
            text_add(&sheet->html, "</td>");
        }
        text_add(&sheet->html, "</tr>\n");
    }
    text_add(&sheet->html, "</tbody></table></div>\n%s",
             different ? "" : "<p>No option: these runs were asked for the same.</p>\n");
    sheet_close_section(sheet);
}

static Status add_figures(Sheet *sheet, const Facts *facts, int n) {
    Status status = ST_OK;
    int shown = n < RUNS_SHOWN ? n : RUNS_SHOWN;
    Column *columns = calloc(RUNS_SHOWN, sizeof *columns);
    TRY_ALLOC(columns);
    sheet_open_section(sheet, "curves", NULL);
    text_add(&sheet->html, "<div class=\"figures\">\n");
    for (int i = 0; i < shown; i++)
        test_column(&facts[i], offsetof(EvalPoint, accuracy), 100, &columns[i]);
    TRY_DONE(overlay(sheet, facts, shown, "accuracy", "Test accuracy", "%", columns, true));
    for (int i = 0; i < shown; i++)
        test_column(&facts[i], offsetof(EvalPoint, loss), 1, &columns[i]);
    TRY_DONE(
        overlay(sheet, facts, shown, "model_losses", "Test loss", "cross-entropy", columns, true));
    for (int i = 0; i < shown; i++)
        figures_train_column(&facts[i], offsetof(TrainPoint, loss), 1, &columns[i]);
    TRY_DONE(overlay(sheet, facts, shown, "training_losses", "Training loss", "cross-entropy",
                     columns, false));
    text_add(&sheet->html, "</div>\n");
    if (n > shown)
        text_add(&sheet->html, "<p>The first %d runs are shown; the tables have all.</p>\n", shown);
    sheet_close_section(sheet);
done:
    free(columns);
    return status;
}

Status page_of_runs(Sheet *sheet, const Facts *facts, int n) {
    Status status = ST_OK;
    Settings *settings = calloc((size_t)n, sizeof *settings);
    int *group = calloc((size_t)n, sizeof *group);
    status = settings && group ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
    if (status != ST_OK)
        goto done;
    for (int i = 0; i < n; i++)
        settings_read(facts[i].config, &settings[i]);
    find_groups(settings, n, group);
    sheet_begin(sheet, "Runs compared");
    text_add(&sheet->html, "<p class=\"kind\">lockstep</p>\n<h1>%d runs compared</h1>\n", n);
    TRY_DONE(add_figures(sheet, facts, n));
    add_runs(sheet, facts, n);
    add_means(sheet, facts, n, group);
    add_differences(sheet, facts, settings, n);
    TRY_DONE(sheet_end(sheet));
done:
    free(settings);
    free(group);
    return status;
}
