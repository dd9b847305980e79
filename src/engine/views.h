/* views: test-time augmentation: the images that stand for one record, and their weights. Local. */
#ifndef LOCKSTEP_ENGINE_VIEWS_H
#define LOCKSTEP_ENGINE_VIEWS_H

#include "lockstep/config.h"
#include "lockstep/tensor.h"

enum { VIEWS_MAX = 6 };

/* image[y][x] = record[y + down][x + right], mirrored afterwards; what stands outside the record is
 * reflected at its border, which is not repeated. */
typedef struct View {
    int down, right;
    bool mirror;
    double weight; /* of its logits; all weights are 1 in sum */
} View;

/* Fills view[]; returns how many. The first is the record as it is. */
int views_of(Tta tta, View view[VIEWS_MAX]);

/* The view of a record of `shape` (n 1), into image[c][h][w]. */
void view_make(const View *view, Shape shape, const uint8_t *record, uint8_t *image);

#endif
