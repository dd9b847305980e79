/* runs: `lockstep runs`, a table of the runs below a folder. No MPI. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/command.h"
#include "lockstep/log.h"
#include "lockstep/path.h"
#include "runs_table.h"

static const char usage[] =
    "lockstep runs [DIR] [--csv | --json] [--sort COLUMN] [--columns LIST]\n"
    "\n"
    "A table of the run directories in DIR (default: LOCKSTEP_RUNS_DIR, else runs), at any depth:\n"
    "what each was, and what came of it. It only reads, so it works while they run. A run that\n"
    "cannot be read is named, and has the status damaged; the others are shown.\n"
    "\n"
    "  --csv           comma-separated values; after the columns one for each option that a run\n"
    "                  has another value of than its recipe\n"
    "  --json          an array of objects\n"
    "  --sort COLUMN   by name or title; -COLUMN: the largest first. Default: run\n"
    "  --columns LIST  these alone, as in run,status\n"
    "\n"
    "Columns:\n"
    "  run             the directory, below DIR\n"
    "  recipe          the configuration file's name\n"
    "  differs         options that were given another value than the recipe had, by flags or by\n"
    "                  the environment, when the run last started\n"
    "  ranks           of the last process, as are\n"
    "  wall_s          time: training and evaluation, in seconds, and\n"
    "  images_per_s    images/s\n"
    "  test_accuracy   accuracy, and\n"
    "  test_loss       loss: at the end; of a run that has not ended by its last test\n"
    "  epoch           epochs done\n"
    "  status          finished; stopped (asked to, goes on when started again); crashed (no word "
    "of\n"
    "                  its end); running; silent (on another host, and nothing written for its\n"
    "                  --deadline: crashed or suspended there); damaged\n"
    "  dataset         data: cifar10, synthetic, ...\n"
    "  date            of its first start, UTC\n"
    "  state_hash      hash: of weights and optimizer at the end\n";

typedef struct RunsOptions {
    const char *folder; /* NULL: not named */
    char runs_dir[4096];
    const char *sort, *list;
    bool csv, json, help;
} RunsOptions;

static Status parse_options(int argc, char **argv, RunsOptions *options) {
    for (int i = 1; i < argc; i++) {
        bool takes_value = strcmp(argv[i], "--sort") == 0 || strcmp(argv[i], "--columns") == 0;
        if (takes_value && i + 1 == argc)
            return FAIL(ST_USAGE, "%s needs a value; see lockstep runs --help", argv[i]);
        if (strcmp(argv[i], "--help") == 0)
            options->help = true;
        else if (strcmp(argv[i], "--csv") == 0)
            options->csv = true;
        else if (strcmp(argv[i], "--json") == 0)
            options->json = true;
        else if (strcmp(argv[i], "--sort") == 0)
            options->sort = argv[++i];
        else if (strcmp(argv[i], "--columns") == 0)
            options->list = argv[++i];
        else if (argv[i][0] == '-')
            return FAIL(ST_USAGE, "unknown option %s; see lockstep runs --help", argv[i]);
        else if (options->folder)
            return FAIL(ST_USAGE, "one folder, please: %s and %s", options->folder, argv[i]);
        else
            options->folder = argv[i];
    }
    if (options->csv && options->json)
        return FAIL(ST_USAGE, "--csv or --json, not both");
    return ST_OK;
}

static Status print(const RunsOptions *options, const Catalogue *catalogue,
                    const RunsColumns *columns) {
    for (int64_t i = 0; i < catalogue->n; i++) {
        if (catalogue->row[i].error)
            log_warn("%s is damaged: %s", catalogue->row[i].path, catalogue->row[i].error);
    }
    if (options->json)
        return runs_print_json(catalogue, columns, stdout);
    if (options->csv)
        runs_print_csv(catalogue, columns, stdout);
    else if (catalogue->n > 0)
        runs_print_text(catalogue, columns, stdout);
    else
        printf("no runs in %s\n", options->folder);
    return ST_OK;
}

/* Where runs go without --out. */
static Status default_folder(RunsOptions *options) {
    const char *named = getenv("LOCKSTEP_RUNS_DIR");
    options->folder = "runs";
    if (!named || !*named)
        return ST_OK;
    Status status = path_expand(named, options->runs_dir, sizeof options->runs_dir);
    if (status != ST_OK)
        status_prefix("environment variable LOCKSTEP_RUNS_DIR");
    options->folder = options->runs_dir;
    return status;
}

static Status list_runs(RunsOptions *options) {
    Catalogue catalogue = {0};
    RunsColumns columns;
    Status status = ST_OK;
    if (!options->folder)
        TRY(default_folder(options));
    TRY(runs_columns_find(options->list, &columns));
    TRY_DONE(catalogue_read(options->folder, &catalogue));
    if (options->sort)
        TRY_DONE(runs_sort(&catalogue, options->sort));
    TRY_DONE(print(options, &catalogue, &columns));
done:
    catalogue_free(&catalogue);
    return status;
}

Status runs_command(int argc, char **argv) {
    RunsOptions options = {0};
    Status status = parse_options(argc, argv, &options);
    if (status == ST_OK && options.help)
        fputs(usage, stdout);
    else if (status == ST_OK)
        status = list_runs(&options);
    if (status != ST_OK)
        log_fatal(-1, status_message());
    return status;
}
