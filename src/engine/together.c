/* together: see together.h. */
#include "together.h"

#include <stdlib.h>
#include <string.h>

#include "lockstep/clock.h"

/* One phase of all lanes of the rank. */
typedef struct PhaseJob {
    Together *together;
    LanesStep *step;
    LanePhase phase;
} PhaseJob;

Status together_open(Together *together, const Session *session) {
    const Engine *engine = &session->engine;
    size_t most = (size_t)program_shared_most(engine->train[0].program);
    together->format = fixed_pair(session->config->lanes);
    together->task = calloc((size_t)engine->n_rooms, sizeof *together->task);
    together->sum = calloc(most, 2 * sizeof *together->sum);
    together->shared = calloc(most, sizeof *together->shared);
    TRY_ALLOC(together->task);
    TRY_ALLOC(together->sum);
    TRY_ALLOC(together->shared);
    for (int i = 0; i < engine->n_rooms; i++)
        together->task[i] = (LaneTask){.worker = &engine->workers[i % team_size(engine->team)],
                                       .room = &engine->rooms[i],
                                       .lane = session->input.first_lane + i};
    return ST_OK;
}

/* A lane's phase, and what it shares at its end on the host. */
static Status advance_shared(const PhaseJob *job, LaneTask *task) {
    LanePhase phase = job->phase;
    bool on = phase == LANE_FORWARD_ON || phase == LANE_BACKWARD_ON;
    double start = clock_now();
    if (on && task->executor)
        TRY(executor_put_shared(task->executor, job->together->shared));
    TRY(lane_advance(job->step, task, phase));
    if (!task->executor)
        return ST_OK;
    TRY(executor_get_shared(task->executor, task->room->shared));
    lane_trace(task, start);
    return ST_OK;
}

static Status phase_job(void *context, int thread) {
    const PhaseJob *job = context;
    Session *session = job->step->session;
    Engine *engine = &session->engine;
    Worker *worker = &engine->workers[thread];
    if (job->phase == LANE_FORWARD)
        TRY(lane_begin_worker(job->step, worker));
    for (int i = thread; i < engine->n_rooms; i += team_size(engine->team))
        TRY(advance_shared(job, &job->together->task[i]));
    if (job->phase != LANE_END)
        return session->device->ops->sync(worker->stream, SYNC_SECONDS);
    return lane_end_worker(job->step, worker);
}

static Status run_phase(Together *together, LanesStep *step, LanePhase phase) {
    PhaseJob job = {together, step, phase};
    return team_run(step->session->engine.team, phase_job, &job);
}

/* What `count` doubles of all lanes of the step come to. Collective. */
static Status sum_shared(Together *together, LanesStep *step, int count) {
    Session *session = step->session;
    int64_t bad = 0;
    double start = clock_now();
    memset(together->sum, 0, (size_t)count * 2 * sizeof *together->sum);
    for (int i = 0; i < session->engine.n_rooms; i++) {
        const LaneTask *task = &together->task[i];
        for (int k = 0; task->executor && k < count; k++) {
            int64_t pair[2];
            fixed_pair_from(together->format, task->room->shared[k], pair, &bad);
            together->sum[2 * k] += pair[0];
            together->sum[2 * k + 1] += pair[1];
        }
    }
    atomic_fetch_add(&step->bad, bad);
    TRY(comm_sum_i64(session->ranks.comm, together->sum, 2 * (int64_t)count));
    for (int k = 0; k < count; k++)
        together->shared[k] = fixed_pair_value(together->format, &together->sum[2 * k]);
    trace_span(session->row, "sum over ranks", "batch norm", (TraceAt){step->step, -1}, start);
    step->waited_s += clock_now() - start;
    return ST_OK;
}

/* Also a rank without images in a shorter step takes part in every sum. */
Status together_compute(Together *together, LanesStep *step) {
    const Program *program = step->session->engine.train[0].program;
    TRY(run_phase(together, step, LANE_FORWARD));
    for (int o = 0; o < program_ops(program); o++) {
        if (program_shared(program, o) == 0)
            continue;
        TRY(sum_shared(together, step, program_shared(program, o)));
        TRY(run_phase(together, step, LANE_FORWARD_ON));
    }
    TRY(run_phase(together, step, LANE_BACKWARD));
    for (int o = program_ops(program) - 1; o >= 0; o--) {
        if (program_shared(program, o) == 0)
            continue;
        TRY(sum_shared(together, step, program_shared(program, o)));
        TRY(run_phase(together, step, LANE_BACKWARD_ON));
    }
    return run_phase(together, step, LANE_END);
}

void together_close(Together *together) {
    free(together->task);
    free(together->sum);
    free(together->shared);
}
