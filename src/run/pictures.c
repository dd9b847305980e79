/* pictures: see pictures.h. */
#include "pictures.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "lockstep/board_image.h"
#include "lockstep/clock.h"
#include "lockstep/log.h"
#include "lockstep/predictions.h"
#include "signals.h"

static const double LONGEST = 60, LONGEST_AT_END = 2; /* seconds */

/* Predictions of an evaluation whose pictures are due. */
typedef struct Asked {
    int64_t step;    /* after which it was */
    int predictions; /* a descriptor; -1: none are asked for */
} Asked;

struct Pictures {
    const Session *session; /* borrowed */
    int64_t planned;        /* evaluations, of the whole run */
    Asked next;             /* to be drawn as soon as nothing else is */
    pid_t process;          /* that draws; -1: none */
    Deadline deadline;      /* when it is ended */
    int64_t step;           /* whose pictures it draws */
    int drawn;              /* and where they go; -1: nowhere */
    bool warned, given_up;
};

Status pictures_open(const Session *session, const RunState *state, int64_t end_step,
                     Pictures **out) {
    const RunConfig *config = session->config;
    int64_t last = end_step / session->input.sampler.steps_per_epoch;
    *out = NULL;
    if (!config->tensorboard || config->tensorboard_images == 0)
        return ST_OK;
    Pictures *pictures = calloc(1, sizeof *pictures);
    TRY_ALLOC(pictures);
    *pictures = (Pictures){.session = session, .next = {0, -1}, .process = -1, .drawn = -1};
    pictures->planned =
        state->n_history + last / config->eval_every - state->epoch / config->eval_every;
    *out = pictures;
    return ST_OK;
}

static void close_to(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Ends what is being drawn. */
static void drop(Pictures *pictures) {
    if (pictures->process > 0)
        child_kill(pictures->process);
    pictures->process = -1;
    close_to(&pictures->drawn);
}

void pictures_close(Pictures *pictures) {
    if (!pictures)
        return;
    drop(pictures);
    close_to(&pictures->next.predictions);
    free(pictures);
}

bool pictures_due(int64_t evaluation, int64_t planned, int64_t most) {
    int64_t of = planned < most ? planned : most;
    return evaluation > 0 && evaluation <= planned &&
           evaluation * of / planned > (evaluation - 1) * of / planned;
}

/* Once a run, on the console; why is in `words`. */
static void lost(Pictures *pictures, const char *words) {
    const char *again = pictures->warned ? "" : "; the run goes on, and says this once";
    char line[256];
    snprintf(line, sizeof line, "tensorboard: no pictures of step %" PRId64 ": %s%s",
             pictures->step, words, again);
    if (pictures->warned)
        log_debug("%s", line);
    else
        log_warn("%s", line);
    pictures->warned = true;
}

/* What the process that draws reads, in a file without a name; -1: it cannot be made. */
static int send_predictions(const Pictures *pictures, int64_t step, const EvalResult *test) {
    Predictions predictions = {.step = step,
                               .dataset = dataset_name(&pictures->session->input.dataset),
                               .images = test->images,
                               .label = test->label,
                               .predicted = test->predicted,
                               .probability = test->probability};
    int fd = memfd_create("predictions", MFD_CLOEXEC);
    if (fd >= 0 && predictions_send(fd, &predictions) != ST_OK) {
        status_clear();
        close_to(&fd);
    }
    return fd;
}

/* Starts to draw what is asked for. */
static void start(Pictures *pictures) {
    const char *out = pictures->session->config->out;
    char folder[4200];
    snprintf(folder, sizeof folder, "%s%s", out[0] == '-' ? "./" : "", out);
    const char *words[] = {"pictures", folder, NULL};
    pictures->step = pictures->next.step;
    pictures->deadline = deadline_after(LONGEST);
    pictures->drawn = memfd_create("pictures", MFD_CLOEXEC);
    if (pictures->drawn >= 0)
        pictures->process = child_start(words, pictures->next.predictions, pictures->drawn);
    close_to(&pictures->next.predictions);
    if (pictures->process <= 0) {
        lost(pictures, "a process that draws them cannot be started");
        drop(pictures);
    }
}

void pictures_draw(Pictures *pictures, const RunState *state, const EvalResult *test) {
    if (!pictures || pictures->given_up)
        return;
    int64_t most = pictures->session->config->tensorboard_images;
    bool last = state->finished; /* with this one, whatever was planned */
    if (!pictures_due(state->n_history, pictures->planned, most) && !last)
        return;
    if (pictures->next.predictions >= 0)
        log_debug("tensorboard: no pictures of step %" PRId64 ", for those of step %" PRId64
                  " are still being drawn when the next ones are due",
                  pictures->next.step, pictures->step);
    close_to(&pictures->next.predictions);
    pictures->next = (Asked){state->step, send_predictions(pictures, state->step, test)};
    if (pictures->process <= 0)
        start(pictures);
}

/* What was drawn goes to `metrics`. */
static Status put(Pictures *pictures, Metrics *metrics) {
    struct stat info;
    Status status = ST_OK;
    BoardImage image;
    if (fstat(pictures->drawn, &info) != 0 || info.st_size == 0)
        return ST_OK;
    size_t size = (size_t)info.st_size;
    char *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, pictures->drawn, 0);
    if (bytes == MAP_FAILED) {
        lost(pictures, "out of memory");
        return ST_OK;
    }
    for (const char *at = bytes; at < bytes + size;) {
        if (board_image_take(&at, bytes + size, &image) != ST_OK) {
            lost(pictures, status_message());
            status_clear();
            goto done;
        }
        TRY_DONE(metrics_image(metrics, pictures->step, &image));
    }
done:
    munmap(bytes, size);
    return status;
}

/* A process that drew has ended. */
static Status take(Pictures *pictures, Metrics *metrics, const ChildEnd *end) {
    Status status = ST_OK;
    pictures->process = -1;
    if (end->well) {
        status = put(pictures, metrics);
    } else if (end->code == ST_DEVICE) {
        log_debug("tensorboard: no pictures, for lockstep was built without cairo; install "
                  "libcairo2-dev and build again");
        pictures->given_up = true;
        close_to(&pictures->next.predictions);
    } else if (!signals_stop_requested()) { /* which may have reached it as well */
        lost(pictures, end->words);
    }
    drop(pictures);
    return status;
}

Status pictures_collect(Pictures *pictures, Metrics *metrics) {
    if (!pictures || pictures->process <= 0)
        return ST_OK;
    ChildEnd end = child_look(pictures->process);
    if (end.runs && !deadline_passed(&pictures->deadline))
        return ST_OK;
    if (end.runs) {
        lost(pictures, "drawing them took too long");
        drop(pictures);
    } else {
        TRY(take(pictures, metrics, &end));
    }
    if (pictures->next.predictions >= 0)
        start(pictures);
    return ST_OK;
}

void pictures_finish(Pictures *pictures, Metrics *metrics) {
    Deadline deadline = deadline_after(LONGEST_AT_END);
    while (pictures && pictures->process > 0) {
        ChildEnd end = child_wait(pictures->process, &deadline);
        if (take(pictures, metrics, &end) != ST_OK) { /* the run is over, and has its result */
            log_warn("%s", status_message());
            status_clear();
        }
        if (pictures->next.predictions >= 0 && !deadline_passed(&deadline) &&
            !signals_stop_requested())
            start(pictures);
    }
}
