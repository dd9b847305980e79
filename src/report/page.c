/* page: the page of one run. See page.h. */
#include "page.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"

void duration_words(double seconds, char words[32]) {
    int64_t s = llround(seconds);
    if (!isfinite(seconds))
        snprintf(words, 32, "unknown");
    else if (seconds < 60)
        snprintf(words, 32, "%.1f s", seconds);
    else if (s < 3600)
        snprintf(words, 32, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
    else
        snprintf(words, 32, "%" PRId64 " h %" PRId64 " min", s / 3600, s / 60 % 60);
}

static const char *plural(double n) {
    return n == 1 ? "" : "s";
}

/* ---- The result in one sentence ---- */

static void add_unfinished(Sheet *sheet, const Facts *facts) {
    const TrainPoint *last = facts->n_train > 0 ? &facts->train[facts->n_train - 1] : NULL;
    text_add(&sheet->html, "<p class=\"lead\">The run has not ended");
    if (last)
        text_add(
            &sheet->html,
            ": after step %.0f (epoch %.2f) the training loss is %.4f, the accuracy on training "
            "images %.2f %%",
            last->step, last->epoch, last->loss, 100 * last->accuracy);
    text_add(&sheet->html, ".</p>\n");
}

static void add_sentence(Sheet *sheet, const Facts *facts) {
    const cJSON *result = facts->result;
    Text *html = &sheet->html;
    char wall[32];
    if (!result) {
        add_unfinished(sheet, facts);
        return;
    }
    double accuracy = fact_number(result, "test_accuracy"), ranks = fact_number(result, "ranks");
    double epoch = fact_number(result, "epoch"), step = fact_number(result, "step");
    duration_words(fact_number(result, "wall_s"), wall);
    text_add(html, "<p class=\"lead\">");
    if (isfinite(accuracy))
        text_add(html, "<strong>%.2f %%</strong> of the test images are recognised ",
                 100 * accuracy);
    else
        text_add(html, "The run was stopped before a test ");
    text_add(html,
             "after %.0f epoch%s (%.0f steps); %s on %.0f rank%s, %.0f images a second.</p>\n",
             epoch, plural(epoch), step, wall, ranks, plural(ranks),
             fact_number(result, "images_per_s"));
    if (strcmp(fact_text(result, "status"), "stopped") == 0)
        text_add(html,
                 "<p class=\"warn\">The run was asked to stop and has not reached its end: the "
                 "same command goes on with it.</p>\n");
}

static void add_warnings(Sheet *sheet, const Facts *facts) {
    const char *dataset = fact_text(facts->result, "dataset");
    bool synthetic = facts->dataset.synthetic || strcmp(dataset, "synthetic") == 0;
    if (synthetic)
        text_add(&sheet->html, "<p class=\"warn\">Trained and tested on <strong>synthetic</strong> "
                               "images: no figure here is of CIFAR-10.</p>\n");
    else if (strcmp(dataset, "cifar10-like") == 0)
        text_add(&sheet->html,
                 "<p class=\"warn\">The data set is not CIFAR-10 as it is published.</p>\n");
    if (!facts->has_images)
        text_add(
            &sheet->html,
            "<p class=\"warn\">The images were not found where the run had them (option data), "
            "so none are shown; of CIFAR-10 CIFAR10_DIR names the folder.</p>\n");
}

/* ---- Classes ---- */

/* For each class: what it is most often taken for. */
static void add_class_row(Sheet *sheet, const Facts *facts, const int64_t *count, int64_t row) {
    int64_t n = facts->dataset.classes, sum = 0, worst = -1;
    for (int64_t c = 0; c < n; c++) {
        sum += count[row * n + c];
        if (c != row && count[row * n + c] > 0 &&
            (worst < 0 || count[row * n + c] > count[row * n + worst]))
            worst = c;
    }
    int64_t right = count[row * n + row];
    text_add(&sheet->html, "<tr><th scope=\"row\">");
    text_add_escaped(&sheet->html, facts->dataset.class_names[row]);
    text_add(&sheet->html, "</th><td>%" PRId64 "</td><td>%" PRId64 "</td>", sum, right);
    text_add(&sheet->html, "<td>%.1f %%</td>", sum > 0 ? 100.0 * (double)right / (double)sum : 0.0);
    text_add(&sheet->html, "<td class=\"words\">");
    if (worst >= 0) {
        text_add_escaped(&sheet->html, facts->dataset.class_names[worst]);
        text_add(&sheet->html, " (%" PRId64 ")", count[row * n + worst]);
    }
    text_add(&sheet->html, "</td></tr>\n");
}

static void add_class_table(Sheet *sheet, const Facts *facts, const int64_t *count) {
    text_add(&sheet->html, "<div class=\"scroll\"><table class=\"num\"><thead><tr><th>class</th>"
                           "<th>images</th><th>right</th><th>accuracy</th>"
                           "<th class=\"words\">most often taken for</th></tr></thead><tbody>\n");
    for (int64_t row = 0; row < facts->dataset.classes; row++)
        add_class_row(sheet, facts, count, row);
    text_add(&sheet->html, "</tbody></table></div>\n");
}

static Status add_classes(Sheet *sheet, const Facts *facts) {
    int64_t *count = figures_confusion(facts);
    if (!count && !isfinite(fact_number(facts->result, "test_accuracy")))
        return ST_OK;
    sheet_open_section(sheet, "classes", "Class by class");
    text_add(&sheet->html, "<div class=\"figures\">\n");
    Status status = figures_classes(sheet, facts);
    text_add(&sheet->html, "</div>\n");
    if (count)
        add_class_table(sheet, facts, count);
    sheet_close_section(sheet);
    free(count);
    return status;
}

/* ---- What ran ---- */

static void add_times(Sheet *sheet, const Facts *facts) {
    static const char *const names[] = {
        [PHASE_DATA] = "waiting for data", [PHASE_FORWARD] = "forward",
        [PHASE_BACKWARD] = "backward",     [PHASE_EXPOSED] = "communication",
        [PHASE_OPTIMIZER] = "optimizer",   [PHASE_CHECKPOINT] = "checkpoints",
        [PHASE_EVALUATION] = "evaluation"};
    _Static_assert(sizeof names / sizeof *names == PHASES, "each phase has a name");
    const cJSON *times = cJSON_GetObjectItemCaseSensitive(facts->result, "times");
    double wall = fact_number(facts->result, "wall_s");
    if (!times || !(wall > 0))
        return;
    text_add(&sheet->html, "<p>Seconds of the last process, the largest over ranks:</p>\n"
                           "<div class=\"scroll\"><table class=\"num\"><tbody>\n");
    for (Phase p = 0; p < PHASES; p++) {
        double seconds = fact_number(times, phase_key(p));
        text_add(&sheet->html, "<tr><th scope=\"row\">%s</th><td>%.2f</td><td>%.1f %%</td></tr>\n",
                 names[p], seconds, 100 * seconds / wall);
    }
    text_add(&sheet->html,
             "<tr><th scope=\"row\">all</th><td>%.2f</td><td></td></tr>\n"
             "</tbody></table></div>\n",
             wall);
}

/* Ranks side by side, where result.json has them. */
static void add_ranks(Sheet *sheet, const Facts *facts) {
    const cJSON *ranks = cJSON_GetObjectItemCaseSensitive(facts->result, "rank_times"), *rank;
    if (cJSON_GetArraySize(ranks) == 0)
        return;
    text_add(
        &sheet->html,
        "<h3>Ranks</h3>\n<p>The time that a lane takes, and that the rank waits for the others "
        "in a step, at the end of the run. A slow rank keeps all others waiting.</p>\n"
        "<div class=\"scroll\"><table class=\"num\"><thead><tr><th>rank</th>"
        "<th class=\"words\">host</th><th>ms a lane</th><th>ms waited a step</th>"
        "<th class=\"words\"></th></tr></thead><tbody>\n");
    cJSON_ArrayForEach(rank, ranks) {
        text_add(&sheet->html, "<tr><td>%.0f</td><td class=\"words\">", fact_number(rank, "rank"));
        text_add_escaped(&sheet->html, fact_text(rank, "host"));
        text_add(&sheet->html, "</td><td>%.3g</td><td>%.3g</td><td class=\"words\">%s</td></tr>\n",
                 1e3 * fact_number(rank, "lane_s"), 1e3 * fact_number(rank, "waited_s"),
                 cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(rank, "slow")) ? "slow" : "");
    }
    text_add(&sheet->html, "</tbody></table></div>\n");
}

