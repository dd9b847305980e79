/* optimize: see optimize.h. */
#include "optimize.h"

#include <math.h>

typedef struct UpdateJob {
    const Session *session;
    const GradSum *sum;
    Update update;
} UpdateJob;

static void *offset_in(const Engine *engine, void *flat, int64_t offset) {
    return flat ? (char *)flat + (size_t)offset * dtype_size(engine->device->real) : NULL;
}

static Status update_part(const UpdateJob *job, Worker *worker, int64_t from, int64_t to,
                          double decay) {
    const Engine *engine = &job->session->engine;
    UpdateRange range = {.count = to - from,
                         .weight = offset_in(engine, engine->weights.weight, from),
                         .slot = {offset_in(engine, engine->slot[0], from),
                                  offset_in(engine, engine->slot[1], from)},
                         .ema = offset_in(engine, engine->ema, from),
                         .decay = decay};
    grad_sum_at(job->sum, from, &range.fixed, &range.real);
    return from < to ? engine->device->ops->update(worker->stream, &job->update, &range) : ST_OK;
}

static double decay_of(const Optimizer *optimizer, const ParamView *view) {
    return view->spec.decay || optimizer->decay_all ? optimizer->weight_decay : 0;
}

/* The part of the flat range that belongs to a thread, in as few calls as there are changes of the
 * decay. The gaps between parameters hold zeros, which an update leaves alone. */
static Status update_job(void *context, int thread) {
    const UpdateJob *job = context;
    const Model *model = &job->session->model;
    const Engine *engine = &job->session->engine;
    Worker *worker = &engine->workers[thread];
    const Optimizer *optimizer = &job->session->config->optimizer;
    int64_t begin, end;
    double decay = 0;
    split_range(model->flat, PARAM_ALIGN, team_size(engine->team), thread, &begin, &end);
    for (int i = 0; i < model->n_params; i++) {
        const ParamView *view = &model->params[i];
        double next = decay_of(optimizer, view);
        if (view->offset >= end)
            break;
        if (view->offset > begin && next != decay) {
            TRY(update_part(job, worker, begin, view->offset, decay));
            begin = view->offset;
        }
        decay = next;
    }
    TRY(update_part(job, worker, begin, end, decay));
    return engine->device->ops->sync(worker->stream, SYNC_SECONDS);
}

typedef struct NormJob {
    const Engine *engine;
    const GradSum *sum;
    double *partial; /* [chunks] */
} NormJob;

static Status norm_job(void *context, int thread) {
    const NormJob *job = context;
    const Engine *engine = job->engine;
    Worker *worker = &engine->workers[thread];
    const int64_t *fixed;
    const void *real;
    int64_t begin, end;
    split_range(engine->model->flat, NORM_CHUNK, team_size(engine->team), thread, &begin, &end);
    if (begin == end)
        return ST_OK;
    grad_sum_at(job->sum, begin, &fixed, &real);
    TRY(engine->device->ops->norm(worker->stream, job->partial + begin / NORM_CHUNK, fixed, real,
                                  end - begin, grad_sum_unit(job->sum)));
    return engine->device->ops->sync(worker->stream, SYNC_SECONDS);
}

/* L2 norm of the whole gradient: partial sums of fixed chunks, added in order. */
static Status gradient_norm(const Engine *engine, const GradSum *sum, double *partial,
                            double *norm) {
    NormJob job = {engine, sum, partial};
    int64_t chunks = (engine->model->flat + NORM_CHUNK - 1) / NORM_CHUNK;
    double squares = 0;
    TRY(team_run(engine->team, norm_job, &job));
    for (int64_t c = 0; c < chunks; c++)
        squares += partial[c];
    *norm = sqrt(squares);
    return ST_OK;
}

/* running = (1 - momentum) running + momentum * mean over lanes, from the tail. */
static Status update_running(Engine *engine, const GradSum *sum) {
    const Model *model = engine->model;
    if (model->running_flat == 0)
        return ST_OK;
    for (int i = 0; i < model->n_running; i++) {
        const ParamView *view = &model->running[i];
        double momentum = view->spec.momentum;
        for (int64_t j = view->offset; j < view->offset + view->count; j++) {
            double mean = fixed_value(sum->statistics, sum->staged[TAIL_WORDS + j]);
            engine->running[j] =
                (float)((1 - momentum) * (double)engine->running[j] + momentum * mean);
        }
    }
    TRY(engine->device->ops->upload(engine->stream, engine->weights.running, engine->running,
                                    (size_t)model->running_flat * sizeof *engine->running));
    return engine->device->ops->sync(engine->stream, SYNC_SECONDS);
}

Status optimize(Session *session, const GradSum *sum, double *norm_partial,
                const StepRequest *request, StepResult *result) {
    const Optimizer *optimizer = &session->config->optimizer;
    Engine *engine = &session->engine;
    double scale = grad_sum_unit(sum);
    if (optimizer->clip_norm > 0) {
        TRY(gradient_norm(engine, sum, norm_partial, &result->grad_norm));
        if (result->grad_norm > optimizer->clip_norm)
            scale *= optimizer->clip_norm / result->grad_norm;
    }
    UpdateJob job = {session, sum,
                     optimizer_update(optimizer, request->step, request->rates, scale)};
    TRY(team_run(engine->team, update_job, &job));
    TRY(update_running(engine, sum));
    engine->version++;
    return ST_OK;
}
