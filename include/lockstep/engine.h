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

/* One compute thread: its stream, and one slot for each program. */
typedef struct Worker {
    Stream *stream;
    void *gradient; /* [flat real] device memory, of the lane in progress; NULL in eval */
    /* [2] device memory: values the exact sum refused, and those of frozen parameters, which do not
     * matter */
    int64_t *bad;
    void *matrix; /* [muon_scratch reals of the largest] device memory; NULL: no Muon */
    Executor *train[ENGINE_TRAIN_SIZES];
    Executor *eval[ENGINE_EVAL_SIZES];
    float *loss;          /* [largest batch] host */
    int32_t *predicted;   /* [largest batch] host */
    float *image;         /* for evaluation: [largest eval batch][pixels] host */
    Placement *placement; /* [largest eval batch], where the device makes images; else NULL */
    int32_t *label;       /* [largest eval batch] host */
    double data_s, forward_s, backward_s; /* since the caller last zeroed them */
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
    int n_train, n_eval;
    PackedProgram train[ENGINE_TRAIN_SIZES]; /* by falling batch */
    PackedProgram eval[ENGINE_EVAL_SIZES];
    Weights weights;  /* what is trained */
    Weights averaged; /* what is evaluated: the moving average where there is one, else `weights` */
    void *slot[GROUPING_SLOTS]; /* [flat real] optimizer state; NULL: nobody has any */
    void *ema;                  /* [flat real] or NULL */
    float *running;             /* [running_flat] host copy of weights.running */
    float *slow_running;        /* [running_flat] host: Lookahead's; NULL: there is none */
    /* [flat or running_flat, the larger] host, where the device makes no digest; else NULL */
    float *digested;
    int64_t version; /* grows with every change of the weights */
    int n_records;
    void **records; /* [n_records] arrays in device memory (engine_load_records) */
} Engine;

typedef struct EngineSizes {
    int n_train, n_eval;
    int64_t train[ENGINE_TRAIN_SIZES], eval[ENGINE_EVAL_SIZES]; /* batches, falling */
} EngineSizes;

/* Opens the device that `config` asks for, for a process that is `local_rank` on its host; auto
 * takes cuda where a GPU can be used, else cpu. ST_DEVICE where it cannot be had: never another one
 * instead. */
Status engine_open_device(const RunConfig *config, int local_rank, Device **device);

/* Plans and allocates everything. `optimizer` and `grouping` NULL: evaluation only. */
Status engine_open(Engine *engine, Device *device, const Model *model, const Optimizer *optimizer,
                   const Grouping *grouping, int threads, const EngineSizes *sizes);
void engine_close(Engine *engine); /* accepts a zeroed struct */

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