static void add_session_row(Sheet *sheet, const SessionFact *session) {
    const cJSON *start = session->start, *end = session->end;
    Text *html = &sheet->html;
    text_add(html, "<tr><td>");
    text_add_escaped(html, fact_text(start, "time"));
    text_add(html, "</td><td class=\"words\">");
    text_add_escaped(html, fact_text(start, "host"));
    text_add(html, "</td><td>%.0f × %.0f</td><td>%.0f</td><td>", fact_number(start, "ranks"),
             fact_number(start, "threads"), fact_number(start, "step"));
    if (end)
        text_add(html, "%.0f", fact_number(end, "step"));
    text_add(html, "</td><td class=\"words\">");
    text_add_escaped(html, end ? fact_text(end, "status") : "no word of its end");
    text_add(html, "</td></tr>\n");
}

static void add_sessions(Sheet *sheet, const Facts *facts) {
    if (facts->n_sessions == 0)
        return;
    text_add(&sheet->html,
             "<h3>Starts</h3>\n<div class=\"scroll\"><table class=\"num\"><thead><tr><th>began</th>"
             "<th class=\"words\">rank 0 on</th><th>ranks × threads</th><th>from step</th>"
             "<th>to step</th><th class=\"words\">ended</th></tr></thead><tbody>\n");
    for (int64_t i = 0; i < facts->n_sessions; i++)
        add_session_row(sheet, &facts->sessions[i]);
    text_add(&sheet->html, "</tbody></table></div>\n");
}

