/* kept: see kept.h. */
#include "kept.h"

#include <stdlib.h>
#include <string.h>

Status kept_open(Kept *kept, Device *device, int workers, int buckets) {
    workers = workers < TERMS_MAX ? workers : TERMS_MAX; /* lane i is of worker i % workers */
    size_t marks = (size_t)workers * (size_t)buckets;
    *kept = (Kept){.device = device, .workers = workers, .buckets = buckets};
    pthread_mutex_init(&kept->lock, NULL);
    TRY(device->ops->stream_open(device, &kept->stream));
    kept->mark = calloc(marks, sizeof *kept->mark);
    TRY_ALLOC(kept->mark);
    for (size_t i = 0; i < marks; i++)
        TRY(device->ops->marks->open(device, &kept->mark[i]));
    return ST_OK;
}

void kept_close(Kept *kept) {
    if (!kept->device)
        return;
    for (int i = 0; kept->mark && i < kept->workers * kept->buckets; i++) {
        if (kept->mark[i])
            kept->device->ops->marks->close(kept->mark[i]);
    }
    free(kept->mark);
    if (kept->stream)
        kept->device->ops->stream_close(kept->stream);
    pthread_mutex_destroy(&kept->lock);
    *kept = (Kept){0};
}

Status kept_begin(Kept *kept, Mark *begun) {
    memset(kept->value, 0, sizeof kept->value);
    memset(kept->works, 0, sizeof kept->works);
    return kept->device->ops->marks->wait(kept->stream, begun);
}

void kept_begin_lane(Kept *kept, int index, int worker, const void *value, void *peak) {
    kept->value[index] = value;
    kept->peak[index] = peak;
    kept->works[worker] = true;
}

Status kept_bring(Kept *kept, Stream *stream, int worker, int bucket) {
    return kept->device->ops->marks->set(stream, kept->mark[worker * kept->buckets + bucket]);
}

Status kept_gather(const Kept *kept, int bucket) {
    for (int w = 0; w < kept->workers; w++) {
        if (kept->works[w])
            TRY(kept->device->ops->marks->wait(kept->stream,
                                               kept->mark[w * kept->buckets + bucket]));
    }
    return ST_OK;
}

void kept_terms(const Kept *kept, Terms *terms) {
    *terms = (Terms){0};
    for (int i = 0; i < TERMS_MAX; i++) {
        if (!kept->value[i])
            continue;
        terms->value[terms->n] = kept->value[i];
        terms->peak[terms->n++] = kept->peak[i];
    }
}

void kept_peaks(const Kept *kept, Terms *terms) {
    *terms = (Terms){0};
    for (int i = 0; i < TERMS_MAX; i++) {
        if (kept->value[i])
            terms->value[terms->n++] = kept->peak[i];
    }
}
