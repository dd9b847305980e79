/* folder_help: what a folder without CIFAR-10's binary files holds instead, and what to do. Private
 * to src/data. */
#ifndef LOCKSTEP_DATA_FOLDER_HELP_H
#define LOCKSTEP_DATA_FOLDER_HELP_H

#include "lockstep/status.h"

/* ST_DATA that says so; ST_OK where it holds nothing that is known. */
Status folder_help(const char *folder);

#endif
