/* options: `lockstep options`, the reference of the options of train. No MPI. */
#include <stdio.h>
#include <string.h>

#include "lockstep/command.h"
#include "lockstep/config.h"
#include "lockstep/log.h"

static const char usage[] =
    "lockstep options [--markdown]\n"
    "\n"
    "Prints every option of lockstep train, as its --help does; with --markdown as a page, with "
    "what each\n"
    "may be: docs/options.md.\n";

Status options_command(int argc, char **argv) {
    bool markdown = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return ST_OK;
        }
        if (strcmp(argv[i], "--markdown") != 0) {
            FAIL(ST_USAGE, "lockstep options knows no '%s'; see lockstep options --help", argv[i]);
            log_fatal(-1, status_message());
            return ST_USAGE;
        }
        markdown = true;
    }
    if (markdown)
        config_page(stdout);
    else
        config_help(stdout);
    return ST_OK;
}
