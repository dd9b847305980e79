/* checkpoint: `lockstep checkpoint`, what a person does with a run's checkpoints. No MPI. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "import.h"
#include "lockstep/command.h"
#include "lockstep/log.h"
#include "lockstep/parse.h"
#include "lockstep/upkeep.h"

static const char usage[] =
    "lockstep checkpoint list RUN           each checkpoint of a run directory, of its branch and\n"
    "                                       set aside: step, branch, state hash, what was found\n"
    "lockstep checkpoint verify RUN         exit code 0 only if each is good and as its checksum\n"
    "                                       file says, and none was renamed .bad\n"
    "lockstep checkpoint seal RUN | FILE    new checksum files for those that are good by what "
    "they\n"
    "                                       hold: after h5py's mode r+, or where one was lost\n"
    "lockstep checkpoint aside RUN          sets the newest good one aside: the run then goes on\n"
    "                                       from the one before, where that newest one is in "
    "doubt\n"
    "lockstep checkpoint prune RUN [--keep N] [--keep-best N] [--aside]\n"
    "                                       removes all but the N newest good ones (default 3) "
    "and\n"
    "                                       the best N (default: the run's --keep-best); --aside:\n"
    "                                       those that were set aside, too\n"
    "lockstep checkpoint import CONFIG WEIGHTS.h5 DIR [--data PATH]\n"
    "                                       weights from elsewhere (scripts/from_pytorch.py) as\n"
    "                                       DIR/step-00000000.h5, for eval, predict and "
    "--init-from;\n"
    "                                       --data: the set whose images and classes they are "
    "for\n";

typedef struct Words {
    const char *what, *path, *weights, *folder, *data; /* those behind path: of import */
    PruneWish prune;
    bool pruning, help;
} Words;

/* The number behind an option of prune. */
static Status parse_count(int argc, char **argv, int *i, int64_t *count) {
    const char *option = argv[*i];
    if (*i + 1 == argc)
        return FAIL(ST_USAGE, "%s needs a value; see lockstep checkpoint --help", option);
    if (parse_int(argv[++*i], count) != PARSE_OK || *count < 1)
        return FAIL(ST_USAGE, "%s %s: not a number from 1", option, argv[*i]);
    return ST_OK;
}

static Status parse_words(int argc, char **argv, Words *words) {
    *words = (Words){.prune.keep = 3};
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--help") == 0) {
            words->help = true;
        } else if (strcmp(word, "--aside") == 0) {
            words->prune.aside = words->pruning = true;
        } else if (strcmp(word, "--keep") == 0) {
            words->pruning = true;
            TRY(parse_count(argc, argv, &i, &words->prune.keep));
        } else if (strcmp(word, "--keep-best") == 0) {
            words->pruning = true;
            TRY(parse_count(argc, argv, &i, &words->prune.keep_best));
        } else if (strcmp(word, "--data") == 0) {
            if (i + 1 == argc)
                return FAIL(ST_USAGE, "--data needs a value; see lockstep checkpoint --help");
            words->data = argv[++i];
        } else if (word[0] == '-') {
            return FAIL(ST_USAGE, "unknown option %s; see lockstep checkpoint --help", word);
        } else if (!words->what) {
            words->what = word;
        } else if (!words->path) {
            words->path = word;
        } else if (strcmp(words->what, "import") == 0 && !words->folder) {
            *(words->weights ? &words->folder : &words->weights) = word;
        } else {
            return FAIL(ST_USAGE, "one run directory, please: %s and %s", words->path, word);
        }
    }
    return ST_OK;
}

static Status act(const Words *words) {
    static const char *const names[] = {"list", "verify", "seal", "aside", "prune", "import", NULL};
    if (!words->what)
        return FAIL(ST_USAGE,
                    "list, verify, seal, aside, prune or import? See lockstep checkpoint --help");
    int which = 0;
    while (names[which] && strcmp(names[which], words->what) != 0)
        which++;
    if (!names[which])
        return FAIL(ST_USAGE, "%s: not one of list, verify, seal, aside, prune, import",
                    words->what);
    if (which == 5 && !words->folder)
        return FAIL(ST_USAGE, "import CONFIG WEIGHTS.h5 DIR: see lockstep checkpoint --help");
    if (words->data && which != 5)
        return FAIL(ST_USAGE, "--data goes with import");
    if (!words->path)
        return FAIL(ST_USAGE, "which run directory? See lockstep checkpoint --help");
    if (words->pruning && which != 4)
        return FAIL(ST_USAGE, "--keep, --keep-best and --aside go with prune");
    switch (which) {
    case 0:
        return upkeep_list(words->path, stdout);
    case 1:
        return upkeep_verify(words->path, stdout);
    case 2:
        return upkeep_seal(words->path, stdout);
    case 3:
        return upkeep_set_aside(words->path, stdout);
    case 5:
        return import_weights(words->path, words->weights, words->folder, words->data, stdout);
    default:
        return upkeep_prune(words->path, &words->prune, stdout);
    }
}

Status checkpoint_command(int argc, char **argv) {
    Words words;
    Status status = parse_words(argc, argv, &words);
    if (status == ST_OK && words.help) {
        fputs(usage, stdout);
        return ST_OK;
    }
    if (status == ST_OK)
        status = act(&words);
    if (status != ST_OK)
        log_fatal(-1, status_message());
    return status;
}
