/* whole_compare: the updates of whole tensors (Muon, LARS, LAMB) of many shapes on a device,
 * against the reference backend in double. (Against a program that is not ours: tests/oracle.) */
#ifndef TESTS_OPS_WHOLE_COMPARE_H
#define TESTS_OPS_WHOLE_COMPARE_H

#include "lockstep/device.h"

/* Runs cmocka tests of that name; the number of failures. */
int whole_compare(const char *name, Status (*open)(Device **device));

#endif
