/* class_names: what the classes of a set are called. Private to src/data. */
#ifndef LOCKSTEP_DATA_CLASS_NAMES_H
#define LOCKSTEP_DATA_CLASS_NAMES_H

#include "lockstep/dataset.h"

/* Sets class_names and names_memory from `names`, a line each of dataset->classes; NULL: their
 * numbers. They go into tables, pages and JSON: each is UTF-8 without control characters, not
 * empty, shorter than CLASS_NAME_MAX, and no other's. ST_DATA. */
Status class_names_set(Dataset *dataset, const char *names);

#endif
