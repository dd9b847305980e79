/* layers: `lockstep layers`, the reference of model text. No MPI. */
#include <stdio.h>
#include <string.h>

#include "lockstep/command.h"
#include "lockstep/log.h"
#include "lockstep/model.h"
#include "lockstep/parse.h"

static const char usage[] =
    "lockstep layers [KIND] [--markdown]\n"
    "\n"
    "Prints how model text is written: each kind of layer with its arguments, shapes, formula and "
    "an\n"
    "example; with KIND, that kind alone. With --markdown as a page: docs/model-text.md.\n";

static Status find_kind(const char *word, int *kind) {
    const char *names[LAYER_KINDS + 1] = {NULL};
    *kind = layer_kind_of(word);
    if (*kind >= 0)
        return ST_OK;
    for (int k = 0; k < LAYER_KINDS; k++)
        names[k] = layer_type((LayerKind)k)->name;
    const char *near = nearest_name(word, names);
    return FAIL(ST_USAGE, "no layer is called '%s'%s%s%s; lockstep layers lists all", word,
                near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static Status parse_options(int argc, char **argv, int *kind, bool *markdown, bool *help) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            *help = true;
        else if (strcmp(argv[i], "--markdown") == 0)
            *markdown = true;
        else if (argv[i][0] == '-')
            return FAIL(ST_USAGE, "unknown option %s; see lockstep layers --help", argv[i]);
        else if (*kind >= 0)
            return FAIL(ST_USAGE, "one kind, please, or none: all; not '%s' as well", argv[i]);
        else
            TRY(find_kind(argv[i], kind));
    }
    return ST_OK;
}

Status layers_command(int argc, char **argv) {
    int kind = -1;
    bool markdown = false, help = false;
    Status status = parse_options(argc, argv, &kind, &markdown, &help);
    if (status == ST_OK && help)
        fputs(usage, stdout);
    else if (status == ST_OK)
        status = model_reference(kind, markdown, stdout);
    if (status != ST_OK)
        log_fatal(-1, status_message());
    return status;
}
