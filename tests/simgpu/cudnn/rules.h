/* rules: between rules.c (what operations consist of) and shapes.c (what fits together). */
#ifndef SIMGPU_CUDNN_RULES_H
#define SIMGPU_CUDNN_RULES_H

#include "desc.h"

void shapes_check(const Operation *op); /* or reports */

#endif
