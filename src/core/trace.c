/* trace: see trace.h.
 *
 * Rows grow by doubling, and only while events are kept. */
#include "lockstep/trace.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "lockstep/clock.h"

enum { EVENT_NAME_MAX = 40, ROW_ROOM = 1024 };

typedef enum EventKind { EVENT_SPAN, EVENT_FLOW_BEGIN, EVENT_FLOW_END } EventKind;

typedef struct Event {
    EventKind kind;
    const char *category; /* static */
    char name[EVENT_NAME_MAX];
    TraceAt at;
    int64_t id;        /* of a flow */
    double start, end; /* clock_now */
} Event;

struct TraceRow {
    Trace *trace;
    TraceRow *next; /* row taken before this one */
    int number;
    char name[EVENT_NAME_MAX];
    pthread_mutex_t lock; /* guards all below; its thread is almost always alone with it */
    Event *events;        /* [room] */
    size_t n, room;
};

struct Trace {
    pthread_mutex_t lock; /* guards rows and n_rows */
    TraceRow *rows;       /* the last one taken */
    int n_rows;
    atomic_bool on;
    atomic_llong lost;
    double zero; /* of when events were last begun to be kept */
};

Status trace_open(Trace **trace) {
    *trace = calloc(1, sizeof **trace);
    TRY_ALLOC(*trace);
    pthread_mutex_init(&(*trace)->lock, NULL);
    return ST_OK;
}

void trace_close(Trace *trace) {
    if (!trace)
        return;
    for (TraceRow *row = trace->rows, *next; row; row = next) {
        next = row->next;
        pthread_mutex_destroy(&row->lock);
        free(row->events);
        free(row);
    }
    pthread_mutex_destroy(&trace->lock);
    free(trace);
}

TraceRow *trace_row(Trace *trace, const char *name) {
    if (!trace)
        return NULL;
    TraceRow *row = calloc(1, sizeof *row);
    if (!row) {
        atomic_fetch_add(&trace->lost, 1);
        return NULL;
    }
    row->trace = trace;
    pthread_mutex_init(&row->lock, NULL);
    snprintf(row->name, sizeof row->name, "%s", name);
    pthread_mutex_lock(&trace->lock);
    row->number = trace->n_rows++;
    row->next = trace->rows;
    trace->rows = row;
    pthread_mutex_unlock(&trace->lock);
    return row;
}

/* What was kept is told from the zero that it was kept with. */
void trace_record(Trace *trace, bool on, double zero) {
    if (on)
        trace->zero = zero;
    atomic_store(&trace->on, on);
}

bool trace_keeps(const TraceRow *row) {
    return row && atomic_load_explicit(&row->trace->on, memory_order_relaxed);
}

double trace_now(const TraceRow *row) {
    return trace_keeps(row) ? clock_now() : 0;
}

/* Room for one more, with the row's lock held. */
static bool has_room(TraceRow *row) {
    if (row->n < row->room)
        return true;
    size_t room = row->room > 0 ? 2 * row->room : ROW_ROOM;
    Event *events = realloc(row->events, room * sizeof *events);
    if (!events)
        return false;
    row->events = events;
    row->room = room;
    return true;
}

static void append(TraceRow *row, const Event *event, const char *name) {
    pthread_mutex_lock(&row->lock);
    if (has_room(row)) {
        row->events[row->n] = *event;
        snprintf(row->events[row->n++].name, EVENT_NAME_MAX, "%s", name);
    } else {
        atomic_fetch_add(&row->trace->lost, 1);
    }
    pthread_mutex_unlock(&row->lock);
}

void trace_span_until(TraceRow *row, const char *category, const char *name, TraceAt at,
                      double start, double end) {
    if (start > 0 && trace_keeps(row))
        append(row,
               &(Event){
                   .kind = EVENT_SPAN, .category = category, .at = at, .start = start, .end = end},
               name);
}

void trace_span(TraceRow *row, const char *category, const char *name, TraceAt at, double start) {
    if (start > 0)
        trace_span_until(row, category, name, at, start, clock_now());
}

void trace_flow(TraceRow *row, const char *name, TraceAt at, int64_t id, bool begins, double when) {
    if (trace_keeps(row))
        append(row,
               &(Event){.kind = begins ? EVENT_FLOW_BEGIN : EVENT_FLOW_END,
                        .category = "bucket",
                        .at = at,
                        .id = id,
                        .start = when},
               name);
}

int64_t trace_lost(const Trace *trace) {
    return atomic_load(&trace->lost);
}

/* ---- Text. Names are those of threads, layers and phases: nothing in them needs escapes. ---- */

static void print_event(FILE *out, const TraceRow *row, const Event *event, int rank) {
    double us = 1e6 * (event->start - row->trace->zero);
    fprintf(out, "{\"name\":\"%s\",\"cat\":\"%s\",\"pid\":%d,\"tid\":%d,\"ts\":%.3f", event->name,
            event->category, rank, row->number, us);
    if (event->kind == EVENT_SPAN)
        fprintf(out, ",\"ph\":\"X\",\"dur\":%.3f", 1e6 * (event->end - event->start));
    else if (event->kind == EVENT_FLOW_BEGIN)
        fprintf(out, ",\"ph\":\"s\",\"id\":\"%d.%" PRId64 "\"", rank, event->id);
    else
        fprintf(out, ",\"ph\":\"f\",\"bp\":\"e\",\"id\":\"%d.%" PRId64 "\"", rank, event->id);
    fprintf(out, ",\"args\":{");
    if (event->at.step >= 0)
        fprintf(out, "\"step\":%" PRId64, event->at.step);
    if (event->at.lane >= 0)
        fprintf(out, "%s\"lane\":%" PRId64, event->at.step >= 0 ? "," : "", event->at.lane);
    fprintf(out, "}},\n");
}

static void print_row(FILE *out, TraceRow *row, int rank) {
    pthread_mutex_lock(&row->lock);
    fprintf(out,
            "{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"args\":{\"name\":"
            "\"%s\"}},\n"
            "{\"name\":\"thread_sort_index\",\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"args\":{"
            "\"sort_index\":%d}},\n",
            rank, row->number, row->name, rank, row->number, row->number);
    for (size_t i = 0; i < row->n; i++)
        print_event(out, row, &row->events[i], rank);
    pthread_mutex_unlock(&row->lock);
}

Status trace_text(const Trace *trace, int rank, const char *host, char **text, size_t *bytes) {
    FILE *out = open_memstream(text, bytes);
    TRY_ALLOC(out);
    fprintf(out,
            "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%d,\"args\":{\"name\":\"rank %d on "
            "%s\"}},\n"
            "{\"name\":\"process_sort_index\",\"ph\":\"M\",\"pid\":%d,\"args\":{\"sort_index\":"
            "%d}},\n",
            rank, rank, host, rank, rank);
    for (TraceRow *row = trace->rows; row; row = row->next)
        print_row(out, row, rank);
    if (fclose(out) != 0)
        return FAIL(ST_INTERNAL, "out of memory for the text of a trace");
    return ST_OK;
}
