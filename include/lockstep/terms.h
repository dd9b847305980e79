/* terms: the gradients of several lanes, which a device sums in one pass. Header only. Local. */
#ifndef LOCKSTEP_TERMS_H
#define LOCKSTEP_TERMS_H

/* Lanes of a rank whose sum is one pass; a kernel has their addresses among its arguments. */
enum { TERMS_MAX = 16 };

/* Device memory, borrowed. */
typedef struct Terms {
    int n;                        /* 1 to TERMS_MAX */
    const void *value[TERMS_MAX]; /* [elements real] each */
    void *peak[TERMS_MAX];        /* TermOps.shifted: [n_params real] each; else not looked at */
} Terms;

#endif