static void add_what_ran(Sheet *sheet, const Facts *facts) {
    const cJSON *result = facts->result;
    const cJSON *start =
        facts->n_sessions > 0 ? facts->sessions[facts->n_sessions - 1].start : NULL;
    sheet_open_section(sheet, "what", "What ran");
    text_add(&sheet->html, "<div class=\"scroll\"><table class=\"facts\"><tbody>\n");
    if (start) {
        sheet_row(sheet, "command", "%s", fact_text(start, "command"));
        sheet_row(sheet, "date", "%s", fact_text(start, "time"));
        sheet_row(sheet, "device", "%s", fact_text(start, "device"));
        sheet_row(sheet, "libraries", "%s", fact_text(start, "libraries"));
        sheet_row(sheet, "ranks", "%.0f, with %.0f threads each; rank 0 on %s",
                  fact_number(start, "ranks"), fact_number(start, "threads"),
                  fact_text(start, "host"));
    }
    sheet_row(sheet, "run directory", "%s", facts->path);
    if (result) {
        sheet_row(sheet, "build", "%s", fact_text(result, "git"));
        sheet_row(sheet, "data set", "%s", fact_text(result, "dataset"));
        sheet_row(sheet, "lanes", "%.0f", fact_number(result, "lanes"));
        sheet_row(sheet, "parameters", "%.0f", fact_number(result, "parameters"));
        sheet_row(sheet, "best", "%.2f %% on the %s set, at step %.0f",
                  100 * fact_number(result, "best_accuracy"), fact_text(result, "selected_on"),
                  fact_number(result, "best_step"));
        sheet_row(sheet, "state_hash", "%s", fact_text(result, "state_hash"));
    }
    text_add(&sheet->html, "</tbody></table></div>\n");
    add_ranks(sheet, facts);
    add_sessions(sheet, facts);
    text_add(&sheet->html, "<details><summary>config.yaml: every option</summary>\n<pre>");
    text_add_escaped(&sheet->html, facts->config_text);
    text_add(&sheet->html, "</pre></details>\n");
    sheet_close_section(sheet);
}

static void add_reproduce(Sheet *sheet, const Facts *facts) {
    const char *hash = fact_text(facts->result, "state_hash");
    Text *html = &sheet->html;
    if (!hash[0])
        return;
    sheet_open_section(sheet, "again", "The same bits again");
    text_add(html,
             "<p>The weights of this run have the state_hash <code>%s</code>. The same build on "
             "the same kind of processor gives the same one on any number of ranks, up to "
             "the %.0f lanes, and with any number of threads:</p>\n<pre class=\"wrap\">",
             hash, fact_number(facts->result, "lanes"));
    text_add(html, "build/lockstep train ");
    text_add_escaped(html, facts->path);
    text_add(html, "/config.yaml --out again --steps %.0f", fact_number(facts->result, "step"));
    text_add(html, "</pre>\n");
    sheet_close_section(sheet);
}

Status page_of_run(Sheet *sheet, const Facts *facts) {
    sheet_begin(sheet, facts->name);
    text_add(&sheet->html, "<p class=\"kind\">lockstep: a training run</p>\n<h1>");
    text_add_escaped(&sheet->html, facts->name);
    text_add(&sheet->html, "</h1>\n");
    add_sentence(sheet, facts);
    add_warnings(sheet, facts);
    sheet_open_section(sheet, "curves", NULL);
    text_add(&sheet->html, "<div class=\"figures\">\n");
    TRY(figures_curves(sheet, facts));
    text_add(&sheet->html, "</div>\n");
    sheet_close_section(sheet);
    TRY(add_classes(sheet, facts));
    if (facts->has_images) {
        sheet_open_section(sheet, "images", "Images");
        text_add(&sheet->html, "<div class=\"figures\">\n");
        TRY(figures_examples(sheet, facts));
        TRY(figures_wrong(sheet, facts));
        text_add(&sheet->html, "</div>\n");
        sheet_close_section(sheet);
    }
    sheet_open_section(sheet, "times", "Times");
    add_times(sheet, facts);
    sheet_close_section(sheet);
    add_what_ran(sheet, facts);
    add_reproduce(sheet, facts);
    return sheet_end(sheet);
}
