/* Figures: round ticks against their definition, figures whose legend and lines stay apart, and XML
 * that a parser of its own accepts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lockstep/plot.h"

/* ---- Ticks ---- */

/* 1, 2 or 5 times a power of ten, told from the digits alone. */
static bool is_round(double step) {
    char digits[32];
    snprintf(digits, sizeof digits, "%.9e", step);
    return strchr("125", digits[0]) && strncmp(digits + 1, ".000000000e", 11) == 0;
}

static void ticks_are_round_and_cover(void **state) {
    (void)state;
    srand(1);
    for (int i = 0; i < 20000; i++) {
        double scale = pow(10, rand() % 13 - 6), low = (rand() / (double)RAND_MAX - 0.5) * scale;
        double high = low + rand() / (double)RAND_MAX * scale;
        int most = 3 + rand() % 8;
        Ticks t = ticks_round(low, high, most, false);
        double last = t.first + (t.count - 1) * t.step, rounding = 1e-6 * t.step;
        assert_true(is_round(t.step));
        assert_true(t.count >= 2 && t.count <= most);
        assert_true(t.first <= low + rounding && low < t.first + t.step + rounding);
        assert_true(last >= high - rounding);
        assert_true(fabs(t.first / t.step - round(t.first / t.step)) < 1e-6);
        /* their text says them whole */
        char text[64];
        snprintf(text, sizeof text, "%.*f", t.decimals, t.step);
        assert_true(fabs(strtod(text, NULL) - t.step) < 1e-9 * t.step);
    }
}

static void known_ticks(void **state) {
    (void)state;
    Ticks t = ticks_round(0, 1, 6, false); /* 0 0.2 ... 1 */
    assert_true(t.first == 0 && t.count == 6 && t.decimals == 1 && fabs(t.step - 0.2) < 1e-15);
    t = ticks_round(0.3, 97, 6, false); /* 0 20 ... 100 */
    assert_true(t.first == 0 && t.step == 20 && t.count == 6 && t.decimals == 0);
    t = ticks_round(0, 2, 8, true); /* 0 1 2 */
    assert_true(t.first == 0 && t.step == 1 && t.count == 3);
    t = ticks_round(-1, 1, 3, false); /* -1 0 1 */
    assert_true(t.first == -1 && t.step == 1 && t.count == 3);
    t = ticks_round(5, 5, 6, false); /* one value: still an axis */
    assert_true(t.first <= 5 && t.count >= 2 && t.first + (t.count - 1) * t.step > 5);
    t = ticks_round(3, 3, 6, true);
    assert_true(t.step == 1 && t.count == 2);
}

/* ---- A painter that notes what is drawn ---- */

typedef struct Noted {
    Painter painter;
    int n_texts, n_lines, n_fills, n_areas;
    struct {
        Box box;
        char words[64];
    } texts[256];
    struct {
        Point points[64];
        int64_t n;
        Ink ink;
        double width;
    } lines[512];
    Box fills[512];
    struct {
        Point points[64];
        int64_t n;
        Ink ink;
        int lines_before;
    } areas[16];
} Noted;

static void note_fill(Painter *painter, Box box, Ink ink, double opacity) {
    Noted *noted = (Noted *)painter;
    (void)ink;
    assert_true(opacity > 0 && opacity <= 1);
    assert_true(noted->n_fills < 512);
    noted->fills[noted->n_fills++] = box;
}

static void note_line(Painter *painter, const Point *points, int64_t n, Ink ink, double width,
                      bool dashed) {
    Noted *noted = (Noted *)painter;
    (void)dashed;
    assert_true(n >= 1 && n <= 64 && noted->n_lines < 512);
    memcpy(noted->lines[noted->n_lines].points, points, (size_t)n * sizeof *points);
    noted->lines[noted->n_lines].n = n;
    noted->lines[noted->n_lines].ink = ink;
    noted->lines[noted->n_lines++].width = width;
}

static void note_area(Painter *painter, const Point *points, int64_t n, Ink ink, double opacity) {
    Noted *noted = (Noted *)painter;
    assert_true(opacity > 0 && opacity < 1); /* lines below show */
    assert_true(n >= 3 && n <= 64 && noted->n_areas < 16);
    memcpy(noted->areas[noted->n_areas].points, points, (size_t)n * sizeof *points);
    noted->areas[noted->n_areas].n = n;
    noted->areas[noted->n_areas].lines_before = noted->n_lines;
    noted->areas[noted->n_areas++].ink = ink;
}

