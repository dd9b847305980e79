/* cpu/attention_passes: what attention consists of that is computed head by head, in one type and
 * for one kind of processor: attention_bf16.c, attention_f32.c. N tokens, D values of a head.
 *
 *     S = Q K^T, P = softmax(scale S), O = P V
 *     dV = P^T dO, dP = dO V^T, dS = scale P (dP - rowsum(P dP)), dQ = dS K, dK = dS^T Q
 *
 * All that a head needs between its queries, keys and values and its output stays in a cache.
 * Queries go by in blocks: their rows of S become rows of P, and those of O, before the next.
 * Training keeps P for backward. Bits follow from the shape alone. Header only. */
#ifndef LOCKSTEP_CPU_ATTENTION_PASSES_H
#define LOCKSTEP_CPU_ATTENTION_PASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QUERY, KEY, VALUE, PARTS };

typedef struct Heads {
    int64_t images, heads, tokens, size; /* size: D */
    int64_t keys;                        /* tokens in whole vectors */
    int64_t row, out_row;                /* elements of a token: queries, keys, values; output */
    bool masks;                          /* the diagonal */
} Heads;

/* What the head after this one reads, which is brought nearer meanwhile: a head's rows lie so far
 * apart in memory that the processor does not foresee them. After the last head it is the first. */
typedef struct Ahead {
    const void *in, *grad_out; /* grad_out NULL in forward */
} Ahead;

/* Backward of a head: where there are gradients, and how they are written. */
typedef struct HeadGradient {
    const void *out;
    void *in; /* NULL: nothing reads it */
    bool add;
} HeadGradient;

/* Addresses are those of a head's first element; `room` is scratch, `share` where P is kept. */
typedef struct HeadPasses {
    const char *name; /* what OpPlan.arithmetic says of an op that is computed so: "own bf16" */
    int64_t vector;   /* of which D is a multiple */
    size_t (*room_bytes)(const Heads *h);
    size_t (*share_bytes)(const Heads *h);

    /* share NULL: P is not wanted. */
    void (*forward)(const Heads *h, void *room, float scale, const void *in, void *out, void *share,
                    Ahead ahead);

    /* Returns the gradient of the temperature: the sum of the scores times their gradients, which
     * is that of queries times theirs. */
    double (*backward)(const Heads *h, void *room, float scale, const void *in, const void *share,
                       HeadGradient grad, Ahead ahead);
} HeadPasses;

enum { CACHE_LINE = 64 };

static inline __attribute__((always_inline)) void fetch_bytes(const char *at, int64_t bytes) {
    for (int64_t b = 0; b < bytes; b += CACHE_LINE)
        __builtin_prefetch(at + b, 0, 2);
}

/* Of tokens i to i + n - 1, whose activations have `element` bytes. */
static inline __attribute__((always_inline)) void
head_fetch(const Heads *h, const Ahead *ahead, int64_t element, int64_t i, int64_t n) {
    const int64_t bytes = h->size * element, next = h->out_row * element;
    for (int64_t k = i; k < i + n; k++) {
        for (int part = 0; part < PARTS; part++)
            fetch_bytes((const char *)ahead->in + (k * PARTS + part) * next, bytes);
        if (ahead->grad_out)
            fetch_bytes((const char *)ahead->grad_out + k * next, bytes);
    }
}

#endif
