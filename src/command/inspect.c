/* inspect: `lockstep inspect`, what a checkpoint holds. No MPI. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lockstep/inspect.h"
#include "lockstep/log.h"
#include "lockstep/command.h"

static const char usage[] = "lockstep inspect CHECKPOINT [--verify]\n"
                            "\n"
                            "Prints the configuration, state and arrays of a checkpoint. With "
                            "--verify the exit code is 0 only\n"
                            "if every byte checks: file, sidecar and state hash; otherwise 4.\n";

static Status parse_options(int argc, char **argv, const char **path, bool *verify, bool *help) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            *help = true;
        else if (strcmp(argv[i], "--verify") == 0)
            *verify = true;
        else if (argv[i][0] == '-')
            return FAIL(ST_USAGE, "unknown option %s; see lockstep inspect --help", argv[i]);
        else if (*path)
            return FAIL(ST_USAGE, "one checkpoint, please: %s and %s", *path, argv[i]);
        else
            *path = argv[i];
    }
    if (!*path && !*help)
        return FAIL(ST_USAGE, "which checkpoint? See lockstep inspect --help");
    return ST_OK;
}

Status inspect_command(int argc, char **argv) {
    const char *path = NULL;
    bool verify = false, help = false;
    Status status = parse_options(argc, argv, &path, &verify, &help);
    if (status == ST_OK && help) {
        fputs(usage, stdout);
        return ST_OK;
    }
    if (status == ST_OK)
        status = inspect_print(path, verify, stdout);
    if (status != ST_OK)
        log_fatal(-1, status_message());
    return status;
}
