/* place: the memory of an op by name, so that a plan can say which arguments a step has before any
 * executor has given them addresses. Header only. Local. */
#ifndef LOCKSTEP_PLACE_H
#define LOCKSTEP_PLACE_H

#include "lockstep/device.h"

typedef enum Place {
    AT_NOTHING, /* ends a list of arguments */
    AT_IN,
    AT_IN2,
    AT_OUT,
    AT_GRAD_IN,
    AT_GRAD_IN2,
    AT_GRAD_OUT,
    AT_WEIGHT,
    AT_BIAS,
    AT_GRAD_WEIGHT,
    AT_GRAD_BIAS,
    AT_RUNNING_MEAN,
    AT_RUNNING_VAR,
    AT_STATS_MEAN,
    AT_STATS_VAR,
    AT_LABELS,
    AT_LOSS,
    AT_PREDICTED,
    AT_SAVED,
    AT_PACKED,
    AT_TEMP,     /* scratch: a value that one step hands to the next */
    AT_WORKSPACE /* scratch behind it: of the step that runs */
} Place;

/* The memory a place stands for, of scratch its beginning; NULL where the op has none. */
static inline void *place_memory(const OpMemory *memory, Place place) {
    switch (place) {
    case AT_IN:
        return memory->in[0].data;
    case AT_IN2:
        return memory->in[1].data;
    case AT_OUT:
        return memory->out.data;
    case AT_GRAD_IN:
        return memory->grad_in[0].data;
    case AT_GRAD_IN2:
        return memory->grad_in[1].data;
    case AT_GRAD_OUT:
        return memory->grad_out.data;
    case AT_WEIGHT:
        return memory->param[0].data;
    case AT_BIAS:
        return memory->param[1].data;
    case AT_GRAD_WEIGHT:
        return memory->grad_param[0].data;
    case AT_GRAD_BIAS:
        return memory->grad_param[1].data;
    case AT_RUNNING_MEAN:
        return memory->running[0].data;
    case AT_RUNNING_VAR:
        return memory->running[1].data;
    case AT_STATS_MEAN:
        return memory->stats[0].data;
    case AT_STATS_VAR:
        return memory->stats[1].data;
    case AT_LABELS:
        return memory->labels.data;
    case AT_LOSS:
        return memory->loss.data;
    case AT_PREDICTED:
        return memory->predicted.data;
    case AT_SAVED:
        return memory->saved;
    case AT_PACKED:
        return memory->packed;
    case AT_TEMP:
    case AT_WORKSPACE:
        return memory->scratch;
    case AT_NOTHING:
        break;
    }
    return NULL;
}

#endif
