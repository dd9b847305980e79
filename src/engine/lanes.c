/* lanes: see lanes.h. */
#include "lanes.h"

#include <stdlib.h>

#include "lockstep/clock.h"

static Status run_lane(LanesStep *step, LaneTask *task) {
    double start = clock_now();
    TRY(lane_advance(step, task, LANE_FORWARD));
    TRY(lane_advance(step, task, LANE_BACKWARD));
    TRY(lane_advance(step, task, LANE_END));
    if (task->executor)
        lane_trace(task, start);
    return ST_OK;
}

/* The lane of the rank that a thread takes next; `before`: its last one, -1: none. One whose
 * gradient is kept has a room of its own, which is the thread's. */
static int64_t next_lane(LanesStep *step, int thread, int64_t before) {
    const Engine *engine = &step->session->engine;
    if (engine->keeps)
        return before < 0 ? thread : before + team_size(engine->team);
    return atomic_fetch_add(&step->next, 1);
}

static Status lanes_job(void *context, int thread) {
    LanesStep *step = context;
    Session *session = step->session;
    Engine *engine = &session->engine;
    LaneTask task = {.worker = &engine->workers[thread]};
    TRY(lane_begin_worker(step, task.worker));
    for (int64_t i = -1;;) {
        i = next_lane(step, thread, i);
        if (i >= session->input.lane_count)
            break;
        task.room = &engine->rooms[engine->keeps ? i : thread];
        task.lane = session->input.first_lane + i;
        TRY(run_lane(step, &task));
    }
    return lane_end_worker(step, task.worker);
}

Status lanes_compute(Lanes *lanes, LanesStep *step) {
    step->session = lanes->session;
    step->sum = lanes->sum;
    step->loader = lanes->loader;
    step->results = lanes->results;
    return lanes->together.task ? together_compute(&lanes->together, step)
                                : team_run(lanes->session->engine.team, lanes_job, step);
}

int lanes_active(const Lanes *lanes, int64_t step) {
    const Input *input = &lanes->session->input;
    int active = 0;
    for (int64_t i = 0; i < input->lane_count; i++)
        active += sampler_images(&input->sampler, step, input->first_lane + i) > 0;
    return active;
}

static Status open_result(const Engine *engine, LaneResult *result) {
    size_t batch = (size_t)program_batch(engine->train[0].program);
    result->loss = calloc(batch, sizeof *result->loss);
    TRY_ALLOC(result->loss);
    result->predicted = calloc(batch, sizeof *result->predicted);
    TRY_ALLOC(result->predicted);
    return ST_OK;
}

Status lanes_open(Lanes *lanes, Session *session, GradSum *sum) {
    int64_t count = session->input.lane_count;
    *lanes = (Lanes){.session = session, .sum = sum, .count = count};
    lanes->results = calloc((size_t)count + 1, sizeof *lanes->results);
    TRY_ALLOC(lanes->results);
    for (int64_t i = 0; i < count; i++)
        TRY(open_result(&session->engine, &lanes->results[i]));
    return engine_shares(&session->engine) ? together_open(&lanes->together, session) : ST_OK;
}

void lanes_close(Lanes *lanes) {
    loader_stop(lanes->loader);
    together_close(&lanes->together);
    for (int64_t i = 0; lanes->results && i < lanes->count; i++) {
        free(lanes->results[i].loss);
        free(lanes->results[i].predicted);
    }
    free(lanes->results);
}

Status lanes_load(Lanes *lanes, int64_t first, int64_t end) {
    const Session *session = lanes->session;
    const Input *input = &session->input;
    LoaderConfig config = {.sampler = &input->sampler,
                           .augment = &session->config->augment,
                           .image = session->model.image,
                           .shards = input->shards,
                           .first_lane = input->first_lane,
                           .lane_count = input->lane_count,
                           .first_step = first,
                           .end_step = end,
                           .threads = (int)session->config->loader_threads,
                           .depth = 2 * input->lane_count,
                           .draw_only = session->device->ops->images != NULL,
                           .trace = session->trace};
    loader_stop(lanes->loader);
    lanes->loader = NULL;
    return loader_start(&config, &lanes->loader);
}
