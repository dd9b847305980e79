/* engine: see engine.h. */
#include "lockstep/engine.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/log.h"

Status engine_open_device(const RunConfig *config, int local_rank, Device **device) {
    DeviceOptions options = {.local_rank = local_rank,
                             .precision = config->precision,
                             .exact = config->reduction != REDUCTION_NATIVE,
                             .autotune = config->autotune,
                             .bf16_sums = config->reduction_type == REDUCTION_BF16,
                             .convolutions = config->convolutions};
    Status status = ST_OK;
    if (config->convolutions != CONV_BY_RULE && config->device != DEVICE_CPU)
        return FAIL(ST_USAGE, "--convolutions is of the CPU's: give --device cpu");
    if (config->device == DEVICE_CUDA || config->device == DEVICE_AUTO)
        status = device_open_cuda(&options, device);
    if (config->device == DEVICE_CUDA) {
        if (status != ST_OK)
            status_prefix("--device cuda");
        return status;
    }
    if (config->device == DEVICE_AUTO && status == ST_OK)
        return ST_OK;
    if (status != ST_OK) {
        log_debug("device auto: %s", status_message());
        status_clear();
    }
    return config->device == DEVICE_REF ? device_open_ref(&options, device)
                                        : device_open_cpu(&options, device);
}

static size_t flat_bytes(const Engine *engine) {
    return (size_t)engine->model->flat * dtype_size(engine->device->real);
}

static Status allocate_state(Engine *engine, const Optimizer *optimizer, const Grouping *grouping) {
    Device *device = engine->device;
    size_t running = (size_t)engine->model->running_flat;
    TRY(device->ops->alloc(device, flat_bytes(engine), &engine->weights.weight));
    if (running > 0) {
        TRY(device->ops->alloc(device, running * dtype_size(device->real),
                               &engine->weights.running));
        engine->running = calloc(running, sizeof *engine->running);
        TRY_ALLOC(engine->running);
    }
    engine->averaged = engine->weights;
    if (!optimizer)
        return ST_OK;
    if (!device->ops->digest) {
        size_t flat = (size_t)engine->model->flat;
        engine->digested = calloc(flat > running ? flat : running, sizeof *engine->digested);
        TRY_ALLOC(engine->digested);
    }
    for (int i = 0; i < GROUPING_SLOTS; i++) {
        if (grouping->has_slot[i])
            TRY(device->ops->alloc(device, flat_bytes(engine), &engine->slot[i]));
    }
    engine->peak = calloc((size_t)engine->model->n_params + 1, sizeof *engine->peak);
    TRY_ALLOC(engine->peak);
    if (optimizer->lookahead.every > 0) {
        engine->slow_running = calloc(running + 1, sizeof *engine->slow_running);
        TRY_ALLOC(engine->slow_running);
    }
    if (optimizer->ema_decay > 0) {
        TRY(device->ops->alloc(device, flat_bytes(engine), &engine->ema));
        engine->averaged.weight = engine->ema;
    }
    return ST_OK;
}

static Status build(Engine *engine, int64_t batch, bool training, PackedProgram *packed) {
    packed->weights = training ? &engine->weights : &engine->averaged;
    packed->packed_version = -1;
    if (training && engine->keeps)
        return program_build_kept(engine->device, engine->model, batch, &packed->program);
    return program_build(engine->device, engine->model, batch, training, &packed->program);
}

static Status build_programs(Engine *engine, const EngineSizes *sizes) {
    engine->n_train = sizes->n_train;
    engine->n_eval = sizes->n_eval;
    for (int i = 0; i < sizes->n_train; i++)
        TRY(build(engine, sizes->train[i], true, &engine->train[i]));
    for (int i = 0; i < sizes->n_eval; i++)
        TRY(build(engine, sizes->eval[i], false, &engine->eval[i]));
    return ST_OK;
}

static Status open_scratch(Engine *engine, const Grouping *grouping, Worker *worker) {
    Device *device = engine->device;
    int64_t most = 0;
    for (int i = 0; grouping && i < grouping->n_wholes; i++) {
        const GroupWhole *whole = &grouping->whole[i];
        OptimizerKind kind = grouping->groups.group[whole->group].optimizer.kind;
        int64_t scratch = update_scratch(kind, whole->rows, whole->cols);
        most = scratch > most ? scratch : most;
    }
    return most > 0 ? device->ops->alloc(device, (size_t)most * dtype_size(device->real),
                                         &worker->scratch)
                    : ST_OK;
}

