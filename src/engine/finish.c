/* finish: see finish.h. */
#include "finish.h"

#include <stdlib.h>

static const FinishOps *ops_of(const Finishing *finishing) {
    return finishing->session->device->ops->finish;
}

/* Whether nothing needs the host between the sums and the weights. */
static bool device_ends_steps(const Session *session, const GradSum *sum) {
    const DeviceOps *ops = session->device->ops;
    return ops->finish && ops->recording && ops->marks && !sum->low;
}

static FinishWords words_of(const Model *model) {
    FixedPoint loss = fixed_loss();
    return (FinishWords){.bad = {TAIL_BAD, TAIL_BAD_KEPT},
                         .loss = TAIL_LOSS,
                         .images = TAIL_IMAGES,
                         .weight = TAIL_WEIGHT,
                         .loss_unit = loss.unit,
                         .loss_bound = loss.bound,
                         .weight_one = WEIGHT_ONE,
                         .weighted = model->class_weights != NULL};
}

static FinishPlan plan_of(const Session *session, const GradSum *sum) {
    const Engine *engine = &session->engine;
    FinishPlan plan = {.count = session->model.flat,
                       .word = sum->fixed,
                       .words = words_of(&session->model),
                       .unit = sum->exact ? sum->gradient.unit : 1,
                       .clip = session->config->optimizer.clip_norm,
                       .weight = engine->weights.weight,
                       .ema = engine->ema,
                       .slow = engine->slot[SLOT_SLOW],
                       .n_ranges = session->grouping.n_ranges,
                       .n_wholes = session->grouping.n_wholes,
                       .running = session->model.running_flat,
                       .running_value = engine->weights.running,
                       .running_sum = sum->fixed + TAIL_WORDS,
                       .running_unit = sum->statistics.unit};
    grad_sum_at(sum, 0, &plan.fixed, &plan.real);
    for (int s = 0; s < UPDATE_SLOTS; s++)
        plan.slot[s] = engine->slot[s];
    return plan;
}

static FinishWhole whole_of(const Session *session, const GroupWhole *whole) {
    const Grouping *grouping = &session->grouping;
    const Optimizer *optimizer = &grouping->groups.group[whole->group].optimizer;
    int64_t offset = session->model.params[whole->param].offset;
    int range = 0;
    while (grouping->range[range].end <= offset)
        range++;
    return (FinishWhole){.range = range,
                         .offset = offset,
                         .rows = whole->rows,
                         .cols = whole->cols,
                         .kind = optimizer->kind,
                         .muon_steps = optimizer->muon_steps,
                         .muon_rescale = optimizer->muon_rescale};
}

static void fill_plan(const Session *session, FinishRange *range, FinishWhole *whole,
                      double *momentum) {
    const Grouping *grouping = &session->grouping;
    const Model *model = &session->model;
    for (int r = 0; r < grouping->n_ranges; r++) {
        const GroupRange *of = &grouping->range[r];
        range[r] = (FinishRange){
            .begin = of->begin, .end = of->end, .decay = of->decay, .whole = of->whole};
    }
    for (int i = 0; i < grouping->n_wholes; i++)
        whole[i] = whole_of(session, &grouping->whole[i]);
    for (int i = 0; i < model->n_running; i++) {
        const ParamView *view = &model->running[i];
        for (int64_t j = view->offset; j < view->offset + view->count; j++)
            momentum[j] = view->spec.momentum;
    }
}

Status finishing_open(Finishing *finishing, Session *session, const GradSum *sum) {
    Status status = ST_OK;
    size_t ranges = (size_t)session->grouping.n_ranges;
    *finishing = (Finishing){.session = session};
    if (!device_ends_steps(session, sum))
        return ST_OK;
    FinishPlan plan = plan_of(session, sum);
    FinishRange *range = calloc(ranges + 1, sizeof *range);
    FinishWhole *whole = calloc((size_t)plan.n_wholes + 1, sizeof *whole);
    double *momentum = calloc((size_t)plan.running + 1, sizeof *momentum);
    finishing->turn = calloc(ranges + 1, sizeof *finishing->turn);
    if (!range || !whole || !momentum || !finishing->turn) {
        status = FAIL(ST_INTERNAL, "out of memory");
        goto done;
    }
    fill_plan(session, range, whole, momentum);
    plan.range = range;
    plan.whole = whole;
    plan.running_momentum = momentum;
    TRY_DONE(session->device->ops->marks->open(session->device, &finishing->told));
    TRY_DONE(ops_of(finishing)->open(session->device, &plan, &finishing->finish));
done:
    free(range);
    free(whole);
    free(momentum);
    return status;
}

