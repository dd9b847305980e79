/* cuda/wholes: see wholes.h. */
#include "wholes.h"

#include <inttypes.h>
#include <stdlib.h>

static int64_t chunks_of(int64_t count) {
    return (count + NORM_CHUNK - 1) / NORM_CHUNK;
}

/* Pieces of memory one behind the other; `base` NULL: how much they come to is found. */
typedef struct Room {
    char *base;
    size_t used;
} Room;

static void *take(Room *room, int64_t count, size_t size) {
    void *piece = room->base ? room->base + room->used : NULL;
    room->used += (size_t)count * size;
    return piece;
}

/* Behind floats doubles may follow. */
static void align(Room *room) {
    room->used = (room->used + sizeof(double) - 1) / sizeof(double) * sizeof(double);
}

static void take_sums(Room *room, Whole *whole) {
    for (int i = 0; i < 2; i++)
        whole->partial[i] = take(room, chunks_of(whole->rows * whole->cols), sizeof(double));
    whole->factor = take(room, 2, sizeof *whole->factor);
}

/* In the order of update_scratch: X twice, A, B; or u. */
static void take_matrices(Room *room, Whole *whole) {
    int64_t count = whole->rows * whole->cols;
    int64_t m = whole->rows < whole->cols ? whole->rows : whole->cols;
    bool muon = whole->kind == OPTIMIZER_MUON;
    if (muon || whole->kind == OPTIMIZER_LAMB)
        whole->x[0] = take(room, count, sizeof(float));
    if (!muon)
        return;
    whole->x[1] = take(room, count, sizeof(float));
    whole->a = take(room, m * m, sizeof(float));
    whole->b = take(room, m * m, sizeof(float));
}

static Status muon(Stream *stream, const Wholes *wholes, int32_t steps, bool rescales) {
    TRY_CUDA(gpu_muon_direct(wholes, stream->stream));
    TRY_CUDA(gpu_muon_lengths(wholes, rescales, muon_eps, stream->stream));
    for (int32_t i = 0; i < steps; i++)
        TRY_CUDA(gpu_muon_iterate(wholes, i, (float)muon_a, (float)muon_b, (float)muon_c,
                                  stream->stream));
    TRY_CUDA(gpu_muon_step(wholes, stream->stream));
    return ST_OK;
}

static Whole whole_from(const FinishWhole *from, double decay) {
    return (Whole){.kind = (int32_t)from->kind,
                   .steps = (int32_t)from->muon_steps,
                   .rescale = from->muon_rescale,
                   .offset = from->offset,
                   .rows = from->rows,
                   .cols = from->cols,
                   .decay = decay};
}

/* Muon's first: as they are in both tables. */
static void put_in_order(CudaWholes *wholes, const FinishPlan *plan) {
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < plan->n_wholes; i++)
            if ((plan->whole[i].kind != OPTIMIZER_MUON) == pass)
                wholes->whole[wholes->n++] = plan->whole[i];
}

static void fill_tables(CudaWholes *wholes, const FinishPlan *plan, Room *room, Whole *table) {
    for (int i = 0; i < wholes->n; i++) {
        const FinishWhole *from = &wholes->whole[i];
        bool is_muon = from->kind == OPTIMIZER_MUON;
        Wholes *family = is_muon ? &wholes->muon : &wholes->layers;
        table[i] = whole_from(from, plan->range[from->range].decay);
        gpu_whole_place(&table[i], family->blocks);
        take_sums(room, &table[i]);
        take_matrices(room, &table[i]);
        align(room);
        family->n++;
        wholes->lamb |= from->kind == OPTIMIZER_LAMB;
        wholes->rescales |= is_muon && from->muon_rescale;
        if (is_muon && table[i].steps > wholes->steps)
            wholes->steps = table[i].steps;
    }
}

static void point_family(const CudaWholes *wholes, Wholes *family, int first,
                         const FinishPlan *plan, const WholeTerms *terms,
                         const FinishVerdict *verdict) {
    family->whole = wholes->table + first;
    family->terms = terms + first;
    family->verdict = verdict;
    family->fixed = plan->fixed;
    family->real = plan->real;
    family->weight = plan->weight;
    for (int s = 0; s < UPDATE_SLOTS; s++)
        family->slot[s] = plan->slot[s];
}

