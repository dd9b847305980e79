/* pieces: the parts of a rank's sum that have a lock each. Local.
 *
 * Threads whose lanes complete a bucket at the same time would wait for each other, were its lock
 * one. So a bucket is cut into pieces, and each lane begins with another one of them: while lanes
 * keep the same pace they go round the bucket behind each other, and none waits. Sums of integers
 * do not depend on the order, nor on the cuts. */
#ifndef LOCKSTEP_ENGINE_PIECES_H
#define LOCKSTEP_ENGINE_PIECES_H

#include <pthread.h>
#include <stdint.h>

#include "lockstep/status.h"

/* The most elements of a piece: 256 KiB of int64, which a core's second cache holds. */
enum { PIECE_ELEMENTS = 32768 };

/* A cache line of its own, so that threads at neighbouring pieces do not share one. */
typedef struct Piece {
    _Alignas(64) pthread_mutex_t lock;
    int64_t begin, end; /* elements of the flat gradient, multiples of PARAM_ALIGN */
    int arrived;        /* under the lock: lanes of the rank that have added in this step */
} Piece;

typedef struct Pieces {
    int n;
    int *first; /* [buckets + 1] a bucket's pieces: first[b] to first[b + 1] */
    Piece *piece;
} Pieces;

/* More pieces than this pieces_open does not make. */
int pieces_most(int64_t flat, int buckets, int64_t most);

/* Cuts buckets, whose bounds are begin[buckets + 1], into near-equal pieces of at most `most`
 * elements, a multiple of PARAM_ALIGN. */
Status pieces_open(Pieces *pieces, const int64_t *begin, int buckets, int64_t most);
void pieces_close(Pieces *pieces); /* accepts a zeroed struct, and what could not be opened */

/* A step begins: nothing has arrived. While no thread adds. */
void pieces_begin(Pieces *pieces);

/* The i-th piece of the bucket that this lane of the run's `lanes` adds to. */
int pieces_turn(const Pieces *pieces, int bucket, int64_t lane, int64_t lanes, int i);

#endif
