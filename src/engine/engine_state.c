/* engine_state: the replicated state of an engine, on its way to another one. See engine.h. */
#include <stdlib.h>
#include <string.h>

#include "lockstep/engine.h"

static size_t running_bytes(const Engine *engine) {
    return (size_t)engine->model->running_flat * sizeof *engine->slow_running;
}

static size_t peak_bytes(const Engine *engine) {
    return (size_t)engine->model->n_params * sizeof *engine->peak;
}

Status engine_state_take(Engine *engine, EngineState *state) {
    *state = (EngineState){.peak = malloc(peak_bytes(engine) + 1)};
    TRY_ALLOC(state->peak);
    memcpy(state->peak, engine->peak, peak_bytes(engine));
    if (engine->slow_running) {
        state->slow_running = malloc(running_bytes(engine) + 1);
        TRY_ALLOC(state->slow_running);
        memcpy(state->slow_running, engine->slow_running, running_bytes(engine));
    }
    TRY(host_state_open(engine, &state->host));
    return engine_get(engine, &state->host);
}

Status engine_state_put(Engine *engine, const EngineState *state) {
    memcpy(engine->peak, state->peak, peak_bytes(engine));
    if (engine->slow_running)
        memcpy(engine->slow_running, state->slow_running, running_bytes(engine));
    return engine_put(engine, &state->host);
}

void engine_state_free(EngineState *state) {
    host_state_free(&state->host);
    free(state->slow_running);
    free(state->peak);
    *state = (EngineState){0};
}
