/* op_trace: see op_trace.h. */
#include "op_trace.h"

#include <stdlib.h>

#include "lockstep/clock.h"

/* An op whose marks were enqueued. */
typedef struct Enqueued {
    const Layer *layer;
    bool backward;
    TraceAt at;
    Mark *before, *behind;
} Enqueued;

struct OpTrace {
    Device *device; /* borrowed */
    TraceRow *row;  /* borrowed */
    double start;   /* of the op, where the calling thread executes it; 0: not kept */
    Enqueued *ops;  /* [room], where the device has marks with times, else NULL */
    int n, room;
};

static bool has_times(const Device *device) {
    return device->ops->marks && device->ops->marks->elapsed;
}

Status op_trace_open(Device *device, int n_ops, TraceRow *row, OpTrace **out) {
    OpTrace *trace = calloc(1, sizeof *trace);
    TRY_ALLOC(trace);
    *out = trace;
    trace->device = device;
    trace->row = row;
    if (!has_times(device))
        return ST_OK;
    trace->ops = calloc((size_t)(2 * n_ops), sizeof *trace->ops);
    TRY_ALLOC(trace->ops);
    trace->room = 2 * n_ops;
    for (int i = 0; i < trace->room; i++) {
        TRY(device->ops->marks->open(device, &trace->ops[i].before));
        TRY(device->ops->marks->open(device, &trace->ops[i].behind));
    }
    return ST_OK;
}

void op_trace_close(OpTrace *trace) {
    if (!trace)
        return;
    for (int i = 0; trace->ops && i < trace->room; i++) {
        if (trace->ops[i].before)
            trace->device->ops->marks->close(trace->ops[i].before);
        if (trace->ops[i].behind)
            trace->device->ops->marks->close(trace->ops[i].behind);
    }
    free(trace->ops);
    free(trace);
}

bool op_trace_keeps(const OpTrace *trace) {
    return trace && trace_keeps(trace->row);
}

Status op_trace_begin(OpTrace *trace, Stream *stream) {
    if (!op_trace_keeps(trace))
        return ST_OK;
    trace->start = clock_now();
    if (!trace->ops || trace->n == trace->room)
        return ST_OK;
    return trace->device->ops->marks->set(stream, trace->ops[trace->n].before);
}

Status op_trace_end(OpTrace *trace, Stream *stream, const Layer *layer, bool backward, TraceAt at) {
    if (!op_trace_keeps(trace) || trace->start == 0)
        return ST_OK;
    if (!trace->ops) {
        trace_span(trace->row, backward ? "backward" : "forward", layer->name, at, trace->start);
        return ST_OK;
    }
    if (trace->n == trace->room)
        return ST_OK;
    Enqueued *op = &trace->ops[trace->n++];
    op->layer = layer;
    op->backward = backward;
    op->at = at;
    return trace->device->ops->marks->set(stream, op->behind);
}

Status op_trace_flush(OpTrace *trace) {
    if (!trace || trace->n == 0)
        return ST_OK;
    const MarkOps *marks = trace->device->ops->marks;
    const Mark *last = trace->ops[trace->n - 1].behind;
    double now = clock_now();
    for (int i = 0; i < trace->n; i++) {
        const Enqueued *op = &trace->ops[i];
        double since, until;
        TRY(marks->elapsed(op->before, last, &since));
        TRY(marks->elapsed(op->behind, last, &until));
        trace_span_until(trace->row, op->backward ? "backward" : "forward", op->layer->name, op->at,
                         now - since, now - until);
    }
    trace->n = 0;
    return ST_OK;
}
