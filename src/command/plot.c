/* plot: `lockstep plot`, a figure of a table. No MPI. */
#include <stdio.h>
#include <string.h>

#include "lockstep/command.h"
#include "lockstep/log.h"
#include "lockstep/parse.h"
#include "lockstep/path.h"
#include "lockstep/report.h"

static const char usage[] =
    "lockstep plot TABLE.csv --x COLUMN --y COLUMN --out FILE [OPTION]...\n"
    "\n"
    "Draws a column of a table over another one, as the figures of reports look. FILE ends in "
    ".png\n"
    "or .svg. The table's first line names its columns; an empty field is a gap.\n"
    "\n"
    "  --spread COLUMN      an error bar at each point: that much up and down\n"
    "  --by COLUMN          a line for each value of this column\n"
    "  --factor X           y and its spread are multiplied by this (100 for percent)\n"
    "  --x-log              x as its logarithm\n"
    "  --from-zero          y begins at 0\n"
    "  --title, --x-label, --y-label TEXT   otherwise the columns' names\n";

typedef struct PlotOptions {
    TableFigure figure;
    const char *out, *factor;
    bool help;
} PlotOptions;

/* Options with a value, and where it goes. */
static const char **value_of(PlotOptions *options, const char *word) {
    TableFigure *figure = &options->figure;
    const struct {
        const char *name;
        const char **value;
    } known[] = {{"--x", &figure->x},           {"--y", &figure->y},
                 {"--spread", &figure->spread}, {"--by", &figure->by},
                 {"--title", &figure->title},   {"--x-label", &figure->x_label},
                 {"--out", &options->out},      {"--y-label", &figure->y_label},
                 {"--factor", &options->factor}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(word, known[i].name) == 0)
            return known[i].value;
    }
    return NULL;
}

static Status parse_word(int argc, char **argv, int *at, PlotOptions *options) {
    const char *word = argv[*at], **value = value_of(options, word);
    if (value) {
        if (*at + 1 == argc)
            return FAIL(ST_USAGE, "%s needs a value; see lockstep plot --help", word);
        *value = argv[++*at];
    } else if (strcmp(word, "--help") == 0) {
        options->help = true;
    } else if (strcmp(word, "--x-log") == 0) {
        options->figure.x_log = true;
    } else if (strcmp(word, "--from-zero") == 0) {
        options->figure.from_zero = true;
    } else if (word[0] == '-' || options->figure.table) {
        return FAIL(ST_USAGE, "%s %s; see lockstep plot --help",
                    word[0] == '-' ? "unknown option" : "one table, please; not also", word);
    } else {
        options->figure.table = word;
    }
    return ST_OK;
}

static Status parse_options(int argc, char **argv, PlotOptions *options) {
    for (int i = 1; i < argc; i++)
        TRY(parse_word(argc, argv, &i, options));
    const TableFigure *figure = &options->figure;
    if (options->help)
        return ST_OK;
    if (!figure->table || !figure->x || !figure->y || !options->out)
        return FAIL(ST_USAGE, "a figure needs a table, --x, --y and --out; see lockstep plot "
                              "--help");
    if (options->factor && parse_real(options->factor, &options->figure.factor) != PARSE_OK)
        return FAIL(ST_USAGE, "--factor takes a number, not '%s'", options->factor);
    return ST_OK;
}

Status plot_command(int argc, char **argv) {
    PlotOptions options = {.figure = {.factor = 1}};
    char out[4096];
    Status status = parse_options(argc, argv, &options);
    if (status == ST_OK && options.help)
        fputs(usage, stdout);
    else if (status == ST_OK)
        status = path_expand(options.out, out, sizeof out);
    if (status == ST_OK && !options.help)
        status = report_figure(&options.figure, out);
    if (status != ST_OK)
        log_fatal(-1, status_message());
    return status;
}
