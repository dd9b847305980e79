/* synthetic: procedural records in CIFAR-10's format. Private to src/data and its tests. */
#ifndef LOCKSTEP_DATA_SYNTHETIC_H
#define LOCKSTEP_DATA_SYNTHETIC_H

#include "lockstep/dataset.h"

/* Record `record` of a part: *label and pixels[CIFAR10_PIXELS], a pure function of the arguments.
 */
void synthetic_record(uint64_t seed, DatasetPart part, int64_t record, uint16_t *label,
                      uint8_t *pixels);

#endif
