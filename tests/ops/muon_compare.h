/* muon_compare: Muon's update of matrices of many shapes on a device, against the reference backend
 * in double. (Against a program that is not ours: tests/oracle.) */
#ifndef TESTS_OPS_MUON_COMPARE_H
#define TESTS_OPS_MUON_COMPARE_H

#include "lockstep/device.h"

/* Runs a cmocka test of that name; the number of failures. */
int muon_compare(const char *name, Status (*open)(Device **device));

#endif
