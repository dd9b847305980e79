/* capture: graphs. A stream that is being captured turns what is enqueued on it into nodes; a
 * launch enqueues an op for each node, in the order of capture.
 *
 * A stream that waits for an event recorded in the capture joins it as a new branch. At launch the
 * first branch runs on the launching stream, each other branch on a stream of the executable
 * graph's own, and events order them as they did in the capture: so a missing join is found as a
 * race. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cudart.h"

enum { BRANCHES_MAX = 8, WAITS_MAX = 8 };

typedef struct Node {
    const char *name;
    SimRun run;
    void *arg; /* owned */
    size_t bytes;
    int branch, previous; /* node before it in its branch, -1 for none */
    int wait;             /* node of an event it waits for, -1 for none */
} Node;

struct Capture {
    Node *node;
    int nodes, nodes_max;
    Stream *branch[BRANCHES_MAX];
    int last[BRANCHES_MAX]; /* node, -1 for none */
    int branches;
    enum cudaStreamCaptureMode mode;
    pthread_t thread;
    bool invalid;
    Capture *next; /* of those going on */
};

struct CUgraph_st {
    Capture *capture; /* owned */
};

struct CUgraphExec_st {
    Capture *capture; /* owned: a copy */
    Stream *stream[BRANCHES_MAX];
};

static Capture *going_on;
static SimCounter graphs = {.name = "graphs"}, executables = {.name = "executable graphs"};

static void *grown(void *memory, size_t bytes) {
    memory = realloc(memory, bytes);
    if (!memory)
        sim_report("out of host memory");
    return memory;
}

static void capture_free(Capture *c) {
    for (int i = 0; i < c->nodes; i++)
        free(c->node[i].arg);
    free(c->node);
    free(c);
}

static int add_node(Capture *c, Node node, const void *arg) {
    node.previous = c->last[node.branch];
    node.arg = grown(NULL, node.bytes + 1);
    if (arg)
        memcpy(node.arg, arg, node.bytes);
    if (c->nodes == c->nodes_max) {
        c->nodes_max = c->nodes_max * 2 + 32;
        c->node = grown(c->node, (size_t)c->nodes_max * sizeof *c->node);
    }
    c->node[c->nodes] = node;
    return c->last[node.branch] = c->nodes++;
}

int capture_add(Stream *stream, const char *name, SimRun run, const void *arg, size_t bytes) {
    Node node = {.name = name, .run = run, .bytes = bytes, .branch = stream->branch, .wait = -1};
    return add_node(stream->capture, node, arg);
}

cudaError_t capture_event_record(Event *event, Stream *stream) {
    event->capture = stream->capture;
    event->node = capture_add(stream, "event record", engine_nothing, NULL, 0);
    event->op = NULL;
    return cudaSuccess;
}

static bool is_going_on(const Capture *capture) {
    for (const Capture *c = going_on; c; c = c->next) {
        if (c == capture)
            return true;
    }
    return false;
}

cudaError_t capture_wait_event(Stream *stream, Event *event) {
    if (!is_going_on(event->capture) || (stream->capture && stream->capture != event->capture)) {
        if (stream->capture)
            stream->capture->invalid = true;
        return cudaErrorStreamCaptureIsolation; /* an order with work outside of the graph */
    }
    Capture *c = event->capture;
    if (!stream->capture) {
        if (c->branches == BRANCHES_MAX)
            sim_report("more than %d streams in one capture", BRANCHES_MAX);
        stream->capture = c;
        stream->branch = c->branches;
        c->branch[c->branches] = stream;
        c->last[c->branches++] = -1;
    }
    Node node = {
        .name = "event wait", .run = engine_nothing, .branch = stream->branch, .wait = event->node};
    add_node(c, node, NULL);
    return cudaSuccess;
}

cudaError_t capture_forbids(const char *call) {
    (void)call;
    cudaError_t error = cudaSuccess;
    sim_lock();
    for (Capture *c = going_on; c; c = c->next) {
        bool mine = pthread_equal(c->thread, pthread_self());
        if (c->mode == cudaStreamCaptureModeGlobal ||
            (c->mode == cudaStreamCaptureModeThreadLocal && mine)) {
            c->invalid = true;
            error = cudaErrorStreamCaptureUnsupported;
        }
    }
    sim_unlock();
    return error;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, enum cudaStreamCaptureMode mode) {
    cudaError_t error = cudaSuccess;
    sim_lock();
    Stream *stream = engine_stream(handle);
    if (stream->id == 0) {
        error = cudaErrorStreamCaptureUnsupported;
    } else if (stream->capture) {
        error = cudaErrorIllegalState;
    } else {
        Capture *c = grown(NULL, sizeof *c);
        *c = (Capture){.branch = {stream},
                       .last = {-1},
                       .branches = 1,
                       .mode = mode,
                       .thread = pthread_self(),
                       .next = going_on};
        going_on = c;
        stream->capture = c;
        stream->branch = 0;
    }
    sim_unlock();
    return device_error(error);
}

