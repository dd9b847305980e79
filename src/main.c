/* lockstep: the program. Chooses the subcommand; a Status is the exit code. */
#include <stdio.h>
#include <string.h>

#include "lockstep/command.h"
#include "lockstep/log.h"
#include "lockstep/parse.h"
#include "lockstep/preflight.h"
#include "lockstep/streams.h"
#include "lockstep/versions.h"

typedef struct Command {
    const char *name;
    Status (*run)(int argc, char **argv);
    const char *help; /* NULL: not for people */
} Command;

static const Command commands[] = {
    {"train", train_command,
     "train a recipe: lockstep train configs/quickstart.yaml [--KEY VALUE]..."},
    {"eval", eval_command,
     "accuracy of a checkpoint: lockstep eval CHECKPOINT [--data DIR] [--json]"},
    {"predict", predict_command,
     "what a checkpoint takes pictures for: lockstep predict CHECKPOINT IMAGE.png..."},
    {"inspect", inspect_command, "what a checkpoint holds: lockstep inspect CHECKPOINT [--verify]"},
    {"checkpoint", checkpoint_command,
     "a run's checkpoints: lockstep checkpoint list|verify|seal|aside|prune RUN"},
    {"flight", flight_command,
     "where the ranks of a run that failed parted or stood still: lockstep flight RUN"},
    {"layers", layers_command,
     "every kind of layer, and how model text is written: lockstep layers [KIND]"},
    {"options", options_command,
     "every option of train, as a page too: lockstep options [--markdown]"},
    {"report", report_command, "pictures and a page of runs: lockstep report RUN... [--out DIR]"},
    {"plot", plot_command,
     "a figure of a table: lockstep plot TABLE.csv --x COLUMN --y COLUMN --out FILE"},
    {"runs", runs_command,
     "a table of the runs below a folder: lockstep runs [DIR] [--csv|--json] [--sort COLUMN]"},
    {"preflight", preflight_command,
     "whether the hosts of a run are ready: lockstep preflight CONFIG [--KEY VALUE]..."},
    {"bench", bench_command,
     "speed of a recipe by phase and layer: lockstep bench CONFIG [--KEY VALUE]..."},
    {"pictures", pictures_command, NULL},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static void print_help(FILE *out) {
    fprintf(out,
            "lockstep trains image classifiers on CIFAR-10, data-parallel over MPI, with the same "
            "bits at any rank count.\n\n");
    for (int i = 0; i < COMMANDS; i++) {
        if (commands[i].help)
            fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    }
    fprintf(
        out,
        "\n`lockstep SUBCOMMAND --help` lists its options; `lockstep --version` the versions of "
        "its libraries.\n");
}

static Status unknown_command(const char *word) {
    const char *names[COMMANDS + 1] = {NULL};
    for (int i = 0, n = 0; i < COMMANDS; i++) {
        if (commands[i].help)
            names[n++] = commands[i].name;
    }
    const char *near = nearest_name(word, names);
    fprintf(stderr, "lockstep: unknown subcommand '%s'%s%s%s; see lockstep --help\n", word,
            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return ST_USAGE;
}

static Status run_command(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        return ST_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return ST_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        versions_print(stdout);
        return ST_OK;
    }
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    return unknown_command(argv[1]);
}

int main(int argc, char **argv) {
    streams_open();
    Status status = run_command(argc, argv);
    if (status == ST_OK) {
        status = streams_judge();
        if (status != ST_OK)
            log_fatal(-1, status_message());
    }
    return (int)status;
}
