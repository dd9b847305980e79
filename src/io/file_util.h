/* file_util: whole files in and out, durably. Private to src/io. Local.
 *
 * All failures are ST_CHECKPOINT and name the path and the system's cause. */
#ifndef LOCKSTEP_IO_FILE_UTIL_H
#define LOCKSTEP_IO_FILE_UTIL_H

#include <stdbool.h>
#include <stddef.h>

#include "lockstep/status.h"

/* FOLDER/NAME into out[4096]; ST_CHECKPOINT where it is too long. */
Status file_join(const char *folder, const char *name, char out[4096]);

/* The whole file plus a final zero byte that *size does not count; the caller frees *bytes. */
Status file_load(const char *path, char **bytes, size_t *size);

/* Writes all of `bytes` to an open descriptor; `path` is for the message. */
Status file_write(int fd, const char *path, const void *bytes, size_t size);

/* fsync, again where a signal came between; 0, or -1 and errno. */
int file_sync(int fd);

/* Creates (or empties) `path`, writes it and makes it durable; removes it again on failure. */
Status file_create(const char *path, const void *bytes, size_t size);

/* "NAME.tmp.PID.JOB.RESTART.HOST" for this process, and whether such a name belongs to a process of
 * this host that is dead, to an earlier start of this job, or to this process. */
void file_temporary_name(const char *name, char *out, size_t room);
bool file_temporary_is_stale(const char *name);

/* Whether NAME ends as file_temporary_name's do, whoever's it is. */
bool file_is_temporary(const char *name);

/* Makes renames and new names in a folder durable. */
Status file_sync_folder(const char *folder);

/* Renames `from` to `to` unless `to` exists. *exists says whether it did (and then nothing changed
 * and ST_OK is returned). Atomic, but for file systems that file_can_rename_new says no of: there
 * it looks, then renames. Where a process died in the middle, the same call comes to its end. */
Status file_rename_new(const char *from, const char *to, bool *exists);

/* Tries it: false where the file system says that it cannot rename `from` to `to` without ever
 * replacing. */
bool file_can_rename_new(const char *from, const char *to);

/* mkdir -p; `option` names the path in messages. */
Status file_make_folders(const char *path, const char *option);

/* Removes a file that may not be there. */
Status file_remove(const char *path);

#endif
