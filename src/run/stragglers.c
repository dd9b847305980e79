/* stragglers: see stragglers.h. */
#include "stragglers.h"

#include <inttypes.h>
#include <stdlib.h>

#include "lockstep/log.h"

Status stragglers_open(Stragglers *s, const Session *session) {
    const RunConfig *config = session->config;
    size_t ranks = (size_t)session->ranks.size;
    int64_t window = config->straggler_steps > session->ranks.size ? config->straggler_steps
                                                                   : session->ranks.size;
    *s = (Stragglers){.session = session, .factor = config->straggler_factor, .window = window};
    if (ranks == 1)
        return ST_OK;
    s->lane_s = calloc((size_t)window, sizeof *s->lane_s);
    TRY_ALLOC(s->lane_s);
    s->sorted = calloc((size_t)window, sizeof *s->sorted);
    TRY_ALLOC(s->sorted);
    s->heard = calloc(ranks, sizeof *s->heard);
    TRY_ALLOC(s->heard);
    s->pace = calloc(ranks, sizeof *s->pace);
    TRY_ALLOC(s->pace);
    for (int r = 0; r < session->ranks.size; r++)
        s->pace[r].host = comm_host_of(session->ranks.comm, r);
    return ST_OK;
}

void stragglers_close(Stragglers *s) {
    free(s->pace);
    free(s->heard);
    free(s->sorted);
    free(s->lane_s);
    *s = (Stragglers){0};
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of an even number the lower one: of two ranks the faster is the measure. */
static double median(double *values, int64_t n) {
    qsort(values, (size_t)n, sizeof *values, compare);
    return values[(n - 1) / 2];
}

void stragglers_ask(const Stragglers *s, StepRequest *request) {
    int64_t turn = s->done % s->window;
    if (s->pace && s->done >= s->window && turn == s->session->ranks.rank)
        request->tell = s->mine;
}

static void end_window(Stragglers *s) {
    for (int64_t i = 0; i < s->window; i++)
        s->sorted[i] = s->lane_s[i];
    s->mine = (StepTimes){.lane_s = median(s->sorted, s->window),
                          .waited_s = s->waited_s / (double)s->window};
    s->waited_s = 0;
}

/* The time that a lane takes on the median rank. */
static double usual(Stragglers *s) {
    for (int r = 0; r < s->known; r++)
        s->sorted[r] = s->pace[r].lane_s;
    return median(s->sorted, s->known);
}

/* All ranks have told of the window before. */
static void judge(Stragglers *s) {
    s->known = s->session->ranks.size;
    for (int r = 0; r < s->known; r++) {
        s->pace[r].lane_s = s->heard[r].lane_s;
        s->pace[r].waited_s = s->heard[r].waited_s;
    }
    double lane_s = usual(s);
    for (int r = 0; r < s->known; r++) {
        RankPace *pace = &s->pace[r];
        if (s->factor == 0 || pace->slow || !(pace->lane_s > s->factor * lane_s))
            continue;
        pace->slow = true;
        log_warn("rank %d on %s is slow: a lane takes %.3g ms there and %.3g ms on the median rank "
                 "(over %" PRId64 " steps; --straggler.factor %g), and the others wait for it; see "
                 "what else runs on that host, its clock rate, and how ranks are bound",
                 r, pace->host, 1e3 * pace->lane_s, 1e3 * lane_s, s->window, s->factor);
    }
}

void stragglers_step(Stragglers *s, const StepResult *step) {
    if (!s->pace)
        return;
    int64_t turn = s->done % s->window;
    if (s->done >= s->window && turn < s->session->ranks.size)
        s->heard[turn] = step->told;
    if (s->done >= s->window && turn == s->session->ranks.size - 1)
        judge(s);
    s->lane_s[turn] = step->lane_s;
    s->waited_s += step->times.seconds[PHASE_EXPOSED];
    s->done++;
    if (s->done % s->window == 0)
        end_window(s);
}
