/* trace: who did what when, in a few steps of a run, in the Trace Event Format that Perfetto and
 * Chrome's about:tracing show.
 *
 * A Trace belongs to a process; each thread that has something to tell takes a row of its own and
 * writes to it alone. Without a trace rows are NULL, and every function here takes a NULL row and
 * does nothing: a step loop that is not traced pays for a comparison. All functions are Local. */
#ifndef LOCKSTEP_TRACE_H
#define LOCKSTEP_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Trace Trace;
typedef struct TraceRow TraceRow;

/* What an event is about; -1: of no step, of no lane. */
typedef struct TraceAt {
    int64_t step, lane;
} TraceAt;

Status trace_open(Trace **trace);
void trace_close(Trace *trace); /* with its rows; accepts NULL */

/* A new row, shown under `name` and below those taken before it; NULL where `trace` is NULL or
 * memory is short, which trace_lost counts. Thread-safe. */
TraceRow *trace_row(Trace *trace, const char *name);

/* From now on events are kept (on), or not. Times are told from `zero`, a clock_now. */
void trace_record(Trace *trace, bool on, double zero);

/* Whether events of this row are kept. */
bool trace_keeps(const TraceRow *row);

/* clock_now where events are kept, else 0: what trace_span takes as `start`, which then does
 * nothing. */
double trace_now(const TraceRow *row);

/* A span from `start` to now; `category` is static, `name` is copied. */
void trace_span(TraceRow *row, const char *category, const char *name, TraceAt at, double start);

/* The same of a span whose end is known. */
void trace_span_until(TraceRow *row, const char *category, const char *name, TraceAt at,
                      double start, double end);

/* An arrow between spans: one begins and one ends with the same `id`, each within a span. */
void trace_flow(TraceRow *row, const char *name, TraceAt at, int64_t id, bool begins, double when);

/* Events that were not kept for want of memory. */
int64_t trace_lost(const Trace *trace);

/* The events of this process as the elements of a JSON array, with a comma behind each, for rank
 * `rank` of `host`. The caller frees *text. */
Status trace_text(const Trace *trace, int rank, const char *host, char **text, size_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
