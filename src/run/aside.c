/* aside: see aside.h. */
#include "aside.h"

#include <string.h>

static void add(Aside *aside, int part, const void *from, int64_t count) {
    size_t bytes = (size_t)count * dtype_size(aside->engine->device->real);
    aside->part[part] = (AsidePart){.from = from, .bytes = from ? bytes : 0};
}

Status aside_open(Aside *aside, Engine *engine) {
    const DeviceOps *ops = engine->device->ops;
    int64_t flat = engine->model->flat;
    *aside = (Aside){.engine = NULL};
    if (!ops->copy)
        return ST_OK;
    aside->engine = engine;
    add(aside, 0, engine->weights.weight, flat);
    add(aside, 1, engine->weights.running, engine->model->running_flat);
    add(aside, 2, engine->ema, flat);
    for (int i = 0; i < ENGINE_SLOTS; i++)
        add(aside, 3 + i, engine->slot[i], flat);
    for (int p = 0; p < ASIDE_PARTS; p++) {
        if (aside->part[p].bytes > 0)
            TRY(ops->alloc(engine->device, aside->part[p].bytes, &aside->part[p].kept));
    }
    return ops->stream_open(engine->device, &aside->stream);
}

void aside_close(Aside *aside) {
    if (!aside->engine)
        return;
    Device *device = aside->engine->device;
    if (aside->stream)
        device->ops->stream_close(aside->stream);
    for (int p = 0; p < ASIDE_PARTS; p++)
        device->ops->release(device, aside->part[p].kept);
    memset(aside, 0, sizeof *aside);
}

Status aside_take(Aside *aside) {
    Engine *engine = aside->engine;
    for (int p = 0; p < ASIDE_PARTS; p++) {
        const AsidePart *part = &aside->part[p];
        if (part->bytes > 0)
            TRY(engine->device->ops->copy(engine->stream, part->kept, part->from, part->bytes));
    }
    return engine->device->ops->sync(engine->stream, SYNC_SECONDS);
}

Status aside_fetch(Aside *aside, const HostState *to) {
    float *const host[ASIDE_PARTS] = {to->weight, to->running, to->ema, to->slot[0], to->slot[1]};
    const DeviceOps *ops = aside->engine->device->ops;
    for (int p = 0; p < ASIDE_PARTS; p++) {
        const AsidePart *part = &aside->part[p];
        if (part->bytes > 0 && host[p])
            TRY(ops->download(aside->stream, host[p], part->kept, part->bytes));
    }
    return ops->sync(aside->stream, SYNC_SECONDS);
}
