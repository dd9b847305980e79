/* child: another process of this program, for work that must not harm the run: a library that draws
 * may fail in ways that no Status tells. It can be ended at any moment. Rank 0. Local. */
#ifndef LOCKSTEP_RUN_CHILD_H
#define LOCKSTEP_RUN_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "lockstep/clock.h"

/* How a process ended; words for people. */
typedef struct ChildEnd {
    bool runs;      /* it has not: the rest does not count */
    bool well;      /* with exit code 0 */
    int code;       /* its exit code, -1: none */
    char words[48]; /* "it ended with exit code 5" */
} ChildEnd;

/* Starts `lockstep WORD...`: words[] begins with the subcommand and ends with NULL. `in` and `out`
 * become its standard input and output; -1: /dev/null, as is its standard error. It gets none of
 * the launcher's variables, so that nobody takes it for a rank. -1 where it cannot be started. */
pid_t child_start(const char *const *words, int in, int out);

/* Whether it has ended, and how. Does not wait; once it has ended it is not to be asked again. */
ChildEnd child_look(pid_t process);

/* Waits for its end until the deadline, or until the run is asked to stop; then it is ended. */
ChildEnd child_wait(pid_t process, const Deadline *deadline);

/* Ends it at once. Waits a second at most: where it stands in a disk that does not answer it stays,
 * and nobody asks for it again. */
void child_kill(pid_t process);

#endif
