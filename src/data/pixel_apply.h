/* pixel_apply: changes of a record's bytes (pixel_change.h), set up and carried out on the CPU.
 * Private to src/data. Local. */
#ifndef LOCKSTEP_DATA_PIXEL_APPLY_H
#define LOCKSTEP_DATA_PIXEL_APPLY_H

#include <stdbool.h>

#include "lockstep/pixel_change.h"
#include "lockstep/tensor.h"

/* x at a pixel's source = x + amount y, both from the top left corner; and with x and y the other
 * way round. */
PixelChange pixel_shear(double amount, bool vertical);
/* By so many pixels to the right, or down. */
PixelChange pixel_translate(int pixels, bool vertical);
/* About the image's centre, counter-clockwise. */
PixelChange pixel_rotate(double degrees, Shape shape);
PixelChange pixel_by_factor(PixelOp op, double factor);
PixelChange pixel_by_number(PixelOp op, int number);

/* target = the changed source, of 1 or 3 channels; fill[c] is what a move uncovers. */
void pixel_apply(const PixelChange *change, Shape shape, const uint8_t *fill,
                 const uint8_t *restrict source, uint8_t *restrict target);

#endif
