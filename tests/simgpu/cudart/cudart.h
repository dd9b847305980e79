/* cudart: inside the simulated libcudart. The lock is held wherever nothing else is said. */
#ifndef SIMGPU_CUDART_H
#define SIMGPU_CUDART_H

#include "../sim.h"

enum { STREAMS_MAX = 64 };

/* What has happened before a moment: how many ops of each stream. */
typedef struct Clock {
    uint64_t at[STREAMS_MAX];
} Clock;

static inline void clock_join(Clock *clock, const Clock *other) {
    for (int i = 0; i < STREAMS_MAX; i++)
        clock->at[i] = clock->at[i] > other->at[i] ? clock->at[i] : other->at[i];
}

/* Bytes [begin, end) that an op touched. */
typedef struct Span {
    uintptr_t begin, end;
    bool write;
} Span;

typedef struct CUstream_st Stream;
typedef struct CUevent_st Event;
typedef struct Capture Capture;

/* Ops are never freed: events and other ops may point at them for as long as the process lives. */
struct SimOp {
    SimOp *next;     /* in its stream, until it has run */
    SimOp *previous; /* in its stream, if that had not run then */
    SimOp **wait;    /* ops of other streams that must be done first */
    int n_wait;
    Stream *stream;
    uint64_t number; /* in its stream, from 1 */
    Clock clock;     /* what happens before it, and itself */
    const char *name;
    SimRun run;
    void *arg; /* owned, freed when done */
    bool forced, done;
    int cost;        /* units of simulated time */
    int64_t done_at; /* the same, for cudaEventElapsedTime */
    Span *spans;     /* owned until no later op can race with them */
    int n_spans, spans_max;
};

struct CUstream_st {
    int id;
    bool blocking; /* orders itself with the legacy default stream */
    bool destroyed;
    uint64_t issued;
    Clock clock;        /* of the last op enqueued */
    SimOp *head, *tail; /* waiting to run */
    SimOp *last;        /* enqueued, run or not */
    Capture *capture;
    int branch; /* of the capture */
};

struct CUevent_st {
    SimOp *op; /* of the last record; NULL before */
    Capture *capture;
    int node; /* in that capture */
    bool destroyed;
};

/* engine.c */
void engine_start(void); /* the first call into the library; takes and leaves the lock itself */
Stream *engine_stream(cudaStream_t stream); /* NULL stands for the default stream */
Stream *engine_stream_new(bool blocking);
int engine_streams(Stream *streams[STREAMS_MAX]);
SimOp *engine_add(Stream *stream, const char *name, SimRun run, const void *arg, size_t bytes);
void engine_wait_for(SimOp *op, SimOp *before); /* before `op` may run */
void engine_host_wait(SimOp *op);               /* until it is done; the host knows then */
void engine_host_saw(SimOp *op);                /* it is done, and the host was told */
bool engine_host_knows(const SimOp *op);
bool engine_happened_before_all(const SimOp *op); /* host and every waiting op come after it */
SimTurn engine_nothing(SimOp *op, void *arg);

/* memory.c: device memory, mapped twice */
typedef struct Allocation {
    uintptr_t begin;
    size_t bytes;
    bool live;
    int number; /* in the order of allocation, from 1 */
} Allocation;
void memory_start(void);
const Allocation *memory_find(uintptr_t at);
void *memory_alias(uintptr_t at);                                       /* no check */
void memory_check(SimOp *op, uintptr_t at, size_t n, const char *what); /* or reports */
void memory_check_written(SimOp *op, uintptr_t at, size_t n, const char *what);
void memory_mark_written(uintptr_t at, size_t n);
uint8_t *memory_shadow(uintptr_t at); /* a byte a byte: 1 where written */
void memory_describe(uintptr_t at, char *text, size_t size);

/* pinned.c: host memory that copies may use without a copy of their own */
void pinned_start(void);
void *pinned_alias(const void *at,
                   size_t bytes); /* NULL: not pinned. Reports a range that leaves it */
void pinned_close(SimOp *op, const void *at, size_t bytes, bool host_may_read);
void pinned_reopen(void); /* pages that no unfinished copy uses any more */

/* race.c */
void race_note(SimOp *op, uintptr_t at, size_t bytes, bool write);
void race_check(SimOp *op); /* when it is done */

/* capture.c */
int capture_add(Stream *stream, const char *name, SimRun run, const void *arg, size_t bytes);
cudaError_t capture_forbids(const char *call); /* calls that no thread may make while it captures */
cudaError_t capture_event_record(Event *event, Stream *stream);
cudaError_t capture_wait_event(Stream *stream, Event *event);

/* device.c: the error that cudaGetLastError gives */
cudaError_t device_error(cudaError_t error);
cudaError_t device_ready(void); /* starts the simulation; an error where no device is simulated */
size_t device_memory_limit(void);

#endif
