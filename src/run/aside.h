/* aside: the state of a run, set aside in device memory for a checkpoint.
 *
 * A GPU copies within its memory far faster than to the host. So a step waits only for that copy;
 * another thread then brings it to the host, on a stream of its own, while the next steps run. */
#ifndef LOCKSTEP_RUN_ASIDE_H
#define LOCKSTEP_RUN_ASIDE_H

#include "engine.h"

enum { ASIDE_PARTS = 3 + ENGINE_SLOTS };

/* One array of the state; absent ones have 0 bytes. */
typedef struct AsidePart {
    const void *from; /* the engine's */
    void *kept;       /* device memory */
    size_t bytes;
} AsidePart;

typedef struct Aside {
    Engine *engine; /* borrowed; NULL: nothing can be set aside */
    Stream *stream; /* of the thread that fetches */
    AsidePart part[ASIDE_PARTS];
} Aside;

/* Leaves a zeroed struct where the device has no copies within its memory. Local. */
Status aside_open(Aside *aside, Engine *engine);
void aside_close(Aside *aside); /* accepts a zeroed struct */

/* Sets the state aside, over what was set aside before; returns when that is done. Main thread. */
Status aside_take(Aside *aside);

/* Brings what was set aside to the host; NULL arrays are left out. Any one thread. */
Status aside_fetch(Aside *aside, const HostState *to);

#endif
