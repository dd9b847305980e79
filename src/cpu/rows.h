/* cpu/rows: runs of activations in memory for loops of our own, which compute in float whatever the
 * type of the activations (plan_type). A loop takes its rows in pieces of at most ROW_PIECE
 * elements, or whole, with rooms in temp:
 *
 *     float x_room[ROW_PIECE], y_room[ROW_PIECE];
 *     const float *x = row_read(type, row_at(type, in, i), n, x_room);
 *     float *y = row_open(type, row_at(type, out, i), n, adds, y_room);
 *     ... y[k] = f(x[k]), or y[k] += f(x[k]) ...
 *     row_close(type, row_at(type, out, i), n, y);
 *
 * fp32 is read and written where it stands, so that the same loop costs nothing more there;
 * bfloat16 goes through the rooms, and a sum in row_open's floats is rounded once. Local. */
#ifndef LOCKSTEP_CPU_ROWS_H
#define LOCKSTEP_CPU_ROWS_H

#include <stdbool.h>

#include "lockstep/tensor.h"

enum { ROW_PIECE = 256 };

/* Address of element i. */
static inline void *row_at(DType type, const void *base, int64_t i) {
    return (char *)base + (size_t)i * dtype_size(type);
}

/* Elements of the piece that begins at `first` of `count`. */
static inline int64_t row_piece(int64_t count, int64_t first) {
    return count - first < ROW_PIECE ? count - first : ROW_PIECE;
}

/* row[n] as floats: the row itself, or room[n]. */
const float *row_read(DType type, const void *row, int64_t n, float *room);

/* Floats to compute row[n] in: the row itself, or room[n], which has its values if `reads`. */
float *row_open(DType type, void *row, int64_t n, bool reads, float *room);

/* Brings what was computed to row[n]: to the nearest, at ties to even, NaN as NaN. `value` may also
 * be floats of the caller's own. */
void row_close(DType type, void *row, int64_t n, const float *value);

#endif
