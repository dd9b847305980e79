/* metrics_mend: the lines of metrics.jsonl that a state has led to. Private to src/io. Local. */
#ifndef LOCKSTEP_IO_METRICS_MEND_H
#define LOCKSTEP_IO_METRICS_MEND_H

#include "lockstep/metrics.h"
#include "lockstep/text.h"

/* Writes the line of an evaluation of another process. */
typedef void (*PutPast)(const EvalMetrics *metrics, Text *text);

/* The lines of text[size] up to step `last`; torn and unreadable ones go. Each of the n evaluations
 * `known`, whose steps rise, that has no line is put back where it belongs; *put_back: how many. */
Status metrics_mended(const char *text, size_t size, int64_t last, const EvalMetrics *known,
                      int64_t n, PutPast put, Text *mended, int64_t *put_back);

#endif
