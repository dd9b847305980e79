/* owner: whose run directory this is. Private to src/io. Local.
 *
 * The file `owner` names one process (holder.h) and carries its kernel lock. The lock dies with the
 * process and keeps a second one out; but where a node was cut off and its job started again
 * elsewhere, the old process may live on with the lock in its hands, and some file systems have no
 * locks, or such as other nodes do not see. So the file itself decides: who takes the directory
 * puts a new file, locked and filled before it got its name, in place of the old one, and whoever
 * is not named in it any more must not write. And it has a heartbeat, for who would take the
 * directory from a process that it cannot see. */
#ifndef LOCKSTEP_IO_OWNER_H
#define LOCKSTEP_IO_OWNER_H

#include "holder.h"
#include "lockstep/rundir.h"

typedef enum Ownership {
    OWNER_SELF,
    OWNER_OTHER,  /* somebody else is named, or the file is gone: for good */
    OWNER_UNKNOWN /* the file cannot be read just now: errno */
} Ownership;

/* Takes FOLDER. text[OWNER_TEXT_MAX] is who its owner file now says it is, *fd holds its lock.
 * Where another process has the directory it is ST_CHECKPOINT naming that process, unless this one
 * belongs to the same job restarted since, the other is seen to be dead, or its heartbeat stands
 * still, which is waited for. Neither is asked where the file begins with `over` ("": no file):
 * who that names is known not to write there any more. */
Status owner_take(const char *folder, const char *over, char *text, int *fd);

/* Whether the owner file still names who `text` does. Leaves the error record alone. */
Ownership owner_look(const char *folder, const char *text);

/* ST_CHECKPOINT unless it does; names the new owner. */
Status owner_check(const char *folder, const char *text);

/* See rundir_holder. */
RunHolder owner_life(const char *folder);

/* Writes the heartbeat, a number that must be another each time, and after how many seconds the
 * next one comes. On the disk when it comes back. Not beside owner_release. ST_CHECKPOINT. */
Status owner_beat(int fd, const char *text, int64_t beat, double every);

/* Notes in the file behind `fd` that its process has ended, and closes it. */
void owner_release(int fd);

#endif
