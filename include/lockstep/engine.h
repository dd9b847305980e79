/* engine: a model on this rank's device: compute threads, plans, executors and the replicated
 * state. train, eval and bench drive the same engine. It knows of no other rank. All functions are
 * Local. */
#ifndef LOCKSTEP_ENGINE_H
#define LOCKSTEP_ENGINE_H

#include "lockstep/config.h"
#include "lockstep/dataset.h"
#include "lockstep/grouping.h"
#include "lockstep/program.h"
#include "lockstep/thread.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ENGINE_TRAIN_SIZES = 3,
    ENGINE_EVAL_SIZES = 4,
    SYNC_SECONDS = 300 /* for device work that has no other deadline */
};

/* Where a training lane is computed, and what comes of it. */
typedef struct LaneRoom {
    Executor *train[ENGINE_TRAIN_SIZES];
    void *gradient; /* [flat real] device memory, of the lane in progress */
    void *peak;     /* [n_params real] device memory: LaneGradient's */
    double *shared; /* host: as many doubles as an op may share over lanes; NULL: none does */
} LaneRoom;

/* One compute thread: its stream, and one slot for each program. */
typedef struct Worker {
    Stream *stream;
    /* [2] device memory: values the exact sum refused, and those of frozen parameters, which do not
     * matter */
    int64_t *bad;
    int64_t bad_so_far[2];      /* the same as of the last lane that was counted */
    struct LaneResult *results; /* of lanes that are computed and not counted; NULL between steps */
    void *scratch; /* [the most update_scratch reals] device memory; NULL: none is wanted */
    Executor *eval[ENGINE_EVAL_SIZES];
    float *image;                         /* for evaluation: [largest eval batch][pixels] host */
    double data_s, forward_s, backward_s; /* since the caller last zeroed them */
    double waited_s;                      /* of backward_s, for other ranks of the host */
    TraceRow *row;                        /* of this thread in a trace, or NULL */
} Worker;

/* A program, the weights it computes with, and the version of these that it has packed. */
typedef struct PackedProgram {
    Program *program;
    const Weights *weights; /* the engine's: of training, or of evaluation */
    int64_t packed_version; /* -1: never */
} PackedProgram;

typedef struct Engine {
    Device *device;     /* borrowed */
    const Model *model; /* borrowed */
    Team *team;
    Stream *stream;  /* of the main thread */
    Worker *workers; /* [team_size] */
    /* [team_size + 1] of each worker's stream and the main thread's (engine_order); NULL where
     * streams execute in the calling thread */
    Mark **mark;
    /* Room i works on the stream of worker i % team_size. One a worker; where lanes of a step
     * advance together (engine_shares), or their gradients are kept, one a lane of the rank. */
    int n_rooms;
    /* Gradients of the rank's lanes stay in device memory until all are there, and are summed in
     * one pass (DeviceOps.terms). Rooms of one worker then differ in the gradient alone, unless
     * engine_shares. */
    bool keeps;
    LaneRoom *rooms; /* [n_rooms] */
    int n_train, n_eval;
    PackedProgram train[ENGINE_TRAIN_SIZES]; /* by falling batch */
    PackedProgram eval[ENGINE_EVAL_SIZES];
    Weights weights;  /* what is trained */
    Weights averaged; /* what is evaluated: the moving average where there is one, else `weights` */
    void *slot[GROUPING_SLOTS]; /* [flat real] optimizer state; NULL: nobody has any */
    void *ema;                  /* [flat real] or NULL */
    float *running;             /* [running_flat] host copy of weights.running */
    float *slow_running;        /* [running_flat] host: Lookahead's; NULL: there is none */
    /* [n_params] host: how large gradients were, in units of fixed_gradient (fixed_follow); zeros
     * but for exact32, whose sums go by it; NULL in eval */
    int64_t *peak;
    /* [flat or running_flat, the larger] host, where the device makes no digest; else NULL */
    float *digested;
    int64_t version; /* grows with every change of the weights */
    int n_records;
    void **records; /* [n_records] arrays in device memory (engine_load_records) */
} Engine;

