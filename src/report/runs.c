/* runs: the page of several runs. See page.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "lines.h"
#include "page.h"
#include "settings.h"
#include "spread.h"

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

/* ---- Tables ---- */

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
    TRY_DONE(lines_figures(sheet, facts, n, group));
    add_runs(sheet, facts, n);
    add_means(sheet, facts, n, group);
    add_differences(sheet, facts, settings, n);
    TRY_DONE(sheet_end(sheet));
done:
    free(settings);
    free(group);
    return status;
}
