/* page: the page of one run, and that of several. Private to src/report. Local. */
#ifndef LOCKSTEP_REPORT_PAGE_H
#define LOCKSTEP_REPORT_PAGE_H

#include "facts.h"
#include "sheet.h"

Status page_of_run(Sheet *sheet, const Facts *facts);

/* Curves over each other, what differs, and means over seeds; n >= 2. */
Status page_of_runs(Sheet *sheet, const Facts *facts, int n);

/* "3 min 16 s", into words[32]. */
void duration_words(double seconds, char words[32]);

#endif
