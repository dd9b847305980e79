/* cpu/channels: loops of our own over activations in any layout (rule.h).
 *
 * Memory of an activation is rows: runs of neighbouring channels of one pixel. Layouts differ in
 * how long a row is (all channels, a block of them, one) and in what comes next, so a loop over
 * rows serves all of them. */
#ifndef LOCKSTEP_CPU_CHANNELS_H
#define LOCKSTEP_CPU_CHANNELS_H

#include "plan.h"

/* Channels [first, first + count) of an activation. */
typedef struct Channels {
    DType type;
    Shape shape;
    int layout;
    int64_t first, count;
} Channels;

/* Channels [first, first + count) of `tensor`; those of a map of 1 x 1 lie as in NHWC. */
Channels channels_of(const Tensor *tensor, int64_t first, int64_t count);

/* How many neighbouring channels stand side by side: a row. */
int64_t channels_row(const Channels *channels);

/* to = from, or to += from; as many channels, images and pixels in both. */
void channels_copy(const Channels *from, const void *x, const Channels *to, void *y, bool add);

/* to = 0. */
void channels_clear(const Channels *to, void *y);

/* An activation as rows: of each image `blocks` of channels, of each block `map` rows, of each row
 * `row` channels; blocks and rows one behind the other. */
typedef struct RowGrid {
    DType type;
    int64_t images, blocks, map, row;
} RowGrid;

RowGrid row_grid(const Tensor *tensor);

#endif