void finishing_close(Finishing *finishing) {
    if (!finishing->session)
        return;
    const DeviceOps *ops = finishing->session->device->ops;
    if (finishing->recording)
        ops->recording->forget(finishing->recording);
    if (finishing->finish)
        ops->finish->close(finishing->finish);
    if (finishing->told)
        ops->marks->close(finishing->told);
    free(finishing->turn);
    *finishing = (Finishing){0};
}

/* As update_part and go_back of optimize.c. */
static FinishTurn turn_of(const Optimize *optimize, const GroupRange *range) {
    const Session *session = optimize->session;
    const Engine *engine = &session->engine;
    const ParamGroup *group = &session->grouping.groups.group[range->group];
    bool frozen = optimize->frozen[range->group];
    FinishTurn turn = {.update = optimize->update[range->group],
                       .idle = frozen && (group->frozen || !engine->ema),
                       .counted = !frozen,
                       .goes_back = optimize->goes_back && !frozen};
    void *slot[UPDATE_SLOTS];
    optimize_slots(engine, &group->optimizer, 0, slot);
    for (unsigned s = 0; !frozen && s < UPDATE_SLOTS; s++)
        turn.slots |= slot[s] ? 1u << s : 0;
    return turn;
}

/* The program that most lanes of the next step have; what others there are is packed when their
 * turn comes (engine_pack). */
static PackedProgram *next_program(const Finishing *finishing) {
    return &finishing->session->engine.train[0];
}

static Status update_and_pack(const Finishing *finishing, Stream *stream) {
    const PackedProgram *packed = next_program(finishing);
    TRY(ops_of(finishing)->update(stream, finishing->finish));
    return program_repack(packed->program, stream, packed->weights);
}

/* One by one in the first step, which lets libraries load what they need; then as a recording. */
static Status run(Finishing *finishing, Stream *stream) {
    const RecordingOps *recording = finishing->session->device->ops->recording;
    if (!finishing->warm) {
        finishing->warm = true;
        return update_and_pack(finishing, stream);
    }
    if (!finishing->recording) {
        TRY(recording->begin(stream));
        Status status = update_and_pack(finishing, stream);
        TRY(recording->end(stream, &finishing->recording)); /* also of one that failed */
        TRY(status);
    }
    return recording->replay(stream, finishing->recording);
}

Status finishing_begin(Finishing *finishing, const Optimize *optimize, GradSum *sum) {
    Session *session = finishing->session;
    Engine *engine = &session->engine;
    const MarkOps *marks = session->device->ops->marks;
    const Grouping *grouping = &session->grouping;
    for (int r = 0; r < grouping->n_ranges; r++)
        finishing->turn[r] = turn_of(optimize, &grouping->range[r]);
    TRY(ops_of(finishing)->judge(engine->stream, finishing->finish, finishing->turn,
                                 optimize->alpha, &finishing->norm));
    TRY(grad_sum_fetch(sum, engine->stream));
    TRY(marks->set(engine->stream, finishing->told));
    TRY(run(finishing, engine->stream));
    TRY(engine_order(engine));
    return marks->reach(engine->stream, finishing->told, SYNC_SECONDS);
}

Status finishing_end(Finishing *finishing, const Optimize *optimize, const GradSum *sum,
                     StepResult *result) {
    Engine *engine = &finishing->session->engine;
    if (finishing->session->config->optimizer.clip_norm > 0)
        result->grad_norm = finishing->norm;
    engine->version++;
    next_program(finishing)->packed_version = engine->version;
    TRY(optimize_running(optimize, sum, engine->stream, optimize->goes_back));
    return optimize->goes_back ? engine_order(engine) : ST_OK;
}
