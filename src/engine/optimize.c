/* optimize: see optimize.h. */
#include "optimize.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lockstep/update_math.h"

Status optimize_open(Optimize *optimize, Session *session) {
    const Grouping *grouping = &session->grouping;
    size_t groups = (size_t)grouping->groups.n + 1;
    /* Each range may end a run of chunks. */
    int64_t chunks = session->model.flat / NORM_CHUNK + grouping->n_ranges + 1;
    *optimize = (Optimize){.session = session};
    optimize->update = calloc(groups, sizeof *optimize->update);
    TRY_ALLOC(optimize->update);
    optimize->frozen = calloc(groups, sizeof *optimize->frozen);
    TRY_ALLOC(optimize->frozen);
    if (session->config->optimizer.clip_norm > 0) {
        optimize->norm_partial = calloc((size_t)chunks, sizeof *optimize->norm_partial);
        TRY_ALLOC(optimize->norm_partial);
    }
    return ST_OK;
}

void optimize_close(Optimize *optimize) {
    free(optimize->update);
    free(optimize->frozen);
    free(optimize->norm_partial);
    *optimize = (Optimize){0};
}

void optimize_begin(Optimize *optimize, const StepRequest *request) {
    const Session *session = optimize->session;
    const ParamGroups *groups = &session->grouping.groups;
    int64_t steps_per_epoch = session->input.sampler.steps_per_epoch;
    const RunConfig *config = session->config;
    optimize->any_frozen = false;
    optimize->goes_back = lookahead_due(
        &config->optimizer.lookahead, request->step + 1,
        lookahead_length(config->schedule.total_epochs, steps_per_epoch), &optimize->alpha);
    for (int g = 0; g <= groups->n; g++) {
        const ParamGroup *group = &groups->group[g];
        Rates rates = param_group_rates(group, &config->schedule, request->plateau, request->step,
                                        steps_per_epoch);
        rates.lr *= request->lr_factor;
        optimize->update[g] = optimizer_update(&group->optimizer, request->step, rates, 1);
        optimize->frozen[g] = param_group_frozen(group, request->step, steps_per_epoch);
        if (optimize->frozen[g]) {
            optimize->update[g].kind = OPTIMIZER_NONE;
            optimize->any_frozen = true;
        }
    }
}

typedef struct UpdateJob {
    const Optimize *optimize;
    const GradSum *sum;
    atomic_int next; /* of the parameters that are updated as a whole */
} UpdateJob;

static void *offset_in(const Engine *engine, void *flat, int64_t offset) {
    return flat ? (char *)flat + (size_t)offset * dtype_size(engine->device->real) : NULL;
}

void optimize_slots(const Engine *engine, const Optimizer *optimizer, int64_t offset,
                    void *slot[UPDATE_SLOTS]) {
    for (int s = 0; s < UPDATE_SLOTS; s++)
        slot[s] =
            optimizer_slot_name(optimizer, s) ? offset_in(engine, engine->slot[s], offset) : NULL;
}

/* Elements [from, to) of a range. The gaps between parameters hold zeros, which an update leaves
 * alone. Of what is frozen from the start, the moving average is the weight itself. */
static Status update_part(const UpdateJob *job, Worker *worker, const GroupRange *range,
                          int64_t from, int64_t to) {
    const Session *session = job->optimize->session;
    const Engine *engine = &session->engine;
    const ParamGroup *group = &session->grouping.groups.group[range->group];
    bool frozen = job->optimize->frozen[range->group];
    UpdateRange part = {.count = to - from,
                        .weight = offset_in(engine, engine->weights.weight, from),
                        .ema = offset_in(engine, engine->ema, from),
                        .decay = range->decay};
    bool whole = !frozen && range->whole;
    if (from >= to || whole || (frozen && (group->frozen || !engine->ema)))
        return ST_OK;
    if (!frozen)
        optimize_slots(engine, &group->optimizer, from, part.slot);
    grad_sum_at(job->sum, from, &part.fixed, &part.real);
    return engine->device->ops->update(worker->stream, &job->optimize->update[range->group], &part);
}

/* It is one thread's, whichever that is, so that its sums have one order; the averages come after
 * the step. */
static Status update_whole(const UpdateJob *job, Worker *worker, const GroupWhole *whole) {
    const Session *session = job->optimize->session;
    const Engine *engine = &session->engine;
    const DeviceOps *ops = engine->device->ops;
    const ParamView *view = &session->model.params[whole->param];
    Update update = job->optimize->update[whole->group];
    UpdateRange range = {.count = view->count,
                         .weight = offset_in(engine, engine->weights.weight, view->offset),
                         .ema = offset_in(engine, engine->ema, view->offset),
                         .decay = whole->decay};
    if (update.kind == OPTIMIZER_NONE)
        return ST_OK;
    optimize_slots(engine, &session->grouping.groups.group[whole->group].optimizer, view->offset,
                   range.slot);
    grad_sum_at(job->sum, view->offset, &range.fixed, &range.real);
    TRY(update.kind == OPTIMIZER_MUON
            ? ops->muon(worker->stream, &update, &range, whole->rows, whole->cols, worker->scratch)
            : ops->layerwise(worker->stream, &update, &range, worker->scratch));
    update.kind = OPTIMIZER_NONE;
    return range.ema ? ops->update(worker->stream, &update, &range) : ST_OK;
}

static Status whole_job(void *context, int thread) {
    UpdateJob *job = context;
    const Session *session = job->optimize->session;
    const Grouping *grouping = &session->grouping;
    Worker *worker = &session->engine.workers[thread];
    for (;;) {
        int i = atomic_fetch_add(&job->next, 1);
        if (i >= grouping->n_wholes)
            return ST_OK;
        TRY(update_whole(job, worker, &grouping->whole[i]));
    }
}

