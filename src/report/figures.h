/* figures: the figures of one run. Private to src/report. Local. */
#ifndef LOCKSTEP_REPORT_FIGURES_H
#define LOCKSTEP_REPORT_FIGURES_H

#include "facts.h"
#include "sheet.h"

/* Loss, accuracy, learning rate and times by epoch. */
Status figures_curves(Sheet *sheet, const Facts *facts);

/* Confusion matrix and accuracy by class; nothing where the run has no result yet. */
Status figures_classes(Sheet *sheet, const Facts *facts);

/* A training image of each class; nothing where the images are not found. */
Status figures_examples(Sheet *sheet, const Facts *facts);

/* Counts of the confusion matrix, which the caller frees; NULL where there is none. */
int64_t *figures_confusion(const Facts *facts);

/* Starts of processes but the first, as marks on an axis of epochs; returns how many of marks[room]
 * there are. */
int figures_marks(const Facts *facts, Mark *marks, int room);

#endif