/* Whether all work leads to the last node of the first branch. */
static bool joined(const Capture *c) {
    bool *reached = calloc((size_t)c->nodes + 1, 1);
    if (!reached)
        sim_report("out of host memory");
    if (c->last[0] >= 0)
        reached[c->last[0]] = true;
    bool all = true;
    for (int i = c->nodes - 1; i >= 0; i--) { /* edges point back only */
        const Node *node = &c->node[i];
        all &= reached[i];
        if (reached[i] && node->previous >= 0)
            reached[node->previous] = true;
        if (reached[i] && node->wait >= 0)
            reached[node->wait] = true;
    }
    free(reached);
    return all;
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t *graph) {
    cudaError_t error = cudaSuccess;
    *graph = NULL;
    sim_lock();
    Stream *stream = engine_stream(handle);
    Capture *c = stream->capture;
    if (!c) {
        error = cudaErrorIllegalState;
    } else if (stream->branch != 0) {
        error = cudaErrorStreamCaptureUnmatched;
    } else {
        Capture **link = &going_on;
        while (*link != c)
            link = &(*link)->next;
        *link = c->next;
        for (int i = 0; i < c->branches; i++)
            c->branch[i]->capture = NULL;
        error = c->invalid   ? cudaErrorStreamCaptureInvalidated
                : !joined(c) ? cudaErrorStreamCaptureUnjoined
                             : cudaSuccess;
        if (error) {
            capture_free(c);
        } else {
            *graph = grown(NULL, sizeof **graph);
            (*graph)->capture = c;
            sim_count(&graphs, 1);
        }
    }
    sim_unlock();
    return device_error(error);
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, enum cudaStreamCaptureStatus *status) {
    sim_lock();
    const Capture *c = engine_stream(handle)->capture;
    *status = !c           ? cudaStreamCaptureStatusNone
              : c->invalid ? cudaStreamCaptureStatusInvalidated
                           : cudaStreamCaptureStatusActive;
    sim_unlock();
    return cudaSuccess;
}

cudaError_t cudaThreadExchangeStreamCaptureMode(enum cudaStreamCaptureMode *mode) {
    (void)mode;
    sim_report("cudaThreadExchangeStreamCaptureMode is not simulated");
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count) {
    if (nodes)
        sim_report("cudaGraphGetNodes: only the number of nodes is simulated");
    *count = (size_t)graph->capture->nodes;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph,
                                 unsigned long long flags) {
    (void)flags;
    sim_lock();
    cudaGraphExec_t exec = grown(NULL, sizeof *exec);
    const Capture *from = graph->capture;
    *exec = (struct CUgraphExec_st){.capture = grown(NULL, sizeof *from)};
    *exec->capture = *from;
    exec->capture->node = NULL;
    exec->capture->nodes = exec->capture->nodes_max = 0;
    for (int i = 0; i < from->nodes; i++)
        add_node(exec->capture, from->node[i], from->node[i].arg);
    for (int i = 0; i < from->nodes; i++)
        exec->capture->node[i].previous = from->node[i].previous;
    for (int b = 1; b < from->branches; b++)
        exec->stream[b] = engine_stream_new(false);
    sim_count(&executables, 1);
    *out = exec;
    sim_unlock();
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *out, cudaGraph_t graph,
                                          unsigned long long flags) {
    return cudaGraphInstantiate(out, graph, flags);
}

cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream) {
    (void)exec;
    (void)stream;
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t handle) {
    sim_lock();
    Stream *stream = engine_stream(handle);
    if (stream->capture)
        sim_report("a graph launched into a capture is not simulated");
    const Capture *c = exec->capture;
    sim_tally("call", 0);
    sim_tally("graph", 0);
    SimOp **op = calloc((size_t)c->nodes + 1, sizeof *op);
    if (!op)
        sim_report("out of host memory");
    for (int i = 0; i < c->nodes; i++) {
        const Node *node = &c->node[i];
        Stream *on = node->branch == 0 ? stream : exec->stream[node->branch];
        op[i] = engine_add(on, node->name, node->run, node->arg, node->bytes);
        if (node->wait >= 0)
            engine_wait_for(op[i], op[node->wait]);
    }
    free(op);
    sim_unlock();
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
    sim_lock();
    capture_free(exec->capture);
    for (int b = 1; b < BRANCHES_MAX; b++) {
        if (exec->stream[b])
            exec->stream[b]->destroyed = true;
    }
    free(exec);
    sim_unlock();
    sim_count(&executables, -1);
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    sim_lock();
    capture_free(graph->capture);
    free(graph);
    sim_unlock();
    sim_count(&graphs, -1);
    return cudaSuccess;
}