/* Back to the slow weights; what is frozen stays where it is. */
static Status go_back(const UpdateJob *job, Worker *worker, const GroupRange *range, int64_t from,
                      int64_t to) {
    const Optimize *optimize = job->optimize;
    const Engine *engine = &optimize->session->engine;
    if (from >= to || !optimize->goes_back || optimize->frozen[range->group])
        return ST_OK;
    return engine->device->ops->lookahead(
        worker->stream, offset_in(engine, engine->slot[SLOT_SLOW], from),
        offset_in(engine, engine->weights.weight, from), to - from, optimize->alpha);
}

/* running = (1 - momentum) running + momentum * mean over lanes, from the tail; then Lookahead. */
Status optimize_running(const Optimize *optimize, const GradSum *sum, Stream *stream, bool sent) {
    Engine *engine = &optimize->session->engine;
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
    for (int64_t j = 0; optimize->goes_back && j < model->running_flat; j++)
        update_lookahead((float)optimize->alpha, &engine->slow_running[j], &engine->running[j]);
    return sent ? engine->device->ops->upload(stream, engine->weights.running, engine->running,
                                              (size_t)model->running_flat * sizeof *engine->running)
                : ST_OK;
}

/* The part of the flat range that belongs to a thread; the first one has the running statistics as
 * well. */
static Status update_job(void *context, int thread) {
    const UpdateJob *job = context;
    const Session *session = job->optimize->session;
    const Grouping *grouping = &session->grouping;
    const Engine *engine = &session->engine;
    Worker *worker = &engine->workers[thread];
    int64_t begin, end;
    split_range(session->model.flat, PARAM_ALIGN, team_size(engine->team), thread, &begin, &end);
    for (int r = 0; r < grouping->n_ranges; r++) {
        const GroupRange *range = &grouping->range[r];
        int64_t from = range->begin > begin ? range->begin : begin;
        int64_t to = range->end < end ? range->end : end;
        TRY(update_part(job, worker, range, from, to));
        TRY(go_back(job, worker, range, from, to));
    }
    if (thread == 0)
        TRY(optimize_running(job->optimize, job->sum, worker->stream, true));
    return ST_OK;
}

typedef struct NormJob {
    const Engine *engine;
    const GradSum *sum;
    int64_t begin, end; /* elements */
    double *partial;    /* [chunks] */
} NormJob;

static Status norm_job(void *context, int thread) {
    const NormJob *job = context;
    const Engine *engine = job->engine;
    Worker *worker = &engine->workers[thread];
    const int64_t *fixed;
    const void *real;
    int64_t begin, end;
    split_range(job->end - job->begin, NORM_CHUNK, team_size(engine->team), thread, &begin, &end);
    if (begin == end)
        return ST_OK;
    grad_sum_at(job->sum, job->begin + begin, &fixed, &real);
    TRY(engine->device->ops->norm(worker->stream, job->partial + begin / NORM_CHUNK, fixed, real,
                                  end - begin, grad_sum_unit(job->sum)));
    return engine->device->ops->sync(worker->stream, SYNC_SECONDS);
}

/* The end of the ranges from r on that are frozen, or are not, as r is. */
static int same_end(const Optimize *optimize, int r) {
    const Grouping *grouping = &optimize->session->grouping;
    bool frozen = optimize->frozen[grouping->range[r].group];
    while (r < grouping->n_ranges && optimize->frozen[grouping->range[r].group] == frozen)
        r++;
    return r;
}

/* L2 norm of the gradient of all that is not frozen: partial sums of fixed chunks, added in order.
 */
static Status gradient_norm(const Optimize *optimize, const GradSum *sum, double *norm) {
    const Session *session = optimize->session;
    const Engine *engine = &session->engine;
    const Grouping *grouping = &session->grouping;
    int64_t chunks = 0;
    double squares = 0;
    for (int r = 0, next; r < grouping->n_ranges; r = next) {
        NormJob job = {.engine = engine, .sum = sum, .partial = optimize->norm_partial + chunks};
        next = same_end(optimize, r);
        if (optimize->frozen[grouping->range[r].group])
            continue;
        job.begin = grouping->range[r].begin;
        job.end = grouping->range[next - 1].end;
        TRY(team_run(engine->team, norm_job, &job));
        chunks += (job.end - job.begin + NORM_CHUNK - 1) / NORM_CHUNK;
    }
    for (int64_t c = 0; c < chunks; c++)
        squares += optimize->norm_partial[c];
    *norm = sqrt(squares);
    return ST_OK;
}

Status optimize_step(Optimize *optimize, const GradSum *sum, StepResult *result) {
    Session *session = optimize->session;
    double scale = grad_sum_unit(sum), clip = session->config->optimizer.clip_norm;
    UpdateJob job = {.optimize = optimize, .sum = sum};
    if (clip > 0) {
        TRY(gradient_norm(optimize, sum, &result->grad_norm));
        if (result->grad_norm > clip)
            scale *= clip / result->grad_norm;
    }
    for (int g = 0; g <= session->grouping.groups.n; g++)
        optimize->update[g].grad_scale = scale;
    if (session->grouping.n_wholes > 0) {
        TRY(team_run(session->engine.team, whole_job, &job));
        TRY(engine_order(&session->engine));
    }
    TRY(team_run(session->engine.team, update_job, &job));
    TRY(engine_order(&session->engine));
    session->engine.version++;
    return ST_OK;
}
