/* operand: the memory of an op by name, so that a plan can say what its steps work on before any
 * executor has given them addresses. Header only. Local. */
#ifndef LOCKSTEP_OPERAND_H
#define LOCKSTEP_OPERAND_H

#include "lockstep/device.h"

typedef enum OperandKind {
    OPERAND_NONE, /* ends a list */
    OPERAND_IN,
    OPERAND_OUT,
    OPERAND_GRAD_IN,
    OPERAND_GRAD_OUT,
    OPERAND_PARAM,
    OPERAND_GRAD_PARAM,
    OPERAND_RUNNING,
    OPERAND_STATS,
    OPERAND_LABELS,
    OPERAND_SECOND,
    OPERAND_LOSS,
    OPERAND_PREDICTED,
    OPERAND_SAVED,
    OPERAND_PACKED,
    OPERAND_SHARED,
    OPERAND_TEMP,     /* scratch: values that one step hands to later ones */
    OPERAND_WORKSPACE /* scratch behind it: of the step that runs */
} OperandKind;

typedef struct Operand {
    OperandKind kind;
    int index;     /* of those of its kind */
    size_t offset; /* bytes */
} Operand;

/* What most layers have comes first among their parameters and statistics (layer.h). */
enum { WEIGHT, BIAS };
enum { MEAN, VARIANCE };

#define AT_NOTHING       ((Operand){OPERAND_NONE, 0, 0})
#define AT_IN(i)         ((Operand){OPERAND_IN, (i), 0})
#define AT_OUT           ((Operand){OPERAND_OUT, 0, 0})
#define AT_GRAD_IN(i)    ((Operand){OPERAND_GRAD_IN, (i), 0})
#define AT_GRAD_OUT      ((Operand){OPERAND_GRAD_OUT, 0, 0})
#define AT_PARAM(i)      ((Operand){OPERAND_PARAM, (i), 0})
#define AT_GRAD_PARAM(i) ((Operand){OPERAND_GRAD_PARAM, (i), 0})
#define AT_RUNNING(i)    ((Operand){OPERAND_RUNNING, (i), 0})
#define AT_STATS(i)      ((Operand){OPERAND_STATS, (i), 0})
#define AT_LABELS        ((Operand){OPERAND_LABELS, 0, 0})
#define AT_SECOND        ((Operand){OPERAND_SECOND, 0, 0})
#define AT_LOSS          ((Operand){OPERAND_LOSS, 0, 0})
#define AT_PREDICTED     ((Operand){OPERAND_PREDICTED, 0, 0})
#define AT_SAVED(offset) ((Operand){OPERAND_SAVED, 0, (offset)})
#define AT_SHARED        ((Operand){OPERAND_SHARED, 0, 0})
#define AT_TEMP          ((Operand){OPERAND_TEMP, 0, 0})
#define AT_WORKSPACE     ((Operand){OPERAND_WORKSPACE, 0, 0})

static inline bool operand_same(Operand a, Operand b) {
    return a.kind == b.kind && a.index == b.index && a.offset == b.offset;
}

/* How many operands of a kind an op may have: the named limits of device.h and layer.h. */
static inline int operand_limit(OperandKind kind) {
    switch (kind) {
    case OPERAND_IN:
    case OPERAND_GRAD_IN:
        return LAYER_INPUTS_MAX;
    case OPERAND_PARAM:
    case OPERAND_GRAD_PARAM:
        return LAYER_PARAMS_MAX;
    case OPERAND_RUNNING:
    case OPERAND_STATS:
        return LAYER_RUNNING_MAX;
    default:
        return 1;
    }
}

/* The memory that holds operands of this kind and index, of scratch its beginning; NULL where the
 * op has none. */
static inline void *operand_memory(const OpMemory *memory, OperandKind kind, int index) {
    switch (kind) {
    case OPERAND_IN:
        return memory->in[index].data;
    case OPERAND_OUT:
        return memory->out.data;
    case OPERAND_GRAD_IN:
        return memory->grad_in[index].data;
    case OPERAND_GRAD_OUT:
        return memory->grad_out.data;
    case OPERAND_PARAM:
        return memory->param[index].data;
    case OPERAND_GRAD_PARAM:
        return memory->grad_param[index].data;
    case OPERAND_RUNNING:
        return memory->running[index].data;
    case OPERAND_STATS:
        return memory->stats[index].data;
    case OPERAND_LABELS:
        return memory->labels.data;
    case OPERAND_SECOND:
        return memory->second.data;
    case OPERAND_LOSS:
        return memory->loss.data;
    case OPERAND_PREDICTED:
        return memory->predicted.data;
    case OPERAND_SAVED:
        return memory->saved;
    case OPERAND_PACKED:
        return memory->packed;
    case OPERAND_SHARED:
        return memory->shared;
    case OPERAND_TEMP:
    case OPERAND_WORKSPACE:
        return memory->scratch;
    case OPERAND_NONE:
        break;
    }
    return NULL;
}

#endif
