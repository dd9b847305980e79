/* engine_order: order between all streams of an engine without a wait of the host. The main
 * thread's stream gathers what the others have enqueued, and they go on behind it: two calls a
 * stream each way. */
#include <stdlib.h>

#include "lockstep/engine.h"

Status engine_order_open(Engine *engine) {
    const MarkOps *marks = engine->device->ops->marks;
    int threads = team_size(engine->team);
    if (!marks)
        return ST_OK;
    engine->mark = calloc((size_t)threads + 1, sizeof *engine->mark);
    TRY_ALLOC(engine->mark);
    for (int i = 0; i <= threads; i++)
        TRY(marks->open(engine->device, &engine->mark[i]));
    return ST_OK;
}

void engine_order_close(Engine *engine) {
    for (int i = 0; engine->mark && i <= team_size(engine->team); i++) {
        if (engine->mark[i])
            engine->device->ops->marks->close(engine->mark[i]);
    }
    free(engine->mark);
    engine->mark = NULL;
}

Status engine_order(Engine *engine) {
    const MarkOps *marks = engine->device->ops->marks;
    int threads = team_size(engine->team);
    if (!marks)
        return ST_OK;
    for (int i = 0; i < threads; i++) {
        TRY(marks->set(engine->workers[i].stream, engine->mark[i]));
        TRY(marks->wait(engine->stream, engine->mark[i]));
    }
    TRY(marks->set(engine->stream, engine->mark[threads]));
    for (int i = 0; i < threads; i++)
        TRY(marks->wait(engine->workers[i].stream, engine->mark[threads]));
    return ST_OK;
}
