/* train_finish: the end of a training run: the last evaluation and checkpoint, result.json,
 * predictions and the summary. */
#ifndef LOCKSTEP_RUN_TRAIN_FINISH_H
#define LOCKSTEP_RUN_TRAIN_FINISH_H

#include "training.h"

/* Final evaluation where the last step had none, final checkpoint, result.json and the summary.
 * Collective, agreed. */
Status train_finish(Train *run, bool stopped);

#endif
