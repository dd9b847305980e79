/* tracing: see tracing.h.
 *
 * Hosts have no clock in common: times are told from a barrier before the first traced step, which
 * ranks leave within about the time of a message. */
#include "tracing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lockstep/clock.h"
#include "lockstep/log.h"

enum { WARM_STEPS = 5 };

Status tracing_open(Session *session) {
    if (session->config->trace.steps == 0)
        return ST_OK;
    TRY(trace_open(&session->trace));
    session->row = trace_row(session->trace, "main");
    return ST_OK;
}

Tracing tracing_plan(const Session *session, int64_t step, int64_t end_step) {
    const TraceSteps *asked = &session->config->trace;
    Tracing tracing = {.first = -1};
    if (asked->steps == 0)
        return tracing;
    tracing.first = asked->first >= 0 ? asked->first : step + WARM_STEPS;
    tracing.end = tracing.first + asked->steps;
    if (tracing.first < step)
        tracing.first = step;
    if (tracing.end > end_step)
        tracing.end = end_step;
    if (tracing.first >= tracing.end) {
        log_warn("--trace: none of the steps asked for is left to run: this process computes steps "
                 "%" PRId64 " to %" PRId64,
                 step, end_step - 1);
        tracing.first = -1;
    }
    return tracing;
}

static Status begin(Tracing *tracing, const Session *session) {
    TRY(comm_barrier(session->ranks.comm));
    trace_record(session->trace, true, clock_now());
    tracing->on = true;
    return ST_OK;
}

/* Every rank's text, one after another, reaches all; rank 0 prints it. Collective. */
static Status gather(const Session *session, const char *mine, size_t bytes, FILE *out) {
    const Ranks *ranks = &session->ranks;
    for (int rank = 0; rank < ranks->size; rank++) {
        uint64_t size = bytes;
        TRY(comm_bcast(ranks->comm, &size, sizeof size, rank));
        char *text = malloc(size + 1);
        TRY_ALLOC(text);
        for (size_t i = 0; rank == ranks->rank && i < bytes; i++)
            text[i] = mine[i];
        Status status = comm_bcast(ranks->comm, text, size, rank);
        if (status == ST_OK && out)
            fwrite(text, 1, size, out);
        free(text);
        TRY(status);
    }
    return ST_OK;
}

/* Rank 0's part, once all text is there. Local. */
static Status write_file(const Session *session, Keeper *keeper, const char *text, size_t bytes) {
    TRY(keeper_write_trace(keeper, text, bytes));
    log_info("trace: %s/trace.json, %.1f MB: open it in ui.perfetto.dev or chrome://tracing",
             session->config->out, (double)bytes / 1e6);
    if (trace_lost(session->trace) > 0)
        log_warn("trace: %" PRId64 " events of rank 0 are missing, for want of memory",
                 trace_lost(session->trace));
    return ST_OK;
}

static Status end(Tracing *tracing, const Session *session, Keeper *keeper) {
    Comm *comm = session->ranks.comm;
    char *mine = NULL, *all = NULL;
    size_t bytes = 0, total = 0;
    FILE *out = keeper ? open_memstream(&all, &total) : NULL;
    bool whole;
    Status status = ST_OK;
    trace_record(session->trace, false, 0);
    *tracing = (Tracing){.first = -1};
    TRY_DONE(comm_agree(
        comm, trace_text(session->trace, session->ranks.rank, comm_host(comm), &mine, &bytes)));
    TRY_DONE(comm_agree(comm, keeper && !out ? FAIL(ST_INTERNAL, "out of memory") : ST_OK));
    if (out)
        fprintf(out, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
    TRY_DONE(gather(session, mine, bytes, out));
    if (out) /* an element without a comma behind it */
        fprintf(out, "{\"name\":\"trace\",\"ph\":\"M\",\"pid\":0,\"args\":{}}]}\n");
    whole = !out || (!ferror(out) && fflush(out) == 0);
    TRY_DONE(comm_agree(comm, whole ? ST_OK : FAIL(ST_INTERNAL, "out of memory")));
    TRY_DONE(comm_agree(comm, keeper ? write_file(session, keeper, all, total) : ST_OK));
done:
    if (out)
        fclose(out);
    free(mine);
    free(all);
    return status;
}

Status tracing_at(Tracing *tracing, Session *session, Keeper *keeper, int64_t step, bool over) {
    if (tracing->first < 0)
        return ST_OK;
    if (tracing->on && (step == tracing->end || over))
        return end(tracing, session, keeper);
    if (!tracing->on && !over && step == tracing->first)
        return begin(tracing, session);
    return ST_OK;
}
