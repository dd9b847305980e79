/* signals: see signals.h. The flag is the one variable that a handler may set. */
#include "signals.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t stop_requested;

static void on_request(int number) {
    if (stop_requested && number == SIGINT) {
        signal(number, SIG_DFL);
        raise(number);
    }
    stop_requested = 1;
}

static const int numbers[] = {SIGUSR1, SIGTERM, SIGINT};

void signals_install(void) {
    struct sigaction action = {.sa_handler = on_request, .sa_flags = SA_RESTART};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
}

bool signals_stop_requested(void) {
    return stop_requested != 0;
}
