/* cuda/timing: see timing.h. */
#include "timing.h"

#include <math.h>

#include "lockstep/log.h"

enum { ALIGN = 256, ROUNDS = 5, RUNS = 4, TIMING_SECONDS = 60 };

typedef struct Timing {
    Stream *stream;
    Graph *graph;
    GraphCall *call;
    cudaEvent_t begin, end;
} Timing;

static size_t aligned(size_t bytes) {
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* Binds the graph to memory of its own, zeroed, with a workspace for each of its candidates. */
static Status bind_scratch(CudaDevice *device, const Graph *graph, const Candidate *candidate,
                           int n, void **memory, GraphCall **call) {
    size_t offset[GRAPH_ROLES], bytes = 0, workspace = 0;
    void *data[GRAPH_ROLES];
    for (int role = 0; role < GRAPH_ROLES; role++) {
        offset[role] = bytes;
        bytes += aligned(graph->bytes[role]);
    }
    for (int i = 0; i < n; i++) {
        if (candidate[i].info.workspace > workspace)
            workspace = candidate[i].info.workspace;
    }
    TRY(cuda_alloc(&device->base, bytes + workspace, memory));
    for (int role = 0; role < GRAPH_ROLES; role++)
        data[role] = (char *)*memory + offset[role];
    return graph_bind(graph, data, (char *)*memory + bytes, call);
}

/* Milliseconds of RUNS executions, one behind the other; infinite where the engine cannot run. */
static Status time_plan(Timing *timing, const Candidate *candidate, float *ms) {
    Stream *stream = timing->stream;
    timing->graph->plan = candidate->plan;
    TRY_CUDA(cudaEventRecord(timing->begin, stream->stream));
    for (int i = 0; i < RUNS; i++) {
        if (graph_run(stream->cudnn, timing->graph, timing->call) != ST_OK) {
            log_debug("autotune: %s: %s: %s", timing->graph->name, candidate->info.choice,
                      status_message());
            status_clear();
            *ms = INFINITY;
            break;
        }
    }
    TRY_CUDA(cudaEventRecord(timing->end, stream->stream));
    TRY(cuda_sync(stream, TIMING_SECONDS));
    if (*ms < INFINITY)
        TRY_CUDA(cudaEventElapsedTime(ms, timing->begin, timing->end));
    return ST_OK;
}

/* The candidates take turns, so that a clock that rises or falls favours none; the first round
 * warms up. The least time counts: whatever disturbs a run makes it longer. */
static Status compare(Timing *timing, const Candidate *candidate, int n, int *fastest) {
    float least[CANDIDATES_MAX];
    for (int i = 0; i < n; i++)
        least[i] = 0;
    for (int round = -1; round < ROUNDS; round++) {
        for (int i = 0; i < n; i++) {
            float ms = 0;
            if (isinf(least[i]))
                continue;
            TRY(time_plan(timing, &candidate[i], &ms));
            if (isinf(ms) || round <= 0 || ms < least[i])
                least[i] = ms;
        }
    }
    for (int i = 0; i < n; i++) {
        log_debug("autotune: %s: %s: %.4f ms", timing->graph->name, candidate[i].info.choice,
                  (double)least[i] / RUNS);
        if (least[i] < least[*fastest])
            *fastest = i;
    }
    return ST_OK;
}

Status timing_compare(Stream *stream, Graph *graph, const Candidate *candidate, int n,
                      int *fastest) {
    Timing timing = {.stream = stream, .graph = graph};
    void *memory = NULL;
    Status status = ST_OK;
    *fastest = 0;
    if (n == 1)
        return ST_OK;
    TRY_DONE(bind_scratch(stream->device, graph, candidate, n, &memory, &timing.call));
    TRY_DONE(cuda_check(cudaEventCreate(&timing.begin), "cudaEventCreate", __FILE__, __LINE__));
    TRY_DONE(cuda_check(cudaEventCreate(&timing.end), "cudaEventCreate", __FILE__, __LINE__));
    TRY_DONE(compare(&timing, candidate, n, fastest));
done:
    graph->plan = NULL; /* the candidates' */
    graph_unbind(timing.call);
    if (timing.begin)
        cudaEventDestroy(timing.begin);
    if (timing.end)
        cudaEventDestroy(timing.end);
    cuda_release(&stream->device->base, memory);
    return status;
}
