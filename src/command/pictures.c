/* pictures: `lockstep pictures`, which `lockstep train` starts beside itself. Not for people: it is
 * in no list. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lockstep/command.h"
#include "lockstep/log.h"
#include "lockstep/report.h"

static const char usage[] = "lockstep pictures RUN <PREDICTIONS >PICTURES\n"
                            "\n"
                            "Draws what a run's evaluation said as pictures for TensorBoard. "
                            "`lockstep train` starts it and\n"
                            "reads what it writes; `lockstep report RUN` is for people.\n";

Status pictures_command(int argc, char **argv) {
    bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
    if (help || argc != 2 || isatty(STDIN_FILENO) || isatty(STDOUT_FILENO)) {
        fputs(usage, help ? stdout : stderr);
        return help ? ST_OK : ST_USAGE;
    }
    /* Training comes first, and without it nobody reads this. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)!nice(10);
    Status status = report_board(argv[1], STDIN_FILENO, STDOUT_FILENO);
    if (status != ST_OK)
        log_fatal(-1, status_message());
    return status;
}
