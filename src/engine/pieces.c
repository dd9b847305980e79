/* pieces: see pieces.h. */
#include "pieces.h"

#include <stdlib.h>
#include <string.h>

#include "lockstep/model.h"
#include "lockstep/thread.h"

static int count_of(int64_t elements, int64_t most) {
    return elements > most ? (int)((elements + most - 1) / most) : 1;
}

int pieces_most(int64_t flat, int buckets, int64_t most) {
    return (int)(flat / most) + buckets;
}

static void cut(Pieces *pieces, int bucket, const int64_t *begin, int64_t most) {
    int64_t elements = begin[bucket + 1] - begin[bucket];
    int n = count_of(elements, most), first = pieces->first[bucket];
    pieces->first[bucket + 1] = first + n;
    for (int i = 0; i < n; i++) {
        Piece *piece = &pieces->piece[first + i];
        pthread_mutex_init(&piece->lock, NULL);
        split_range(elements, PARAM_ALIGN, n, i, &piece->begin, &piece->end);
        piece->begin += begin[bucket];
        piece->end += begin[bucket];
    }
}

Status pieces_open(Pieces *pieces, const int64_t *begin, int buckets, int64_t most) {
    size_t room = (size_t)pieces_most(begin[buckets], buckets, most);
    *pieces = (Pieces){0};
    pieces->first = calloc((size_t)buckets + 1, sizeof *pieces->first);
    TRY_ALLOC(pieces->first);
    pieces->piece = aligned_alloc(_Alignof(Piece), room * sizeof *pieces->piece);
    TRY_ALLOC(pieces->piece);
    memset(pieces->piece, 0, room * sizeof *pieces->piece);
    for (int b = 0; b < buckets; b++)
        cut(pieces, b, begin, most);
    pieces->n = pieces->first[buckets];
    return ST_OK;
}

void pieces_close(Pieces *pieces) {
    for (int i = 0; i < pieces->n; i++)
        pthread_mutex_destroy(&pieces->piece[i].lock);
    free(pieces->piece);
    free(pieces->first);
    *pieces = (Pieces){0};
}

void pieces_begin(Pieces *pieces) {
    for (int i = 0; i < pieces->n; i++)
        pieces->piece[i].arrived = 0;
}

/* Lanes that are computed at the same time are neighbours: they are as far apart as can be. */
int pieces_turn(const Pieces *pieces, int bucket, int64_t lane, int64_t lanes, int i) {
    int first = pieces->first[bucket], n = pieces->first[bucket + 1] - first;
    int64_t apart = n > lanes ? n / lanes : 1;
    return first + (int)((lane * apart + i) % n);
}
