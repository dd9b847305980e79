/* lines: curves of several runs over each other. Private to src/report. Local. */
#ifndef LOCKSTEP_REPORT_LINES_H
#define LOCKSTEP_REPORT_LINES_H

#include "figures.h"

/* Test accuracy, test loss and training loss of facts[n] by epoch. Runs of one group, group[i] the
 * first run that i goes with, that have ended are one line: their mean, in a band of their
 * deviation. */
Status lines_figures(Sheet *sheet, const Facts *facts, int n, const int *group);

#endif