static Status open_worker(Engine *engine, Worker *worker, const EngineSizes *sizes) {
    Device *device = engine->device;
    size_t eval = sizes->n_eval > 0 ? (size_t)sizes->eval[0] : 0;
    TRY(device->ops->stream_open(device, &worker->stream));
    TRY(device->ops->alloc(device, 2 * sizeof *worker->bad, (void **)&worker->bad));
    for (int i = 0; i < engine->n_eval; i++)
        TRY(executor_open(engine->eval[i].program, worker->stream, engine->eval[i].weights, NULL,
                          &worker->eval[i]));
    if (eval > 0) {
        size_t pixels = (size_t)shape_count(engine->model->image);
        worker->image = calloc(eval * pixels, sizeof *worker->image);
        TRY_ALLOC(worker->image);
    }
    return ST_OK;
}

bool engine_shares(const Engine *engine) {
    return engine->n_train > 0 && program_shared_most(engine->train[0].program) > 0;
}

/* Whose memory room i works in: its own, or that of its worker's first room. */
static int memory_of_room(const Engine *engine, int i) {
    return engine->keeps && !engine_shares(engine) ? i % team_size(engine->team) : i;
}

static Status open_room(Engine *engine, int r) {
    Device *device = engine->device;
    LaneRoom *room = &engine->rooms[r], *lender = &engine->rooms[memory_of_room(engine, r)];
    Stream *stream = engine->workers[r % team_size(engine->team)].stream;
    size_t params = (size_t)engine->model->n_params + 1;
    TRY(device->ops->alloc(device, flat_bytes(engine), &room->gradient));
    TRY(device->ops->alloc(device, params * dtype_size(device->real), &room->peak));
    for (int i = 0; i < engine->n_train; i++) {
        const PackedProgram *packed = &engine->train[i];
        if (lender != room)
            TRY(executor_open_beside(lender->train[i], packed->weights, room->gradient,
                                     &room->train[i]));
        else
            TRY(executor_open(packed->program, stream, packed->weights, room->gradient,
                              &room->train[i]));
    }
    if (engine_shares(engine)) {
        room->shared =
            calloc((size_t)program_shared_most(engine->train[0].program), sizeof *room->shared);
        TRY_ALLOC(room->shared);
    }
    return ST_OK;
}

static Status open_rooms(Engine *engine, const EngineSizes *sizes) {
    int threads = team_size(engine->team);
    if (engine->n_train == 0)
        return ST_OK;
    int rooms = engine_shares(engine) || engine->keeps ? (int)sizes->lanes : threads;
    engine->rooms = calloc((size_t)rooms + 1, sizeof *engine->rooms);
    TRY_ALLOC(engine->rooms);
    for (; engine->n_rooms < rooms; engine->n_rooms++)
        TRY(open_room(engine, engine->n_rooms));
    return ST_OK;
}

Status engine_open(Engine *engine, Device *device, const Model *model, const Optimizer *optimizer,
                   const Grouping *grouping, int threads, const EngineSizes *sizes) {
    *engine = (Engine){.device = device, .model = model};
    TRY(team_start(threads, &engine->team));
    TRY(device->ops->stream_open(device, &engine->stream));
    TRY(allocate_state(engine, optimizer, grouping));
    engine->keeps = device->ops->terms && sizes->lanes > 0 && sizes->lanes <= TERMS_MAX;
    TRY(build_programs(engine, sizes));
    engine->workers = calloc((size_t)threads, sizeof *engine->workers);
    TRY_ALLOC(engine->workers);
    for (int i = 0; i < threads; i++) {
        TRY(open_worker(engine, &engine->workers[i], sizes));
        TRY(open_scratch(engine, grouping, &engine->workers[i]));
    }
    TRY(engine_order_open(engine));
    return open_rooms(engine, sizes);
}

static void close_room(Engine *engine, LaneRoom *room) {
    for (int i = 0; i < ENGINE_TRAIN_SIZES; i++)
        executor_close(room->train[i]);
    engine->device->ops->release(engine->device, room->gradient);
    engine->device->ops->release(engine->device, room->peak);
    free(room->shared);
}

