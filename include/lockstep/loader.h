/* loader: threads that prepare the batches of this rank's lanes ahead of the step loop. Local.
 *
 * A ring of `depth` batches is filled in the order (step, lane); compute threads take batches of
 * the current step in any order of lanes and give them back. Which thread prepared a batch cannot
 * be seen in it. The loader reads only memory (shards are read at start), so it cannot fail after
 * loader_start. */
#ifndef LOCKSTEP_LOADER_H
#define LOCKSTEP_LOADER_H

#include "lockstep/augment.h"
#include "lockstep/dataset.h"
#include "lockstep/sampler.h"
#include "lockstep/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One lane's part of one step. Owned by the loader. */
typedef struct Batch {
    int64_t step;
    int64_t lane;
    int64_t images;
    float *image; /* [images][c][h][w], normalised; NULL with LoaderConfig.draw_only */
    /* With draw_only, else NULL: of records of the lane's shard; and, where Augment mixes, of those
     * that images are mixed with. */
    ImageDraws drawn, partner;
    int32_t *label;      /* [images] */
    SecondLabel *second; /* [images] labels of partners where Augment mixes, else NULL */
    int64_t *record;     /* [images] record numbers */
} Batch;

typedef struct Loader Loader;

typedef struct LoaderConfig {
    const Sampler *sampler; /* borrowed */
    const Augment *augment; /* borrowed */
    Shape image;            /* of a record, n = 1 */
    const Shard *shards;    /* [lane_count], of this rank's lanes; borrowed */
    int64_t first_lane, lane_count;
    int64_t first_step, end_step; /* batches of steps [first_step, end_step) */
    int threads;                  /* >= 1 */
    int64_t depth;                /* batches in the ring, >= lane_count */
    /* The device makes the images: only draw what is done to each record. */
    bool draw_only;
    Trace *trace; /* where the threads tell what they do, or NULL; borrowed */
} LoaderConfig;

Status loader_start(const LoaderConfig *config, Loader **loader);
/* Ends the threads even where batches are outstanding; accepts NULL. */
void loader_stop(Loader *loader);

/* Waits for the batch of (step, lane), which must be the current step's. ST_DEADLINE after
 * deadline_s. */
Status loader_take(Loader *loader, int64_t step, int64_t lane, double deadline_s, Batch **batch);
void loader_give(Loader *loader, Batch *batch);

#ifdef __cplusplus
}
#endif
#endif
