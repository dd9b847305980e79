/* drawing: a figure of a table, in a file of its own. See report.h. */
#include <stdlib.h>
#include <string.h>

#include "lockstep/plot.h"
#include "lockstep/report.h"
#include "save.h"
#include "table.h"

enum { PNG_SCALE = 2, WIDTH = 560, HEIGHT = 360 };

/* What a figure is made of, by column of the table; -1: none. */
typedef struct Columns {
    int64_t x, y, spread, by;
} Columns;

/* The series of a figure: their points lie one behind the other. */
typedef struct Drawing {
    Series series[SERIES_MAX];
    int n_series;
    double *x, *y, *spread; /* [rows] each, views into `numbers` */
    double *numbers;
} Drawing;

static Status find_columns(const Table *table, const TableFigure *figure, Columns *columns) {
    *columns = (Columns){-1, -1, -1, -1};
    TRY(table_find(table, figure->x, &columns->x));
    TRY(table_find(table, figure->y, &columns->y));
    if (figure->spread)
        TRY(table_find(table, figure->spread, &columns->spread));
    if (figure->by)
        TRY(table_find(table, figure->by, &columns->by));
    return ST_OK;
}

/* A series of the rows whose field `by` is `name`; without `by`, of all. */
static Status add_series(const Table *table, const Columns *columns, double factor,
                         const char *name, Drawing *drawing, int64_t *used) {
    int index = drawing->n_series++;
    int64_t from = *used;
    for (int64_t row = 0; row < table->rows; row++) {
        int64_t at = *used;
        if (columns->by >= 0 && strcmp(table_cell(table, row, columns->by), name) != 0)
            continue;
        TRY(table_number(table, row, columns->x, &drawing->x[at]));
        TRY(table_number(table, row, columns->y, &drawing->y[at]));
        if (columns->spread >= 0)
            TRY(table_number(table, row, columns->spread, &drawing->spread[at]));
        drawing->y[at] *= factor;
        drawing->spread[at] *= factor;
        ++*used;
    }
    drawing->series[index] = (Series){.name = name,
                                      .n = *used - from,
                                      .x = drawing->x + from,
                                      .y = drawing->y + from,
                                      .spread = drawing->spread + from,
                                      .colour = index % SERIES_INKS,
                                      .dashed = index >= SERIES_INKS,
                                      .dots = true};
    return ST_OK;
}

/* Series in the order in which the table names them first. */
static Status fill_drawing(const Table *table, const TableFigure *figure, Drawing *drawing) {
    Columns columns;
    int64_t used = 0;
    size_t rows = (size_t)table->rows;
    TRY(find_columns(table, figure, &columns));
    drawing->numbers = calloc(3 * rows + 1, sizeof *drawing->numbers);
    TRY_ALLOC(drawing->numbers);
    drawing->x = drawing->numbers;
    drawing->y = drawing->x + rows;
    drawing->spread = drawing->y + rows;
    if (columns.by < 0)
        return add_series(table, &columns, figure->factor, figure->y, drawing, &used);
    for (int64_t row = 0; row < table->rows; row++) {
        const char *name = table_cell(table, row, columns.by);
        bool known = false;
        for (int s = 0; s < drawing->n_series; s++)
            known = known || strcmp(drawing->series[s].name, name) == 0;
        if (known)
            continue;
        if (drawing->n_series == SERIES_MAX)
            return FAIL(ST_USAGE, "%s: column %s has more than %d values, and a figure no room",
                        table->path, figure->by, SERIES_MAX);
        TRY(add_series(table, &columns, figure->factor, name, drawing, &used));
    }
    return ST_OK;
}

static bool ends_in(const char *path, const char *end) {
    size_t n = strlen(path), m = strlen(end);
    return n > m && strcmp(path + n - m, end) == 0;
}

static Status draw(const Curves *curves, const char *out) {
    Size size = {WIDTH, HEIGHT};
    Painter *painter;
    char *bytes = NULL;
    size_t n;
    if (ends_in(out, ".png")) {
        TRY(painter_png_open(size.w, size.h, PNG_SCALE, &painter));
        plot_curves(painter, size, curves);
        TRY(painter_png_finish(painter, &bytes, &n));
    } else if (ends_in(out, ".svg")) {
        TRY(painter_svg_open(size.w, size.h, "figure", curves->title, &painter));
        painter_svg_alone(painter, size.w, size.h);
        plot_curves(painter, size, curves);
        TRY(painter_svg_finish(painter, &bytes, &n));
    } else {
        return FAIL(ST_USAGE, "%s: a figure is a file .png or .svg", out);
    }
    Status status = save_file(out, bytes, n);
    free(bytes);
    return status;
}

Status report_figure(const TableFigure *figure, const char *out) {
    Table table;
    Drawing drawing = {.n_series = 0};
    TRY(table_read(figure->table, &table));
    Status status = fill_drawing(&table, figure, &drawing);
    if (status == ST_OK) {
        Curves curves = {.title = figure->title ? figure->title : figure->y,
                         .x_label = figure->x_label ? figure->x_label : figure->x,
                         .y_label = figure->y_label ? figure->y_label : figure->y,
                         .x_log = figure->x_log,
                         .from_zero = figure->from_zero,
                         .apart = figure->spread != NULL,
                         .n_series = drawing.n_series,
                         .series = drawing.series};
        status = draw(&curves, out);
    }
    free(drawing.numbers);
    table_free(&table);
    return status;
}
