/* figures: the figures of one run. Private to src/report. Local. */
#ifndef LOCKSTEP_REPORT_FIGURES_H
#define LOCKSTEP_REPORT_FIGURES_H

#include "facts.h"
#include "sheet.h"

/* Loss, accuracy, learning rate and times by epoch. */
Status figures_curves(Sheet *sheet, const Facts *facts);

/* count[classes][classes]: [truth][guess]. */
Status figures_confusion_matrix(Sheet *sheet, const Facts *facts, const int64_t *count);

/* Confusion matrix, where there is one, and accuracy by class: of a run that has been tested. */
Status figures_classes(Sheet *sheet, const Facts *facts);

/* A training image of each class, and some of them as augmentation makes them; nothing where the
 * images are not found. */
Status figures_examples(Sheet *sheet, const Facts *facts);

/* The test images that were taken for something else with the highest probability; nothing where
 * the images or the predictions are not found. ST_DATA where the images are not those that were
 * tested. */
Status figures_wrong(Sheet *sheet, const Facts *facts);

/* Counts of the confusion matrix, which the caller frees; NULL where there is none. */
int64_t *figures_confusion(const Facts *facts);

/* A column of numbers, on their way to a figure. */
enum { COLUMN_MAX = 240 };
typedef struct Column {
    int64_t n;
    double x[COLUMN_MAX], y[COLUMN_MAX];
} Column;

/* How many neighbours of n points are to be one, so that a column has room for all. */
int64_t figures_group(int64_t n);

/* A field (offset in TrainPoint) of the logged steps by epoch: means of `group` neighbours. */
void figures_train_column(const Facts *facts, size_t field, double factor, int64_t group,
                          Column *column);

/* Starts of processes but the first, as marks on an axis of epochs; returns how many of marks[room]
 * there are. */
int figures_marks(const Facts *facts, Mark *marks, int room);

#endif
