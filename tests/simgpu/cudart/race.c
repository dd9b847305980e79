/* race: two ops that touch the same bytes, one of them writing, must be ordered by a stream, an
 * event or the host.
 *
 * Each op has a vector clock (engine.c) and, once it has run, the exact ranges that it touched. An
 * op is compared with all that ran before it, until nothing that is still to come could race with
 * them. */
#include <stdlib.h>

#include "cudart.h"

static struct {
    SimOp **op;
    int count, max;
} past;

void race_note(SimOp *op, uintptr_t at, size_t bytes, bool write) {
    if (!op || bytes == 0)
        return;
    if (op->n_spans == op->spans_max) {
        op->spans_max = op->spans_max * 2 + 8;
        op->spans = realloc(op->spans, (size_t)op->spans_max * sizeof *op->spans);
        if (!op->spans)
            sim_report("out of host memory");
    }
    op->spans[op->n_spans++] = (Span){at, at + bytes, write};
}

static int by_address(const void *a, const void *b) {
    const Span *s = a, *t = b;
    if (s->write != t->write)
        return s->write ? 1 : -1;
    return s->begin < t->begin ? -1 : s->begin > t->begin;
}

/* Sorts and joins: reads first, then writes, each by address. */
static void tidy(SimOp *op) {
    qsort(op->spans, (size_t)op->n_spans, sizeof *op->spans, by_address);
    int kept = 0;
    for (int i = 0; i < op->n_spans; i++) {
        Span *last = kept > 0 ? &op->spans[kept - 1] : NULL, *now = &op->spans[i];
        if (last && last->write == now->write && now->begin <= last->end)
            last->end = now->end > last->end ? now->end : last->end;
        else
            op->spans[kept++] = *now;
    }
    op->n_spans = kept;
}

static int first_write(const SimOp *op) {
    int i = 0;
    while (i < op->n_spans && !op->spans[i].write)
        i++;
    return i;
}

/* The first bytes that lie in both of two sorted lists; 0 if none. */
static uintptr_t overlap(const Span *a, int na, const Span *b, int nb) {
    for (int i = 0, j = 0; i < na && j < nb;) {
        uintptr_t begin = a[i].begin > b[j].begin ? a[i].begin : b[j].begin;
        if (begin < a[i].end && begin < b[j].end)
            return begin;
        if (a[i].end < b[j].end)
            i++;
        else
            j++;
    }
    return 0;
}

static bool ordered(const SimOp *a, const SimOp *b) {
    return a->number <= b->clock.at[a->stream->id] || b->number <= a->clock.at[b->stream->id];
}

static void compare(const SimOp *a, const SimOp *b) {
    int wa = first_write(a), wb = first_write(b);
    bool a_writes = true;
    uintptr_t at = overlap(a->spans + wa, a->n_spans - wa, b->spans, b->n_spans);
    if (!at) {
        a_writes = false;
        at = overlap(a->spans, wa, b->spans + wb, b->n_spans - wb);
    }
    if (!at)
        return;
    bool b_writes = overlap(&(Span){at, at + 1, true}, 1, b->spans + wb, b->n_spans - wb) != 0;
    char where[100];
    memory_describe(at, where, sizeof where);
    sim_report("race: %s (stream %d, op %lu, %s) and %s (stream %d, op %lu, %s) both touch %s, and "
               "nothing orders them",
               a->name, a->stream->id, (unsigned long)a->number, a_writes ? "writes" : "reads",
               b->name, b->stream->id, (unsigned long)b->number, b_writes ? "writes" : "reads",
               where);
}

/* Bytes of device memory that the op touched: each once to read and once to write, as if a cache
 * held them in between. */
static size_t touched(const SimOp *op) {
    size_t bytes = 0;
    for (int i = 0; i < op->n_spans; i++)
        bytes += op->spans[i].end - op->spans[i].begin;
    return bytes;
}

void race_check(SimOp *op) {
    tidy(op);
    sim_tally(op->name, touched(op));
    int kept = 0;
    for (int i = 0; i < past.count; i++) {
        SimOp *before = past.op[i];
        if (!ordered(before, op))
            compare(before, op);
        if (engine_happened_before_all(before)) {
            free(before->spans);
            before->spans = NULL;
            before->n_spans = 0;
        } else {
            past.op[kept++] = before;
        }
    }
    past.count = kept;
    if (op->n_spans == 0)
        return;
    if (past.count == past.max) {
        past.max = past.max * 2 + 64;
        past.op = realloc(past.op, (size_t)past.max * sizeof *past.op);
        if (!past.op)
            sim_report("out of host memory");
    }
    past.op[past.count++] = op;
}
