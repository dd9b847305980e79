/* together: lanes that advance together, because an op is over the whole step. Each thread brings
 * all lanes of its own to the middle of the next such op; then the main thread adds up what lanes
 * share, those of other ranks too, as integers: so the sums are the same in any order. Each lane
 * has memory of its own. */
#ifndef LOCKSTEP_ENGINE_TOGETHER_H
#define LOCKSTEP_ENGINE_TOGETHER_H

#include "lane.h"

typedef struct Together {
    LaneTask *task; /* [lanes of the rank] */
    FixedPair format;
    int64_t *sum;   /* [2 most] */
    double *shared; /* [most] sums over all lanes of the step */
} Together;

/* For a session whose engine_shares. Local. */
Status together_open(Together *together, const Session *session);
void together_close(Together *together); /* accepts a zeroed struct */

/* All lanes of the rank, together with those of the others. Collective. */
Status together_compute(Together *together, LanesStep *step);

#endif
