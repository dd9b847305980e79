/* tensorboard: the run directory's folder tensorboard, of the same facts as metrics.jsonl. Private
 * to src/io. Local.
 *
 * Each process that works on the run has a file of its own, events.out.tfevents.NUMBER.lockstep:
 * they sort by number, so TensorBoard reads them in the order in which they were made. A file
 * begins with the start of a session at the resumed step + 1, whereupon TensorBoard drops what
 * earlier files have of that step and later ones: no step stands twice. */
#ifndef LOCKSTEP_IO_TENSORBOARD_H
#define LOCKSTEP_IO_TENSORBOARD_H

#include "event_file.h"
#include "lockstep/metrics.h"

typedef struct Tensorboard {
    EventFile file;
} Tensorboard;

/* For a process that goes on after `step`. ST_CHECKPOINT. */
Status tensorboard_open(const RunDir *dir, int64_t step, const BoardFacts *facts,
                        Tensorboard *board);
void tensorboard_close(Tensorboard *board);

Status tensorboard_train(Tensorboard *board, const TrainMetrics *metrics);
Status tensorboard_eval(Tensorboard *board, const EvalMetrics *metrics);
Status tensorboard_image(Tensorboard *board, int64_t step, const BoardImage *image);
Status tensorboard_histogram(Tensorboard *board, int64_t step, const char *tag,
                             const Histogram *histogram);

#endif
