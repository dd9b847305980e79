/* flight: the ring. See flight.h.
 *
 * A thread takes the next number (one atomic addition), and so its slot. `order` is 0 while a slot
 * is being written, and set last: who reads compares it before and after. A slot is written again
 * only FLIGHT_ENTRIES later, which a thread that hangs does not see: the step loop stops with it.
 * Every field is atomic, so that reading while somebody writes is defined; on the processors that
 * lockstep runs on these are plain loads and stores. */
#include "lockstep/flight.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "lockstep/clock.h"

typedef struct Slot {
    _Alignas(64) _Atomic int64_t order;
    _Atomic int64_t sequence, step, bytes;
    _Atomic double start, end;
    _Atomic int32_t op, index;
} Slot;

struct Flight {
    Slot slot[FLIGHT_ENTRIES];
    _Atomic int64_t last; /* order of the newest entry */
};

Status flight_open(Flight **flight) {
    *flight = aligned_alloc(_Alignof(Slot), sizeof **flight);
    TRY_ALLOC(*flight);
    for (int i = 0; i < FLIGHT_ENTRIES; i++)
        atomic_init(&(*flight)->slot[i].order, 0);
    atomic_init(&(*flight)->last, 0);
    return ST_OK;
}

void flight_close(Flight *flight) {
    free(flight);
}

#define SET(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)
#define GET(field)        atomic_load_explicit(&(field), memory_order_relaxed)

int64_t flight_begin(Flight *flight, FlightEntry entry) {
    int64_t order = atomic_fetch_add_explicit(&flight->last, 1, memory_order_relaxed) + 1;
    Slot *slot = &flight->slot[order % FLIGHT_ENTRIES];
    SET(slot->order, 0);
    atomic_thread_fence(memory_order_release);
    SET(slot->sequence, entry.sequence);
    SET(slot->step, entry.step);
    SET(slot->bytes, entry.bytes);
    SET(slot->start, clock_now());
    SET(slot->end, 0);
    SET(slot->op, entry.op);
    SET(slot->index, entry.index);
    atomic_store_explicit(&slot->order, order, memory_order_release);
    return order;
}

void flight_end(Flight *flight, int64_t order) {
    Slot *slot = &flight->slot[order % FLIGHT_ENTRIES];
    if (GET(slot->order) == order)
        SET(slot->end, clock_now());
}

/* False where the slot holds something else by now. */
static bool copy(const Flight *flight, int64_t order, FlightEntry *entry) {
    const Slot *slot = &flight->slot[order % FLIGHT_ENTRIES];
    if (atomic_load_explicit(&slot->order, memory_order_acquire) != order)
        return false;
    *entry = (FlightEntry){.order = order,
                           .sequence = GET(slot->sequence),
                           .step = GET(slot->step),
                           .bytes = GET(slot->bytes),
                           .start = GET(slot->start),
                           .end = GET(slot->end),
                           .op = GET(slot->op),
                           .index = GET(slot->index)};
    atomic_thread_fence(memory_order_acquire);
    return GET(slot->order) == order;
}

static int64_t oldest(int64_t last) {
    return last > FLIGHT_ENTRIES ? last - FLIGHT_ENTRIES + 1 : 1;
}

int flight_entries(const Flight *flight, FlightEntry entries[FLIGHT_ENTRIES]) {
    int64_t last = GET(flight->last);
    int n = 0;
    for (int64_t order = oldest(last); order <= last; order++)
        n += copy(flight, order, &entries[n]);
    return n;
}

int flight_recent(const Flight *flight, FlightPlane plane, FlightEntry *entries, int room) {
    int64_t last = GET(flight->last);
    int n = 0;
    for (int64_t order = last; order >= oldest(last) && n < room; order--) {
        FlightPlane of;
        FlightEntry *entry = &entries[room - 1 - n];
        n += copy(flight, order, entry) && flight_is_collective(entry->op, &of) && of == plane;
    }
    for (int i = 0; n < room && i < n; i++)
        entries[i] = entries[room - n + i];
    return n;
}

bool flight_is_collective(int op, FlightPlane *plane) {
    *plane = op >= FLIGHT_BUCKET ? FLIGHT_DATA : FLIGHT_CONTROL;
    return op >= FLIGHT_BARRIER && op <= FLIGHT_STEP;
}
