/* cuda/plan_file: the user's cache folder of plans (plan_store.h). Local. */
#ifndef LOCKSTEP_CUDA_PLAN_FILE_H
#define LOCKSTEP_CUDA_PLAN_FILE_H

#include <stddef.h>

enum { PLAN_FOLDER_MAX = 4096, PLAN_PATH_MAX = PLAN_FOLDER_MAX + 64 };

/* $XDG_CACHE_HOME/lockstep/plans, or the same below ~/.cache; "" for a user without a home: plans
 * last as long as the process, and in the run directory. It need not be there. */
void plan_folder(char folder[PLAN_FOLDER_MAX]);

/* A file that nobody but this user can have written, whole, with a 0 behind it, which the caller
 * frees. NULL, or why not; then *text is NULL. */
const char *plan_file_read(const char *path, char **text, size_t *bytes);

/* Makes the folder where it is missing, and in it the file, which whoever reads sees whole or not
 * at all. 0, or an errno. */
int plan_file_write(const char *folder, const char *path, const char *text, size_t bytes);

/* Removes files of the cache, those that were read or written longest ago first, until it holds at
 * most `most` bytes; returns how many. What cannot be looked at or removed stays. */
int plan_folder_trim(const char *folder, size_t most);

#endif
