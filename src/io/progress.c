/* progress: a bar that redraws itself, or lines. See progress.h.
 *
 * The bar owns one terminal line. log.c calls the hooks around each line it writes to a terminal,
 * from whatever thread: `before` takes the lock and clears the bar, `after` draws it again and
 * gives the lock back. So a drawing thread must not log while it holds the lock. */
#include "lockstep/progress.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "lockstep/streams.h"

#define REDRAW_S 0.1

enum { TEXT_BYTES = 512, WIDTH_DEFAULT = 80, GAUGE_MIN = 10, GAUGE_MAX = 30 };

struct Progress {
    bool bar, synthetic;
    int64_t width; /* columns; 0: ask the terminal at each drawing */
    pthread_mutex_t lock;
    double drawn_at;
    char shown[TEXT_BYTES]; /* what the bar's line holds, "" if nothing */
};

/* A terminal that went away, or takes nothing now, is no reason to stop training. */
static void put(const char *text, size_t bytes) {
    streams_write(STDOUT_FILENO, text, bytes, 0);
}

static void clear(void *context) {
    Progress *progress = context;
    pthread_mutex_lock(&progress->lock);
    if (*progress->shown)
        put("\r\033[K", 4);
}

static void draw(const Progress *progress) {
    char text[TEXT_BYTES + 8];
    if (!*progress->shown)
        return;
    int n = snprintf(text, sizeof text, "\r%s\033[K", progress->shown);
    put(text, (size_t)n);
}

static void redraw(void *context) {
    Progress *progress = context;
    draw(progress);
    pthread_mutex_unlock(&progress->lock);
}

Progress *progress_open(bool bar, int64_t width, bool synthetic) {
    Progress *progress = calloc(1, sizeof *progress);
    if (!progress)
        return NULL;
    progress->bar = bar;
    progress->synthetic = synthetic;
    progress->width = width;
    progress->drawn_at = -INFINITY;
    pthread_mutex_init(&progress->lock, NULL);
    if (bar)
        log_set_hook(clear, redraw, progress);
    return progress;
}

void progress_close(Progress *progress) {
    if (!progress)
        return;
    if (progress->bar) {
        log_set_hook(NULL, NULL, NULL);
        if (*progress->shown)
            put("\n", 1); /* the last state stays on the screen */
    }
    pthread_mutex_destroy(&progress->lock);
    free(progress);
}

/* "7s", "2m05s", "3h07m", "2d04h"; "?" where unknown. */
static void duration(double seconds, char out[32]) {
    if (!isfinite(seconds) || seconds < 0 || seconds > 3600.0 * 24 * 999) {
        snprintf(out, 32, "?");
        return;
    }
    int64_t s = llround(seconds);
    if (s < 60)
        snprintf(out, 32, "%" PRId64 "s", s);
    else if (s < 3600)
        snprintf(out, 32, "%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
    else if (s < 24 * 3600)
        snprintf(out, 32, "%" PRId64 "h%02" PRId64 "m", s / 3600, s / 60 % 60);
    else
        snprintf(out, 32, "%" PRId64 "d%02" PRId64 "h", s / 86400, s / 3600 % 24);
}

/* The figures after the place in the run. */
static void figures(const ProgressState *state, char *out, size_t room) {
    char eta[32], means[64] = "no image counted";
    duration(state->eta_s, eta);
    if (!isnan(state->loss))
        snprintf(means, sizeof means, "loss %.4f  acc %.2f%%", state->loss, 100 * state->accuracy);
    snprintf(out, room, "%s  lr %.4g  %.0f img/s  ETA %s", means, state->lr, state->images_per_s,
             eta);
}

static int64_t columns(const Progress *progress) {
    struct winsize size;
    if (progress->width > 0)
        return progress->width;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return WIDTH_DEFAULT;
}

/* "epoch 3/10 [#####.....]  52%  loss ..." cut to the terminal's width less one, for at the full
 * width some terminals wrap; the gauge gives way before figures do. */
static void compose(const Progress *progress, const ProgressState *state, char out[TEXT_BYTES]) {
    char head[96], tail[256], gauge[GAUGE_MAX + 4] = "";
    double done = state->end_step > 0 ? (double)state->step / (double)state->end_step : 0;
    done = fmin(fmax(done, 0), 1);
    snprintf(head, sizeof head, "%sepoch %" PRId64 "/%" PRId64,
             progress->synthetic ? "[synthetic] " : "", state->epoch, state->epochs);
    figures(state, tail, sizeof tail);
    int64_t width = columns(progress) - 1;
    int64_t room = width - (int64_t)(strlen(head) + strlen(tail)) - (int64_t)strlen(" [] 100%  ");
    room = room > GAUGE_MAX ? GAUGE_MAX : room;
    if (room >= GAUGE_MIN) {
        int64_t filled = (int64_t)(done * (double)room);
        gauge[0] = ' ';
        gauge[1] = '[';
        memset(gauge + 2, '#', (size_t)filled);
        memset(gauge + 2 + filled, '.', (size_t)(room - filled));
        gauge[2 + room] = ']';
        gauge[3 + room] = '\0';
    }
    snprintf(out, TEXT_BYTES, "%s%s %3d%%  %s", head, gauge, (int)(100 * done), tail);
    if (width >= 0 && width < TEXT_BYTES)
        out[width] = '\0';
}

void progress_step(Progress *progress, const ProgressState *state) {
    if (!progress || !progress->bar)
        return;
    double now = clock_now();
    pthread_mutex_lock(&progress->lock);
    if (now - progress->drawn_at >= REDRAW_S || state->step == state->end_step) {
        compose(progress, state, progress->shown);
        draw(progress);
        progress->drawn_at = now;
    }
    pthread_mutex_unlock(&progress->lock);
}

void progress_line(Progress *progress, const ProgressState *state) {
    char tail[256];
    if (!progress)
        return;
    figures(state, tail, sizeof tail);
    log_line(progress->bar ? LOG_DEBUG : LOG_INFO,
             "%sepoch %" PRId64 "/%" PRId64 "  step %" PRId64 "/%" PRId64 "  %s",
             progress->synthetic ? "[synthetic] " : "", state->epoch, state->epochs, state->step,
             state->end_step, tail);
}
