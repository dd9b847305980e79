/* versions: what this program is made of. Local. */
#ifndef LOCKSTEP_VERSIONS_H
#define LOCKSTEP_VERSIONS_H

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Open MPI, HDF5, oneDNN as found at run time, in one line: what hosts of a run should have in
 * common. */
void versions_line(char *out, size_t room);

/* One line each: lockstep with its git id, then every library as found at run time. */
void versions_print(FILE *out);

#ifdef __cplusplus
}
#endif
#endif