static void close_worker(Engine *engine, Worker *worker) {
    Device *device = engine->device;
    for (int i = 0; i < ENGINE_EVAL_SIZES; i++)
        executor_close(worker->eval[i]);
    device->ops->release(device, worker->bad);
    device->ops->release(device, worker->scratch);
    if (worker->stream)
        device->ops->stream_close(worker->stream);
    free(worker->image);
}

void engine_close(Engine *engine) {
    Device *device = engine->device;
    if (!device)
        return;
    /* All there is room for: one that could not be opened is half open. Lenders come last. */
    for (int i = engine->n_rooms; engine->rooms && i >= 0; i--)
        close_room(engine, &engine->rooms[i]);
    free(engine->rooms);
    engine_order_close(engine);
    for (int i = 0; engine->workers && i < team_size(engine->team); i++)
        close_worker(engine, &engine->workers[i]);
    free(engine->workers);
    for (int i = 0; i < ENGINE_TRAIN_SIZES; i++)
        program_free(engine->train[i].program);
    for (int i = 0; i < ENGINE_EVAL_SIZES; i++)
        program_free(engine->eval[i].program);
    device->ops->release(device, engine->weights.weight);
    device->ops->release(device, engine->weights.running);
    for (int i = 0; i < GROUPING_SLOTS; i++)
        device->ops->release(device, engine->slot[i]);
    device->ops->release(device, engine->ema);
    for (int i = 0; i < engine->n_records; i++)
        device->ops->release(device, engine->records[i]);
    free(engine->records);
    free(engine->running);
    free(engine->slow_running);
    free(engine->peak);
    free(engine->digested);
    if (engine->stream)
        device->ops->stream_close(engine->stream);
    team_stop(engine->team);
    memset(engine, 0, sizeof *engine);
}

Status engine_trace(Engine *engine, Trace *trace) {
    for (int t = 0; t < team_size(engine->team); t++) {
        Worker *worker = &engine->workers[t];
        char name[32];
        snprintf(name, sizeof name, "compute %d", t);
        worker->row = trace_row(trace, name);
        TraceRow *ops = worker->row;
        if (engine->device->accelerator) { /* which works by itself, beside its thread */
            snprintf(name, sizeof name, "%s stream %d", engine->device->ops->name, t);
            ops = trace_row(trace, name);
        }
        for (int r = t; r < engine->n_rooms; r += team_size(engine->team)) {
            for (int i = 0; i < engine->n_train; i++)
                TRY(executor_trace(engine->rooms[r].train[i], ops));
        }
    }
    return ST_OK;
}

Status engine_load_records(Engine *engine, const Shard *shard, const uint8_t **records) {
    const DeviceOps *ops = engine->device->ops;
    size_t bytes = (size_t)(shard->count * shape_count(engine->model->image));
    *records = NULL;
    if (!ops->images || bytes == 0)
        return ST_OK;
    void **arrays = realloc(engine->records, (size_t)(engine->n_records + 1) * sizeof *arrays);
    TRY_ALLOC(arrays);
    engine->records = arrays;
    void **array = &arrays[engine->n_records];
    TRY(ops->alloc(engine->device, bytes, array));
    engine->n_records++;
    *records = *array;
    TRY(ops->upload(engine->stream, *array, shard->pixels, bytes));
    return ops->sync(engine->stream, SYNC_SECONDS);
}

static Status put(Engine *engine, void *memory, const float *host, int64_t count) {
    if (!memory || !host)
        return ST_OK;
    return engine->device->ops->upload(engine->stream, memory, host, (size_t)count * sizeof *host);
}

static Status get(Engine *engine, float *host, const void *memory, int64_t count) {
    if (!memory || !host)
        return ST_OK;
    return engine->device->ops->download(engine->stream, host, memory,
                                         (size_t)count * sizeof *host);
}

Status engine_put(Engine *engine, const HostState *state) {
    int64_t flat = engine->model->flat, running = engine->model->running_flat;
    TRY(put(engine, engine->weights.weight, state->weight, flat));
    TRY(put(engine, engine->ema, state->ema ? state->ema : state->weight, flat));
    for (int i = 0; i < GROUPING_SLOTS; i++)
        TRY(put(engine, engine->slot[i], state->slot[i], flat));
    TRY(put(engine, engine->weights.running, state->running, running));
    if (state->running && running > 0)
        memcpy(engine->running, state->running, (size_t)running * sizeof *engine->running);
    engine->version++;
    return engine->device->ops->sync(engine->stream, SYNC_SECONDS);
}