Status cuda_wholes_open(CudaWholes *wholes, Device *device, Stream *stream, const FinishPlan *plan,
                        const WholeTerms *terms, const FinishVerdict *verdict) {
    enum { SECONDS = 300 };
    size_t n = (size_t)plan->n_wholes;
    CudaWholes measured = {0};
    Room room = {0};
    Status status = ST_OK;
    *wholes = (CudaWholes){.device = device};
    if (n == 0)
        return ST_OK;
    Whole *table = calloc(n, sizeof *table);
    TRY_ALLOC(table);
    wholes->whole = calloc(n, sizeof *wholes->whole);
    if (!wholes->whole) {
        status = FAIL(ST_INTERNAL, "out of memory");
        goto done;
    }
    put_in_order(wholes, plan);
    measured = *wholes;
    fill_tables(&measured, plan, &room, table);
    TRY_DONE(cuda_alloc(device, room.used, &wholes->scratch));
    TRY_DONE(cuda_alloc(device, n * sizeof *table, (void **)&wholes->table));
    room = (Room){.base = wholes->scratch};
    fill_tables(wholes, plan, &room, table);
    point_family(wholes, &wholes->muon, 0, plan, terms, verdict);
    point_family(wholes, &wholes->layers, wholes->muon.n, plan, terms, verdict);
    TRY_DONE(cuda_upload(stream, wholes->table, table, n * sizeof *table));
    TRY_DONE(cuda_sync(stream, SECONDS));
done:
    free(table);
    return status;
}

void cuda_wholes_close(CudaWholes *wholes) {
    free(wholes->whole);
    if (wholes->device) {
        cuda_release(wholes->device, wholes->table);
        cuda_release(wholes->device, wholes->scratch);
    }
    *wholes = (CudaWholes){0};
}

void cuda_wholes_turn(const CudaWholes *wholes, const FinishTurn *turn, const FinishRange *range,
                      WholeTerms *terms) {
    for (int i = 0; i < wholes->n; i++) {
        const FinishTurn *now = &turn[wholes->whole[i].range];
        terms[i] =
            (WholeTerms){.update = now->update,
                         .terms = update_terms(&now->update, range[wholes->whole[i].range].decay),
                         .slots = now->slots,
                         .idle = now->update.kind == OPTIMIZER_NONE};
    }
}

Status cuda_wholes_update(Stream *stream, const CudaWholes *wholes) {
    if (wholes->muon.n > 0)
        TRY(muon(stream, &wholes->muon, wholes->steps, wholes->rescales));
    if (wholes->layers.n > 0)
        TRY_CUDA(gpu_layerwise(&wholes->layers, wholes->lamb, stream->stream));
    return ST_OK;
}

/* ---- One tensor, where the host ends the step ---- */

typedef struct OneWhole {
    Whole whole;
    WholeTerms terms;
    FinishVerdict verdict;
} OneWhole;

/* Its tables, and its sums behind them, to the stream's own memory. */
static Status send_one(Stream *stream, const Update *update, const UpdateRange *range,
                       const FinishWhole *from, void *scratch, Wholes *wholes) {
    Room room = {.base = stream->temp}, matrices = {.base = scratch};
    OneWhole one = {.whole = whole_from(from, range->decay),
                    .terms = {.update = *update, .terms = update_terms(update, range->decay)},
                    .verdict = {.grad_scale = update->grad_scale, .good = 1}};
    OneWhole *sent = take(&room, 1, sizeof *sent);
    *wholes = (Wholes){.n = 1,
                       .whole = &sent->whole,
                       .terms = &sent->terms,
                       .verdict = &sent->verdict,
                       .fixed = range->fixed,
                       .real = range->real,
                       .weight = range->weight};
    for (unsigned s = 0; s < UPDATE_SLOTS; s++) {
        wholes->slot[s] = range->slot[s];
        one.terms.slots |= range->slot[s] ? 1u << s : 0;
    }
    gpu_whole_place(&one.whole, wholes->blocks);
    take_sums(&room, &one.whole);
    take_matrices(&matrices, &one.whole);
    if (room.used > CUDA_TEMP_BYTES)
        return FAIL(ST_DEVICE, "a tensor of %" PRId64 " elements is too large to be updated whole",
                    range->count);
    return cuda_upload(stream, sent, &one, sizeof one);
}

Status cuda_muon(Stream *stream, const Update *update, const UpdateRange *range, int64_t rows,
                 int64_t cols, void *scratch) {
    const FinishWhole whole = {.rows = rows,
                               .cols = cols,
                               .kind = OPTIMIZER_MUON,
                               .muon_steps = update->muon_steps,
                               .muon_rescale = update->muon_rescale};
    Wholes wholes;
    TRY(cuda_enter(stream->device));
    TRY(send_one(stream, update, range, &whole, scratch, &wholes));
    return muon(stream, &wholes, (int32_t)update->muon_steps, update->muon_rescale);
}

Status cuda_layerwise(Stream *stream, const Update *update, const UpdateRange *range,
                      void *scratch) {
    const FinishWhole whole = {.rows = 1, .cols = range->count, .kind = update->kind};
    Wholes wholes;
    TRY(cuda_enter(stream->device));
    TRY(send_one(stream, update, range, &whole, scratch, &wholes));
    TRY_CUDA(gpu_layerwise(&wholes, update->kind == OPTIMIZER_LAMB, stream->stream));
    return ST_OK;
}
