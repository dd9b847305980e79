/* device_snapshot: the state of a run, copied within device memory for a checkpoint.
 *
 * A GPU copies within its memory far faster than to the host. So a step waits only for that copy;
 * another thread then brings it to the host, on a stream of its own, while the next steps run. */
#ifndef LOCKSTEP_DEVICE_SNAPSHOT_H
#define LOCKSTEP_DEVICE_SNAPSHOT_H

#include "lockstep/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SNAPSHOT_PARTS = 3 + GROUPING_SLOTS };

/* One array of the state; absent ones have 0 bytes. */
typedef struct SnapshotPart {
    const void *from; /* the engine's */
    void *copy;       /* device memory */
    size_t bytes;
} SnapshotPart;

typedef struct DeviceSnapshot {
    Engine *engine; /* borrowed; NULL: the device cannot copy within its memory */
    Stream *stream; /* of the thread that fetches */
    SnapshotPart part[SNAPSHOT_PARTS];
} DeviceSnapshot;

/* Leaves a zeroed struct where the device has no copies within its memory. Local. */
Status device_snapshot_open(DeviceSnapshot *snapshot, Engine *engine);
void device_snapshot_close(DeviceSnapshot *snapshot); /* accepts a zeroed struct */

/* Copies the state, over what was copied before; returns when that is done. Local, main thread. */
Status device_snapshot_take(DeviceSnapshot *snapshot);

/* Brings the copy to the host; NULL arrays are left out. Local, any one thread. */
Status device_snapshot_fetch(DeviceSnapshot *snapshot, const HostState *to);

#ifdef __cplusplus
}
#endif
#endif
