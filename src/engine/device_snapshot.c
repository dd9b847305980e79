/* device_snapshot: see device_snapshot.h. */
#include "lockstep/device_snapshot.h"

#include <string.h>

static void add(DeviceSnapshot *snapshot, int part, const void *from, int64_t count) {
    size_t bytes = (size_t)count * dtype_size(snapshot->engine->device->real);
    snapshot->part[part] = (SnapshotPart){.from = from, .bytes = from ? bytes : 0};
}

Status device_snapshot_open(DeviceSnapshot *snapshot, Engine *engine) {
    const DeviceOps *ops = engine->device->ops;
    int64_t flat = engine->model->flat;
    *snapshot = (DeviceSnapshot){.engine = NULL};
    if (!ops->copy)
        return ST_OK;
    snapshot->engine = engine;
    add(snapshot, 0, engine->weights.weight, flat);
    add(snapshot, 1, engine->weights.running, engine->model->running_flat);
    add(snapshot, 2, engine->ema, flat);
    for (int i = 0; i < GROUPING_SLOTS; i++)
        add(snapshot, 3 + i, engine->slot[i], flat);
    for (int p = 0; p < SNAPSHOT_PARTS; p++) {
        if (snapshot->part[p].bytes > 0)
            TRY(ops->alloc(engine->device, snapshot->part[p].bytes, &snapshot->part[p].copy));
    }
    return ops->stream_open(engine->device, &snapshot->stream);
}

void device_snapshot_close(DeviceSnapshot *snapshot) {
    if (!snapshot->engine)
        return;
    Device *device = snapshot->engine->device;
    if (snapshot->stream)
        device->ops->stream_close(snapshot->stream);
    for (int p = 0; p < SNAPSHOT_PARTS; p++)
        device->ops->release(device, snapshot->part[p].copy);
    memset(snapshot, 0, sizeof *snapshot);
}

Status device_snapshot_take(DeviceSnapshot *snapshot) {
    Engine *engine = snapshot->engine;
    for (int p = 0; p < SNAPSHOT_PARTS; p++) {
        const SnapshotPart *part = &snapshot->part[p];
        if (part->bytes > 0)
            TRY(engine->device->ops->copy(engine->stream, part->copy, part->from, part->bytes));
    }
    return engine->device->ops->sync(engine->stream, SYNC_SECONDS);
}

Status device_snapshot_fetch(DeviceSnapshot *snapshot, const HostState *to) {
    float *host[SNAPSHOT_PARTS] = {to->weight, to->running, to->ema};
    memcpy(host + 3, to->slot, sizeof to->slot);
    const DeviceOps *ops = snapshot->engine->device->ops;
    for (int p = 0; p < SNAPSHOT_PARTS; p++) {
        const SnapshotPart *part = &snapshot->part[p];
        if (part->bytes > 0 && host[p])
            TRY(ops->download(snapshot->stream, host[p], part->copy, part->bytes));
    }
    return ops->sync(snapshot->stream, SYNC_SECONDS);
}