static void note_text(Painter *painter, Point base, const TextStyle *style, const char *words) {
    Noted *noted = (Noted *)painter;
    double width = text_width(words, style->size, style->bold);
    assert_true(noted->n_texts < 256);
    noted->texts[noted->n_texts].box = (Box){base.x - width * 0.5 * (double)style->anchor,
                                             base.y - style->size, width, style->size * 1.2};
    snprintf(noted->texts[noted->n_texts++].words, 64, "%s", words);
}

static void note_picture(Painter *painter, Box box, const Picture *picture) {
    (void)picture;
    note_fill(painter, box, INK_TEXT, 1);
}

static Noted *noted_open(void) {
    Noted *noted = calloc(1, sizeof *noted);
    noted->painter = (Painter){note_fill, note_line, note_area, note_text, note_picture};
    return noted;
}

static Box box_of(const Noted *noted, const char *words) {
    for (int i = 0; i < noted->n_texts; i++) {
        if (strcmp(noted->texts[i].words, words) == 0)
            return noted->texts[i].box;
    }
    fail_msg("no text '%s'", words);
    return (Box){0};
}

static bool overlap(Box a, Box b) {
    return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

/* Whether two pieces of text of the figure stand on each other, or one stands out of it. */
static void texts_stand_apart(const Noted *noted, Size size) {
    for (int i = 0; i < noted->n_texts; i++) {
        Box a = noted->texts[i].box;
        if (a.x < -1 || a.y < 0 || a.x + a.w > size.w + 6 || a.y + a.h > size.h + 1)
            fail_msg("'%s' leaves the figure: %g %g %g %g", noted->texts[i].words, a.x, a.y, a.w,
                     a.h);
        for (int j = 0; j < i; j++) {
            Box b = noted->texts[j].box;
            b.h *= 0.85; /* descenders may touch the line below */
            if (overlap(a, b))
                fail_msg("'%s' stands on '%s'", noted->texts[i].words, noted->texts[j].words);
        }
    }
}

enum { POINTS = 40 };

static void curve(double *x, double *y, double from, double to) {
    for (int i = 0; i < POINTS; i++) {
        x[i] = i * 0.25;
        y[i] = from + (to - from) * i / (POINTS - 1.0);
    }
}

static Curves sample(Series series[6], double x[6][POINTS], double y[6][POINTS]) {
    static const char *const names[] = {"training",      "test",      "held out",
                                        "a longer name", "the fifth", "the sixth of them"};
    static const Mark marks[] = {{2.5, "resumed"}, {2.6, "resumed"}, {10, "crash"}};
    for (int s = 0; s < 6; s++) {
        curve(x[s], y[s], 2.4 - 0.1 * s, 0.1 + 0.3 * s);
        series[s] = (Series){.name = names[s],
                             .n = POINTS,
                             .x = x[s],
                             .y = y[s],
                             .colour = s,
                             .dashed = s == 1,
                             .dots = s == 2};
    }
    return (Curves){.title = "Loss",
                    .x_label = "epoch",
                    .y_label = "cross-entropy",
                    .x_whole = true,
                    .from_zero = true,
                    .n_series = 6,
                    .n_marks = 3,
                    .series = series,
                    .marks = marks};
}

static void a_legend_covers_no_line(void **state) {
    (void)state;
    Series series[6];
    double x[6][POINTS], y[6][POINTS];
    Curves curves = sample(series, x, y);
    for (double w = 320; w <= 960; w += 80) {
        Noted *noted = noted_open();
        Size size = {w, 320};
        plot_curves(&noted->painter, size, &curves);
        texts_stand_apart(noted, size);
        double bottom = 0, top = size.h;
        for (int s = 0; s < 6; s++) {
            Box name = box_of(noted, series[s].name);
            bottom = fmax(bottom, name.y + name.h);
        }
        for (int i = 0; i < noted->n_lines; i++) {
            for (int64_t p = 0; noted->lines[i].n > 2 && p < noted->lines[i].n; p++)
                top = fmin(top, noted->lines[i].points[p].y);
        }
        assert_true(bottom < top);
        free(noted);
    }
}

/* A point's place follows from the axes: linear between the first and last grid line. */
static void a_point_is_where_it_belongs(void **state) {
    (void)state;
    double x[] = {0, 1, 2, 4}, y[] = {0, 50, 25, 100};
    Series series = {.name = "accuracy", .n = 4, .x = x, .y = y};
    Curves curves = {.title = "Accuracy",
                     .x_label = "epoch",
                     .y_label = "%",
                     .x_whole = true,
                     .from_zero = true,
                     .n_series = 1,
                     .series = &series};
    Noted *noted = noted_open();
    plot_curves(&noted->painter, (Size){480, 320}, &curves);
    double low = 0, high = 320;
    int at = -1;
    for (int i = 0; i < noted->n_lines; i++) {
        if (noted->lines[i].ink == INK_GRID) {
            low = fmax(low, noted->lines[i].points[0].y);
            high = fmin(high, noted->lines[i].points[0].y);
        } else if (noted->lines[i].n == 4) {
            at = i;
        }
    }
    assert_true(at >= 0);
    const Point *points = noted->lines[at].points;
    for (int i = 0; i < 4; i++) {
        assert_float_equal(points[i].y, low + (high - low) * y[i] / 100, 0.01);
        assert_float_equal(points[i].x, points[0].x + (points[3].x - points[0].x) * x[i] / 4, 0.01);
    }
    free(noted);
}

/* The line of series `s` that has `n` points, the `skip`-th of them; its points. */
static const Point *series_line(const Noted *noted, int s, int64_t n, int skip) {
    for (int i = 0; i < noted->n_lines; i++) {
        if (noted->lines[i].ink == (Ink)(INK_SERIES + s) && noted->lines[i].n == n && skip-- == 0)
            return noted->lines[i].points;
    }
    return NULL;
}

/* Bars reach as far as the axis says, where there is a spread; series stand beside each other. */
static void bars_reach_their_spread(void **state) {
    (void)state;
    double x[] = {50, 100, 150}, y[] = {20, 60, 40}, other[] = {100, 60, 40};
    double spread[] = {10, NAN, 5}, none[] = {0, NAN, NAN};
    Series series[] = {{.name = "a", .n = 3, .x = x, .y = y, .spread = spread, .colour = 0},
                       {.name = "b", .n = 3, .x = x, .y = other, .spread = none, .colour = 1}};
    Curves curves = {.title = "Time",
                     .x_label = "batch",
                     .y_label = "s",
                     .from_zero = true,
                     .apart = true,
                     .n_series = 2,
                     .series = series};
    Noted *noted = noted_open();
    plot_curves(&noted->painter, (Size){560, 360}, &curves);
    texts_stand_apart(noted, (Size){560, 360});
    const Point *a = series_line(noted, 0, 3, 0), *b = series_line(noted, 1, 3, 0);
    const Point *first = series_line(noted, 0, 6, 0), *second = series_line(noted, 0, 6, 1);
    assert_true(a && b && first && second);
    assert_null(series_line(noted, 0, 6, 2)); /* NaN, or 0: no bar */
    assert_null(series_line(noted, 1, 6, 0));
    double unit = (a[1].y - a[0].y) / 40; /* of the vertical axis */
    assert_float_equal(first[2].y, a[0].y - 10 * unit, 0.01);
    assert_float_equal(first[3].y, a[0].y + 10 * unit, 0.01);
    assert_float_equal(second[3].y - second[2].y, 10 * unit, 0.01);
    assert_float_equal(first[2].x, a[0].x, 0.01);
    assert_true(first[0].x < a[0].x && first[1].x > a[0].x); /* caps */
    for (int i = 0; i < 3; i++)
        assert_true(b[i].x - a[i].x > 3 && b[i].x - a[i].x < 10);
    assert_float_equal(b[0].y, a[0].y + 80 * unit, 0.01);
    free(noted);
}

/* A band goes around its line, there above and back below, ends where a spread is missing, and lies
 * below every line. */
static void a_band_goes_around_its_line(void **state) {
    (void)state;
    double x[] = {0, 1, 2, 3, 4}, y[] = {20, 40, 60, 60, 80}, spread[] = {10, 0, 5, NAN, 5};
    double other[] = {0, 0, 0, 100, 100};
    Series series[] = {{.name = "a", .n = 5, .x = x, .y = other, .colour = 0},
                       {.name = "b", .n = 5, .x = x, .y = y, .spread = spread, .colour = 1}};
    Curves curves = {.title = "Accuracy",
                     .x_label = "epoch",
                     .y_label = "%",
                     .from_zero = true,
                     .n_series = 2,
                     .series = series};
    series[1].band = true;
    Noted *noted = noted_open();
    plot_curves(&noted->painter, (Size){560, 360}, &curves);
    const Point *a = series_line(noted, 0, 5, 0), *b = series_line(noted, 1, 5, 0);
    assert_true(a && b);
    assert_int_equal(noted->n_areas, 1); /* the last point has no neighbour to go to */
    assert_int_equal(noted->areas[0].n, 6);
    assert_int_equal(noted->areas[0].ink, INK_SERIES + 1);
    double unit = (a[3].y - a[0].y) / 100;
    static const int point[] = {0, 1, 2, 2, 1, 0};
    static const double above[] = {10, 0, 5, -5, 0, -10};
    for (int i = 0; i < 6; i++) {
        assert_float_equal(noted->areas[0].points[i].x, b[point[i]].x, 0.01);
        assert_float_equal(noted->areas[0].points[i].y, b[point[i]].y + above[i] * unit, 0.01);
    }
    for (int i = 0; i < noted->areas[0].lines_before; i++)
        assert_true(noted->lines[i].ink < INK_SERIES || noted->lines[i].n < 5); /* the legend's */
    assert_null(series_line(noted, 1, 6, 0)); /* no bars beside it */
    free(noted);
}

/* On an axis of logarithms each factor of ten is as long, and what has no logarithm is a gap. */
static void logarithms_are_evenly_apart(void **state) {
    (void)state;
    double x[] = {0, -2, 1, 10, 1000}, y[] = {1, 1, 1, 2, 3};
    Series series = {.name = "a", .n = 5, .x = x, .y = y};
    Curves curves = {.title = "Time",
                     .x_label = "every",
                     .y_label = "s",
                     .x_log = true,
                     .n_series = 1,
                     .series = &series};
    Noted *noted = noted_open();
    plot_curves(&noted->painter, (Size){480, 320}, &curves);
    const Point *points = series_line(noted, 0, 3, 0);
    assert_non_null(points);
    assert_float_equal(points[2].x - points[1].x, 2 * (points[1].x - points[0].x), 0.01);
    Box one = box_of(noted, "1"), thousand = box_of(noted, "1,000");
    assert_float_equal(points[0].x, one.x + one.w / 2, 0.01);
    assert_float_equal(points[2].x, thousand.x + thousand.w / 2, 0.01);
    free(noted);
    Ticks t = ticks_log(3, 4, 8); /* 1 10 */
    assert_true(t.log && t.first == 0 && t.step == 1 && t.count == 2);
    t = ticks_log(0.002, 1, 8);
    assert_true(t.first == -3 && t.count == 4);
    series.n = 2;
    noted = noted_open();
    plot_curves(&noted->painter, (Size){480, 320}, &curves); /* none has a logarithm: no crash */
    free(noted);
}

static void gaps_and_nothing_at_all(void **state) {
    (void)state;
    double x[] = {0, 1, 2, 3, 4}, y[] = {1, 2, NAN, 4, 3};
    Series series = {.name = "a", .n = 5, .x = x, .y = y};
    Curves curves = {.title = "A",
                     .x_label = "x",
                     .y_label = "y",
                     .x_whole = true,
                     .n_series = 1,
                     .series = &series};
    Noted *noted = noted_open();
    plot_curves(&noted->painter, (Size){480, 320}, &curves);
    int pieces = 0;
    for (int i = 0; i < noted->n_lines; i++)
        pieces += noted->lines[i].ink == INK_SERIES;
    assert_int_equal(pieces, 2);
    free(noted);
    series.n = 0;
    noted = noted_open();
    plot_curves(&noted->painter, (Size){480, 320}, &curves); /* axes of nothing, no crash */
    free(noted);
}

static void the_other_figures_keep_their_texts_apart(void **state) {
    (void)state;
    static const char *const names[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                        "dog",      "frog",       "horse", "ship", "truck"};
    static const char *const parts[] = {"data",          "forward",   "backward",
                                        "communication", "optimizer", "checkpoint"};
    int64_t count[100];
    double value[10], x[30], stack[30 * 6];
    for (int i = 0; i < 100; i++)
        count[i] = i % 11 == 0 ? 9000 : i;
    for (int i = 0; i < 10; i++)
        value[i] = 10.0 * i + 10;
    for (int i = 0; i < 30; i++)
        x[i] = i + 1;
    for (int i = 0; i < 180; i++)
        stack[i] = i % 6 + 0.5;
    Size size = {480, 480};
    Heat heat = {"Confusion", "guess", "truth", 10, names, count};
    Bars bars = {"Accuracy by class", "%", 10, names, value, 100, 1};
    Stacks stacks = {"Where time went", "epoch", "seconds", 6, parts, 30, x, stack};
    Noted *noted = noted_open();
    plot_heat(&noted->painter, size, &heat);
    texts_stand_apart(noted, size);
    free(noted);
    noted = noted_open();
    plot_bars(&noted->painter, size, &bars);
    texts_stand_apart(noted, size);
    /* the last bar is full: as long as its ground */
    assert_float_equal(noted->fills[noted->n_fills - 1].w, noted->fills[noted->n_fills - 2].w,
                       1e-9);
    free(noted);
    noted = noted_open();
    plot_stacks(&noted->painter, size, &stacks);
    texts_stand_apart(noted, size);
    free(noted);
}

/* ---- XML ---- */

/* Tags close in the order in which they were opened, attributes are quoted, and of & only entities
 * stand: what makes XML well-formed, as far as our figures use it. */
static void well_formed(const char *xml) {
    const char *open[32];
    size_t length[32];
    int depth = 0;
    for (const char *c = xml; *c; c++) {
        if (*c == '&')
            assert_true(strncmp(c, "&amp;", 5) == 0 || strncmp(c, "&lt;", 4) == 0 ||
                        strncmp(c, "&gt;", 4) == 0 || strncmp(c, "&quot;", 6) == 0 ||
                        strncmp(c, "&#39;", 5) == 0);
        if (*c != '<')
            continue;
        bool closes = c[1] == '/';
        const char *name = c + 1 + closes;
        size_t n = strcspn(name, " />");
        bool quoted = false;
        for (c = name + n; *c && (quoted || *c != '>'); c++) {
            quoted = quoted != (*c == '"');
            assert_true(*c != '<');
        }
        assert_int_equal(*c, '>');
        if (closes) {
            assert_true(depth > 0 && length[depth - 1] == n &&
                        strncmp(open[depth - 1], name, n) == 0);
            depth--;
        } else if (c[-1] != '/') {
            assert_true(depth < 32);
            open[depth] = name;
            length[depth++] = n;
        }
    }
    assert_int_equal(depth, 0);
}

static void svg_is_well_formed(void **state) {
    (void)state;
    Series series[6];
    double x[6][POINTS], y[6][POINTS];
    Curves curves = sample(series, x, y);
    series[3].name = "a < b & \"c\" 'd'\x01";
    Painter *painter;
    char *svg;
    size_t size;
    assert_int_equal(painter_svg_open(480, 320, "loss", "<Loss>", &painter), ST_OK);
    plot_curves(painter, (Size){480, 320}, &curves);
    assert_int_equal(painter_svg_finish(painter, &svg, &size), ST_OK);
    assert_int_equal(strlen(svg), size);
    well_formed(svg);
    assert_non_null(strstr(svg, ">training</text>"));
    assert_non_null(strstr(svg, "a &lt; b &amp; &quot;c&quot; &#39;d&#39;</text>"));
    assert_null(strstr(svg, "#0072b2")); /* colours are the page's */
    free(svg);
    assert_int_equal(painter_svg_open(480, 320, "loss", "Loss", &painter), ST_OK);
    painter_svg_alone(painter, 480, 320);
    plot_curves(painter, (Size){480, 320}, &curves);
    assert_int_equal(painter_svg_finish(painter, &svg, &size), ST_OK);
    well_formed(svg);
    assert_non_null(strstr(svg, "--s0:#0072b2;")); /* or its own */
    free(svg);
}

static void png_has_its_size(void **state) {
    (void)state;
    Series series[6];
    double x[6][POINTS], y[6][POINTS];
    Curves curves = sample(series, x, y);
    Painter *painter;
    char *png;
    size_t size;
    if (painter_png_there() != ST_OK) {
        assert_non_null(strstr(status_message(), "libcairo2-dev"));
        status_clear();
        skip();
    }
    assert_int_equal(painter_png_open(480, 320, 2, &painter), ST_OK);
    plot_curves(painter, (Size){480, 320}, &curves);
    assert_int_equal(painter_png_finish(painter, &png, &size), ST_OK);
    assert_memory_equal(png, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x03\xc0\0\0\x02\x80", 24);
    free(png);
}

static void base64_of_the_standard(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        /* RFC 4648, 10 */
        {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Text text = {0};
        char *bytes;
        size_t size;
        text_add_base64(&text, rows[i][0], strlen(rows[i][0]));
        assert_int_equal(text_take(&text, &bytes, &size), ST_OK);
        assert_string_equal(bytes, rows[i][1]);
        free(bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_are_round_and_cover),
        cmocka_unit_test(known_ticks),
        cmocka_unit_test(a_legend_covers_no_line),
        cmocka_unit_test(a_point_is_where_it_belongs),
        cmocka_unit_test(bars_reach_their_spread),
        cmocka_unit_test(a_band_goes_around_its_line),
        cmocka_unit_test(logarithms_are_evenly_apart),
        cmocka_unit_test(gaps_and_nothing_at_all),
        cmocka_unit_test(the_other_figures_keep_their_texts_apart),
        cmocka_unit_test(svg_is_well_formed),
        cmocka_unit_test(png_has_its_size),
        cmocka_unit_test(base64_of_the_standard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
