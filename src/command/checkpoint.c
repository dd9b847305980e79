/* checkpoint: `lockstep checkpoint`, what a person does with a run's checkpoints. No MPI. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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
    "lockstep checkpoint prune RUN [--keep N] [--aside]\n"
    "                                       removes all but the N newest good ones (default 3) "
    "and\n"
    "                                       the best; --aside: those that were set aside, too\n";

typedef struct Words {
    const char *what, *path;
    int64_t keep;
    bool aside, pruning, help;
} Words;

static Status parse_words(int argc, char **argv, Words *words) {
    *words = (Words){.keep = 3};
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--help") == 0) {
            words->help = true;
        } else if (strcmp(word, "--aside") == 0) {
            words->aside = words->pruning = true;
        } else if (strcmp(word, "--keep") == 0) {
            words->pruning = true;
            if (i + 1 == argc)
                return FAIL(ST_USAGE, "--keep needs a value; see lockstep checkpoint --help");
            if (parse_int(argv[++i], &words->keep) != PARSE_OK || words->keep < 1)
                return FAIL(ST_USAGE, "--keep %s: not a number from 1", argv[i]);
        } else if (word[0] == '-') {
            return FAIL(ST_USAGE, "unknown option %s; see lockstep checkpoint --help", word);
        } else if (!words->what) {
            words->what = word;
        } else if (!words->path) {
            words->path = word;
        } else {
            return FAIL(ST_USAGE, "one run directory, please: %s and %s", words->path, word);
        }
    }
    return ST_OK;
}

static Status act(const Words *words) {
    static const char *const names[] = {"list", "verify", "seal", "aside", "prune", NULL};
    if (!words->what)
        return FAIL(ST_USAGE, "list, verify, seal, aside or prune? See lockstep checkpoint --help");
    int which = 0;
    while (names[which] && strcmp(names[which], words->what) != 0)
        which++;
    if (!names[which])
        return FAIL(ST_USAGE, "%s: not one of list, verify, seal, aside, prune", words->what);
    if (!words->path)
        return FAIL(ST_USAGE, "which run directory? See lockstep checkpoint --help");
    if (words->pruning && which != 4)
        return FAIL(ST_USAGE, "--keep and --aside go with prune");
    switch (which) {
    case 0:
        return upkeep_list(words->path, stdout);
    case 1:
        return upkeep_verify(words->path, stdout);
    case 2:
        return upkeep_seal(words->path, stdout);
    case 3:
        return upkeep_set_aside(words->path, stdout);
    default:
        return upkeep_prune(words->path, words->keep, words->aside, stdout);
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
