/* engine_digest: hashes of the replicated state. See engine.h. */
#include <math.h>

#include "lockstep/engine.h"
#include "lockstep/hash.h"

void *engine_array(const Engine *engine, StateArray array, int64_t *count) {
    *count = array == STATE_RUNNING ? engine->model->running_flat : engine->model->flat;
    switch (array) {
    case STATE_WEIGHT:
        return engine->weights.weight;
    case STATE_RUNNING:
        return engine->weights.running;
    case STATE_EMA:
        return engine->ema;
    default:
        return engine->slot[array - STATE_SLOT];
    }
}

Status engine_digest(Engine *engine, StateArray array, int64_t from, int64_t count,
                     Digest *digest) {
    const DeviceOps *ops = engine->device->ops;
    int64_t all;
    const float *value = (const float *)engine_array(engine, array, &all) + from;
    size_t bytes = (size_t)count * sizeof *value;
    if (ops->digest) {
        TRY(ops->digest(engine->stream, digest, value, count));
        return ops->sync(engine->stream, SYNC_SECONDS);
    }
    TRY(ops->download(engine->stream, engine->digested, value, bytes));
    TRY(ops->sync(engine->stream, SYNC_SECONDS));
    *digest = (Digest){.hash = hash_bytes(engine->digested, bytes)};
    for (int64_t i = 0; i < count; i++)
        digest->bad += !isfinite(engine->digested[i]);
    return ST_OK;
}
