/* survey: what the records themselves tell of a set, whatever its files are called. */
#ifndef LOCKSTEP_SURVEY_H
#define LOCKSTEP_SURVEY_H

#include "lockstep/comm.h"
#include "lockstep/dataset.h"
#include "lockstep/input.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Looks at what all ranks have read, and, of a set that may be CIFAR-10, at the training records
 * that none has: fills input->survey and gives input->dataset its name. Collective, agreed. */
Status survey_take(Input *input, Comm *comm);

/* Warns of files that are copies of each other or black, and of test images that are trained on.
 * Local. */
void survey_announce(const Input *input);

#ifdef __cplusplus
}
#endif
#endif
