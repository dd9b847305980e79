/* arena: places buffers with known lifetimes in one block of memory.
 *
 * Greedy by size: the largest buffer first, each at the lowest offset that is free during its whole
 * life. For the nets here this comes within a few percent of the lower bound (the most bytes alive
 * at once), and it is a pure function of its input. */
#include "program_internal.h"

#include <stdlib.h>

static bool alive_together(const ArenaBuffer *a, const ArenaBuffer *b) {
    return a->birth <= b->death && b->birth <= a->death;
}

/* Indices of `buffers` by falling size, equals in order. */
static void sort_by_size(const ArenaBuffer *buffers, int count, int *order) {
    for (int i = 0; i < count; i++) {
        int at = i;
        while (at > 0 && buffers[order[at - 1]].bytes < buffers[i].bytes) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
}

/* The lowest offset at which `buffer` overlaps none of the placed ones alive with it. */
static size_t lowest_offset(const ArenaBuffer *buffer, const ArenaBuffer *buffers,
                            const int *placed, int n_placed) {
    size_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < n_placed; i++) {
            const ArenaBuffer *other = &buffers[placed[i]];
            if (alive_together(buffer, other) && offset < other->offset + other->bytes &&
                other->offset < offset + buffer->bytes) {
                offset = other->offset + other->bytes;
                moved = true;
            }
        }
    }
    return offset;
}

Status arena_plan(ArenaBuffer *buffers, int count, size_t *total) {
    int *order = malloc(sizeof *order * (size_t)(count > 0 ? count : 1));
    TRY_ALLOC(order);
    *total = 0;
    for (int i = 0; i < count; i++)
        buffers[i].bytes = (buffers[i].bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    sort_by_size(buffers, count, order);
    for (int i = 0; i < count; i++) {
        ArenaBuffer *buffer = &buffers[order[i]];
        buffer->offset = lowest_offset(buffer, buffers, order, i);
        if (buffer->offset + buffer->bytes > *total)
            *total = buffer->offset + buffer->bytes;
    }
    free(order);
    return ST_OK;
}