typedef struct EngineSizes {
    int n_train, n_eval;
    int64_t train[ENGINE_TRAIN_SIZES], eval[ENGINE_EVAL_SIZES]; /* batches, falling */
    int64_t lanes;                                              /* of this rank */
} EngineSizes;

/* Opens the device that `config` asks for, for a process that is `local_rank` on its host; auto
 * takes cuda where a GPU can be used, else cpu. ST_DEVICE where it cannot be had: never another one
 * instead. */
Status engine_open_device(const RunConfig *config, int local_rank, Device **device);

/* Plans and allocates everything. `optimizer` and `grouping` NULL: evaluation only. */
Status engine_open(Engine *engine, Device *device, const Model *model, const Optimizer *optimizer,
                   const Grouping *grouping, int threads, const EngineSizes *sizes);
void engine_close(Engine *engine); /* accepts a zeroed struct */

/* What is enqueued on any stream of the engine from now on comes after all that is enqueued so far
 * on any of them. The host does not wait. Main thread, while compute threads rest. */
Status engine_order(Engine *engine);
Status engine_order_open(Engine *engine);
void engine_order_close(Engine *engine); /* accepts what could not be opened */

/* Whether an op of training is over the whole step, so that its lanes advance together. */
bool engine_shares(const Engine *engine);

/* From now on compute threads, and ops in training, tell what they do in rows of `trace`. */
Status engine_trace(Engine *engine, Trace *trace);

/* Copies the uint8 records of `shard` to device memory, where they stay: *records. NULL where the
 * device does not make images itself. */
Status engine_load_records(Engine *engine, const Shard *shard, const uint8_t **records);

/* Host arrays to device state and back; NULL arrays are left out. ema is set to weight where
 * `weight` is given and `ema` is not. */
typedef struct HostState {
    float *weight, *running, *slot[GROUPING_SLOTS], *ema;
} HostState;

/* Room for all that the engine has, zeroed. The caller frees it, also after a failure. */
Status host_state_open(const Engine *engine, HostState *state);
void host_state_free(HostState *state); /* accepts a zeroed struct */

/* Moving average and slow weights, where there are any, begin at weight and running. */
void host_state_begin(Engine *engine, HostState *state);

Status engine_put(Engine *engine, const HostState *state);
Status engine_get(Engine *engine, const HostState *state);

/* All of the replicated state, on the host: what outlives the engine. */
typedef struct EngineState {
    HostState host;
    float *slow_running; /* [running_flat], NULL: the engine has none */
    int64_t *peak;       /* [n_params] */
} EngineState;

/* Copies it from the engine of a training run, and into another one of the same model and
 * optimizer. engine_state_free also after a failure. ST_DEVICE. */
Status engine_state_take(Engine *engine, EngineState *state);
Status engine_state_put(Engine *engine, const EngineState *state);
void engine_state_free(EngineState *state); /* accepts a zeroed struct */

/* Weights [from, from + count) of the flat range to the host. */
Status engine_get_weights(Engine *engine, int64_t from, int64_t count, float *weight);

/* The arrays of the replicated state that are in device memory. */
typedef enum StateArray {
    STATE_WEIGHT,
    STATE_RUNNING,
    STATE_EMA,
    STATE_SLOT, /* the first of GROUPING_SLOTS */
    STATE_ARRAYS = STATE_SLOT + GROUPING_SLOTS
} StateArray;

/* Device memory, and its elements; NULL: the engine has none. */
void *engine_array(const Engine *engine, StateArray array, int64_t *count);

/* What tells whether two ranks have the same in elements [from, from + count) of an array that the
 * engine has: made where they are if the device can, else of a copy on the host; so it compares
 * between devices of one kind alone. ST_DEVICE. */
Status engine_digest(Engine *engine, StateArray array, int64_t from, int64_t count, Digest *digest);

/* Sees to it that `packed` holds the current weights. */
Status engine_pack(Engine *engine, PackedProgram *packed);

/* Index of the program for `batch` images in engine->train (or eval), or -1. */
int engine_find(const PackedProgram *programs, int n, int64_t batch);

/* Bytes of device memory for all slots and state, for the log. */
size_t engine_bytes(const Engine *engine);

#ifdef __cplusplus
}
#endif
#endif