Status engine_get(Engine *engine, const HostState *state) {
    int64_t flat = engine->model->flat;
    TRY(get(engine, state->weight, engine->weights.weight, flat));
    TRY(get(engine, state->ema, engine->ema, flat));
    for (int i = 0; i < GROUPING_SLOTS; i++)
        TRY(get(engine, state->slot[i], engine->slot[i], flat));
    TRY(get(engine, state->running, engine->weights.running, engine->model->running_flat));
    return engine->device->ops->sync(engine->stream, SYNC_SECONDS);
}

Status engine_get_weights(Engine *engine, int64_t from, int64_t count, float *weight) {
    TRY(get(engine, weight, (const float *)engine->weights.weight + from, count));
    return engine->device->ops->sync(engine->stream, SYNC_SECONDS);
}

Status host_state_open(const Engine *engine, HostState *state) {
    size_t flat = (size_t)engine->model->flat, running = (size_t)engine->model->running_flat;
    state->weight = calloc(flat, sizeof *state->weight);
    TRY_ALLOC(state->weight);
    state->running = calloc(running + 1, sizeof *state->running);
    TRY_ALLOC(state->running);
    for (int i = 0; i < GROUPING_SLOTS; i++) {
        if (!engine->slot[i])
            continue;
        state->slot[i] = calloc(flat, sizeof *state->slot[i]);
        TRY_ALLOC(state->slot[i]);
    }
    if (engine->ema) {
        state->ema = calloc(flat, sizeof *state->ema);
        TRY_ALLOC(state->ema);
    }
    return ST_OK;
}

void host_state_free(HostState *state) {
    free(state->weight);
    free(state->running);
    free(state->ema);
    for (int i = 0; i < GROUPING_SLOTS; i++)
        free(state->slot[i]);
    *state = (HostState){0};
}

void host_state_begin(Engine *engine, HostState *state) {
    size_t flat = (size_t)engine->model->flat * sizeof *state->weight;
    size_t running = (size_t)engine->model->running_flat * sizeof *state->running;
    memset(engine->peak, 0, (size_t)engine->model->n_params * sizeof *engine->peak);
    if (state->ema)
        memcpy(state->ema, state->weight, flat);
    if (state->slot[SLOT_SLOW])
        memcpy(state->slot[SLOT_SLOW], state->weight, flat);
    if (engine->slow_running)
        memcpy(engine->slow_running, state->running, running);
}

typedef struct PackJob {
    Engine *engine;
    const PackedProgram *packed;
    atomic_int next;
} PackJob;

static Status pack_job(void *context, int thread) {
    PackJob *job = context;
    Worker *worker = &job->engine->workers[thread];
    for (;;) {
        int op = atomic_fetch_add(&job->next, 1);
        if (op >= program_ops(job->packed->program))
            return ST_OK;
        TRY(program_pack(job->packed->program, worker->stream, job->packed->weights, op));
    }
}

Status engine_pack(Engine *engine, PackedProgram *packed) {
    if (packed->packed_version == engine->version)
        return ST_OK;
    PackJob job = {.engine = engine, .packed = packed};
    TRY(team_run(engine->team, pack_job, &job));
    TRY(engine_order(engine));
    packed->packed_version = engine->version;
    return ST_OK;
}

int engine_find(const PackedProgram *programs, int n, int64_t batch) {
    for (int i = 0; i < n; i++) {
        if (program_batch(programs[i].program) == batch)
            return i;
    }
    return -1;
}

size_t engine_bytes(const Engine *engine) {
    size_t flats = 1 + (size_t)(engine->ema != NULL);
    size_t room = 0, rooms = 0; /* memory of a room beside its gradient, and how many have it */
    size_t slots = 0;           /* of one thread */
    for (int i = 0; i < GROUPING_SLOTS; i++)
        flats += engine->slot[i] != NULL;
    for (int i = 0; i < engine->n_train; i++)
        room += program_executor_bytes(engine->train[i].program);
    for (int i = 0; i < engine->n_eval; i++)
        slots += program_executor_bytes(engine->eval[i].program);
    for (int i = 0; i < engine->n_rooms; i++)
        rooms += memory_of_room(engine, i) == i;
    return (flats + (size_t)engine->n_rooms) * flat_bytes(engine) +
           (size_t)team_size(engine->team) * slots + rooms * room;
}
