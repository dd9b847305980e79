/* terms: the gradients of several lanes, which a device sums in one pass, and the forms in which
 * they have a parameter. Header only. Local. */
#ifndef LOCKSTEP_TERMS_H
#define LOCKSTEP_TERMS_H

#include <stdbool.h>

#include "lockstep/shifts.h"
#include "lockstep/tensor.h"

/* Lanes of a rank whose sum is one pass; a kernel has their addresses among its arguments. */
enum { TERMS_MAX = 16 };

/* How a lane's gradient has a parameter that is real [o][channels][area]: [o][area][channels] of
 * `type`, no wider than real, from the place of its first element on. area 0: as it is. */
typedef struct TermForm {
    int64_t channels, area;
    DType type;
} TermForm;

/* The same for a kernel. */
typedef struct TermParam {
    int64_t begin;                  /* its first element in the flat gradient */
    uint32_t count, channels, area; /* area 0, channels 0: as it is */
    bool half;                      /* bfloat16 */
} TermParam;

/* Device memory, borrowed, that a sum reads a range of. */
typedef struct Terms {
    int n;                        /* 1 to TERMS_MAX */
    const void *value[TERMS_MAX]; /* flat gradients */
    int64_t begin;                /* the range's first element in them */
    const TermParam *param;       /* [n_params]; NULL: all as they are */
    const int32_t *param_of;      /* as Shifts.param, of the range; not looked at without `param` */
    void *peak[TERMS_MAX];        /* TermOps.shifted: [n_params real] each; else not looked at */
} Terms;

#endif
