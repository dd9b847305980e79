/* share: memory that the ranks of a host have in common, to which all of them add, and what orders
 * them there.
 *
 * A sum that does not depend on the order of its terms needs no sum of each rank's own, and no
 * message between ranks of a host: they add to one. What is waited for has the communicator's
 * deadline: a rank whose wait passes it ends all (comm.h). Waiting threads sleep in the kernel. */
#ifndef LOCKSTEP_SHARE_H
#define LOCKSTEP_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lockstep/comm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Share Share;

/* Both lie in shared memory, and are for the functions below alone; a zeroed one is free, or has
 * counted nothing. */
typedef struct ShareLock {
    uint32_t state;
} ShareLock;

typedef struct ShareCount {
    uint32_t value; /* modulo 2^32 */
} ShareCount;

/* `bytes` of zeroed memory for the ranks of each host, and from now on comm_reduce is of buckets
 * there: it waits until all ranks of the host have come, and sums over hosts. *share is NULL, on
 * every rank, where no two ranks are on one host, or those of one cannot have memory in common (in
 * containers of their own). Collective, agreed; once a communicator. */
Status share_open(Comm *comm, size_t bytes, Share **share);

/* Collective in that no rank may use the memory any more. Accepts NULL. */
void share_close(Share *share);

void *share_memory(const Share *share);

/* From any thread; `bucket` is for the deadline's line. Returns the seconds that it took. */
double share_lock(Share *share, ShareLock *lock, int bucket);
void share_unlock(ShareLock *lock);

/* Rounds in which each rank of the host arrives once, numbered from 1; none begins before the one
 * before it is complete. */
void share_arrive(Share *share, ShareCount *count, uint32_t round);

/* Waits until the round is complete. From any thread. Returns likewise. */
double share_await(Share *share, ShareCount *count, uint32_t round, int bucket);

#ifdef __cplusplus
}
#endif
#endif
