/* report: `lockstep report`, pictures and a page of runs. No MPI. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/command.h"
#include "lockstep/log.h"
#include "lockstep/path.h"
#include "lockstep/report.h"

static const char usage[] =
    "lockstep report RUN... [--out DIR]\n"
    "\n"
    "Writes report.html, one page that needs no other file, and its pictures as PNG. Of one run\n"
    "directory into RUN/report; of several, over each other, into the folder that --out names.\n"
    "Reads only what the runs wrote, and the images where the run had them or CIFAR10_DIR says.\n";

typedef struct ReportOptions {
    const char **runs; /* [n] */
    int n;
    const char *out; /* NULL: not named */
    bool help;
} ReportOptions;

static Status parse_options(int argc, char **argv, ReportOptions *options) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            options->help = true;
        } else if (strcmp(argv[i], "--out") == 0) {
            if (i + 1 == argc)
                return FAIL(ST_USAGE, "--out needs a value; see lockstep report --help");
            options->out = argv[++i];
        } else if (argv[i][0] == '-') {
            return FAIL(ST_USAGE, "unknown option %s; see lockstep report --help", argv[i]);
        } else {
            options->runs[options->n++] = argv[i];
        }
    }
    if (options->n == 0 && !options->help)
        return FAIL(ST_USAGE, "which run? See lockstep report --help");
    if (options->n > 1 && !options->out)
        return FAIL(ST_USAGE, "a report of several runs needs a folder of its own: --out DIR");
    return ST_OK;
}

static Status write_report(const ReportOptions *options) {
    char folder[4200];
    if (options->out)
        TRY(path_expand(options->out, folder, sizeof folder));
    else
        snprintf(folder, sizeof folder, "%s/report", options->runs[0]);
    TRY(report_write(options->runs, options->n, folder));
    printf("%s/report.html\n", folder);
    return ST_OK;
}

Status report_command(int argc, char **argv) {
    ReportOptions options = {.runs = calloc((size_t)argc, sizeof *options.runs)};
    TRY_ALLOC(options.runs);
    Status status = parse_options(argc, argv, &options);
    if (status == ST_OK && options.help)
        fputs(usage, stdout);
    else if (status == ST_OK)
        status = write_report(&options);
    if (status != ST_OK)
        log_fatal(-1, status_message());
    free(options.runs);
    return status;
}
