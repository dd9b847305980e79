/* op_trace: when each op of a lane ran, for a trace. Where a stream executes in the calling thread
 * that is when the call was; else marks around each op are enqueued, and their times are told once
 * the lane's work is done. */
#ifndef LOCKSTEP_MODEL_OP_TRACE_H
#define LOCKSTEP_MODEL_OP_TRACE_H

#include "lockstep/device.h"
#include "lockstep/trace.h"

typedef struct OpTrace OpTrace;

/* For lanes of `n_ops` ops on `device`, told in `row`. */
Status op_trace_open(Device *device, int n_ops, TraceRow *row, OpTrace **trace);
void op_trace_close(OpTrace *trace); /* accepts NULL */

/* Whether ops are to be told of now; false where `trace` is NULL. */
bool op_trace_keeps(const OpTrace *trace);

/* Around one op that is enqueued on `stream`. */
Status op_trace_begin(OpTrace *trace, Stream *stream);
Status op_trace_end(OpTrace *trace, Stream *stream, const Layer *layer, bool backward, TraceAt at);

/* Once all is done that was enqueued: tells of the ops whose times only now are known. */
Status op_trace_flush(OpTrace *trace);

#endif
