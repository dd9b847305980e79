/* histograms: see histograms.h.
 *
 * Values come to the host in pieces, from a GPU as from a CPU; what is in the way is this room
 * alone, so that steps with histograms ask for no memory either. */
#include "histograms.h"

#include <stdio.h>
#include <stdlib.h>

#include "lockstep/histogram.h"

enum { PIECE = 16384 };

struct Histograms {
    Session *session; /* borrowed */
    Histogram histogram;
    float weight[PIECE];
    double gradient[PIECE];
};

Status histograms_open(Session *session, Histograms **out) {
    Histograms *histograms = calloc(1, sizeof *histograms);
    TRY_ALLOC(histograms);
    histograms->session = session;
    histogram_open(&histograms->histogram);
    *out = histograms;
    return ST_OK;
}

void histograms_close(Histograms *histograms) {
    free(histograms);
}

static int64_t piece_of(int64_t from, int64_t end) {
    return end - from < PIECE ? end - from : PIECE;
}

static Status count_weights(Histograms *histograms, const ParamView *view) {
    Engine *engine = &histograms->session->engine;
    int64_t end = view->offset + view->count, n;
    for (int64_t from = view->offset; from < end; from += n) {
        n = piece_of(from, end);
        TRY(engine_get_weights(engine, from, n, histograms->weight));
        for (int64_t i = 0; i < n; i++)
            histogram_add(&histograms->histogram, (double)histograms->weight[i]);
    }
    return ST_OK;
}

static Status count_gradient(Histograms *histograms, const Stepper *stepper,
                             const ParamView *view) {
    int64_t end = view->offset + view->count, n;
    for (int64_t from = view->offset; from < end; from += n) {
        n = piece_of(from, end);
        TRY(stepper_gradient(stepper, from, n, histograms->gradient));
        for (int64_t i = 0; i < n; i++)
            histogram_add(&histograms->histogram, histograms->gradient[i]);
    }
    return ST_OK;
}

/* Writes what was counted, and begins anew. */
static Status put(Histograms *histograms, Metrics *metrics, int64_t step, const char *what,
                  const ParamView *view) {
    char tag[PARAM_NAME_MAX + 16];
    snprintf(tag, sizeof tag, "%s/%s", what, view->name);
    Status status = metrics_histogram(metrics, step, tag, &histograms->histogram);
    histogram_clear(&histograms->histogram);
    return status;
}

Status histograms_log(Histograms *histograms, const Stepper *stepper, int64_t step,
                      Metrics *metrics) {
    const Model *model = &histograms->session->model;
    for (int p = 0; p < model->n_params; p++) {
        TRY(count_weights(histograms, &model->params[p]));
        TRY(put(histograms, metrics, step, "weights", &model->params[p]));
        TRY(count_gradient(histograms, stepper, &model->params[p]));
        TRY(put(histograms, metrics, step, "gradients", &model->params[p]));
    }
    return ST_OK;
}
