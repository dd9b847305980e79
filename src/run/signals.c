/* signals: see signals.h. The flag is the one variable that a handler may set. */
#include "signals.h"

#include <signal.h>
#include <stddef.h>

#include "lockstep/comm.h"

static volatile sig_atomic_t stop_requested;

static void on_request(int number) {
    if (stop_requested && number == SIGINT) {
        signal(number, SIG_DFL);
        raise(number);
    }
    stop_requested = 1;
    if (number == SIGTERM) /* mpirun leaves a second */
        flight_ask();
}

/* SIGXCPU: the soft limit of processor time; the hard one follows. */
static const int requests[] = {SIGUSR1, SIGTERM, SIGINT, SIGHUP, SIGXCPU};
/* A write then fails, and whoever writes says or does what is to be: a log that nobody reads any
 * more ends no run, a checkpoint beyond the limit of file sizes is a failed write. */
static const int ignored[] = {SIGPIPE, SIGXFSZ};

/* `nohup` has it ignored, and means it. */
static bool is_nohup(int number) {
    struct sigaction now;
    return number == SIGHUP && sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

void signals_install(void) {
    flight_block();
    struct sigaction action = {.sa_handler = on_request, .sa_flags = SA_RESTART};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        if (!is_nohup(requests[i]))
            sigaction(requests[i], &action, NULL);
    }
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
}

bool signals_stop_requested(void) {
    return stop_requested != 0;
}
