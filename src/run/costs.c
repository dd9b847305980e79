/* costs: see costs.h. */
#include "costs.h"

/* What is assumed of a file system that nothing is known of, and of the thread that writes. */
static const double ASSUMED_BYTES_PER_S = 10e6, ASSUMED_S = 1, ASSUMED_CPU_BYTES_PER_S = 100e6;

/* Shares of what is remembered that one more step, or one more of the rarer ones, takes off. */
static const double STEP_FADE = 0.01, RARE_FADE = 0.25;

static void remember(double *longest, double seconds, double fade) {
    double faded = *longest - (*longest - seconds) * fade;
    *longest = seconds > faded ? seconds : faded;
}

void costs_begin(Costs *costs, int64_t state_bytes) {
    *costs = (Costs){.write = ASSUMED_S + (double)state_bytes / ASSUMED_BYTES_PER_S,
                     .write_cpu = (double)state_bytes / ASSUMED_CPU_BYTES_PER_S};
}

void costs_step(Costs *costs, double seconds) {
    remember(&costs->step, seconds, STEP_FADE);
}

void costs_evaluation(Costs *costs, double seconds) {
    remember(&costs->evaluation, seconds, RARE_FADE);
}

void costs_held(Costs *costs, double seconds) {
    remember(&costs->held, seconds, RARE_FADE);
}

void costs_write(Costs *costs, double seconds, double cpu) {
    if (!costs->measured)
        costs->write = costs->write_cpu = 0;
    costs->measured = true;
    remember(&costs->write, seconds, RARE_FADE);
    remember(&costs->write_cpu, cpu, RARE_FADE);
}
