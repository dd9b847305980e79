/* cuda/finish: the end of a step on the GPU alone. The arithmetic is in kernels/finish.cu. */
#include "wholes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct Finish {
    CudaDevice *device; /* borrowed */
    FinishPlan plan;    /* its arrays of the host are not looked at again, but */
    FinishRange *range; /* owned: [n_ranges] */
    char *terms;        /* host: WholeTerms [n_wholes], then FinishTerms [n_ranges], of the step */
    CudaWholes wholes;
    FinishArrays arrays; /* all below is device memory, owned */
    FinishVerdict *verdict;
    char *device_terms; /* as `terms` */
    int32_t *range_of;  /* [count / FINISH_BLOCK] */
    double *momentum;   /* [running] */
};

/* Bytes of the terms: of tensors, and of all. */
static size_t whole_bytes(const FinishPlan *plan) {
    return (size_t)plan->n_wholes * sizeof(WholeTerms);
}

static size_t terms_bytes(const FinishPlan *plan) {
    return whole_bytes(plan) + (size_t)plan->n_ranges * sizeof(FinishTerms);
}

static void finish_close(Finish *finish) {
    if (!finish)
        return;
    Device *device = &finish->device->base;
    cuda_wholes_close(&finish->wholes);
    cuda_release(device, finish->verdict);
    cuda_release(device, finish->device_terms);
    cuda_release(device, finish->range_of);
    cuda_release(device, finish->momentum);
    free(finish->range);
    free(finish->terms);
    free(finish);
}

static Status allocate(Finish *finish) {
    const FinishPlan *plan = &finish->plan;
    Device *device = &finish->device->base;
    size_t ranges = (size_t)plan->n_ranges, blocks = (size_t)(plan->count / FINISH_BLOCK);
    finish->range = malloc((ranges + 1) * sizeof *finish->range);
    TRY_ALLOC(finish->range);
    memcpy(finish->range, plan->range, ranges * sizeof *finish->range);
    finish->terms = calloc(terms_bytes(plan) + 1, 1);
    TRY_ALLOC(finish->terms);
    TRY(cuda_alloc(device, sizeof *finish->verdict, (void **)&finish->verdict));
    TRY(cuda_alloc(device, terms_bytes(plan), (void **)&finish->device_terms));
    TRY(cuda_alloc(device, blocks * sizeof *finish->range_of, (void **)&finish->range_of));
    return cuda_alloc(device, (size_t)plan->running * sizeof *finish->momentum,
                      (void **)&finish->momentum);
}

/* Which range elements are of, and the momentum of running statistics, to the device. */
static Status send(const Finish *finish, Stream *stream) {
    enum { SECONDS = 300 };
    const FinishPlan *plan = &finish->plan;
    size_t blocks = (size_t)(plan->count / FINISH_BLOCK);
    int32_t *range_of = malloc((blocks + 1) * sizeof *range_of);
    TRY_ALLOC(range_of);
    for (int r = 0; r < plan->n_ranges; r++)
        for (int64_t i = plan->range[r].begin; i < plan->range[r].end; i += FINISH_BLOCK)
            range_of[i / FINISH_BLOCK] = r;
    Status status = cuda_upload(stream, finish->range_of, range_of, blocks * sizeof *range_of);
    free(range_of);
    TRY(status);
    TRY(cuda_upload(stream, finish->momentum, plan->running_momentum,
                    (size_t)plan->running * sizeof *finish->momentum));
    return cuda_sync(stream, SECONDS);
}

static Status finish_open(Device *base, const FinishPlan *plan, Finish **out) {
    Status status = ST_OK;
    Stream *stream = NULL;
    Finish *finish = calloc(1, sizeof *finish);
    TRY_ALLOC(finish);
    finish->device = (CudaDevice *)base;
    finish->plan = *plan;
    TRY_DONE(allocate(finish));
    TRY_DONE(cuda_stream_open(base, &stream));
    TRY_DONE(send(finish, stream));
    TRY_DONE(cuda_wholes_open(&finish->wholes, base, stream, plan,
                              (const WholeTerms *)(const void *)finish->device_terms,
                              finish->verdict));
    finish->plan.range = NULL;
    finish->plan.whole = NULL;
    finish->plan.running_momentum = NULL;
    finish->arrays = (FinishArrays){
        .count = plan->count,
        .verdict = finish->verdict,
        .terms = (const FinishTerms *)(const void *)(finish->device_terms + whole_bytes(plan)),
        .range = finish->range_of,
        .fixed = plan->fixed,
        .real = plan->real,
        .weight = plan->weight,
        .ema = plan->ema,
        .slow = plan->slow};
    for (int s = 0; s < UPDATE_SLOTS; s++)
        finish->arrays.slot[s] = plan->slot[s];
    *out = finish;
    finish = NULL;
done:
    if (stream)
        cuda_stream_close(stream);
    finish_close(finish);
    return status;
}

/* The norm of all ranges that are counted: chunks begin anew behind one that is not. */
static Status make_norm(Stream *stream, Finish *finish, const FinishTurn *turn) {
    const FinishPlan *plan = &finish->plan;
    double *partial = stream->temp;
    int64_t chunks = 0;
    for (int r = 0, next; r < plan->n_ranges; r = next) {
        int64_t begin = finish->range[r].begin;
        for (next = r + 1; next < plan->n_ranges && turn[next].counted == turn[r].counted;)
            next++;
        int64_t count = finish->range[next - 1].end - begin;
        if (!turn[r].counted)
            continue;
        int64_t more = (count + NORM_CHUNK - 1) / NORM_CHUNK;
        if ((chunks + more) * (int64_t)sizeof *partial > CUDA_TEMP_BYTES)
            return FAIL(ST_DEVICE, "the norm of a gradient of %" PRId64 " elements wants too much",
                        plan->count);
        TRY_CUDA(gpu_finish_norm(partial + chunks, plan->fixed ? plan->fixed + begin : NULL,
                                 plan->fixed ? NULL : (const float *)plan->real + begin, count,
                                 finish->verdict, stream->stream));
        chunks += more;
    }
    TRY_CUDA(gpu_finish_clip(finish->verdict, partial, chunks, plan->clip, stream->stream));
    return ST_OK;
}

/* Of tensors that are updated as wholes what follows that is left. */
static FinishTerms terms_of(const FinishPlan *plan, const FinishTurn *turn,
                            const FinishRange *range, double alpha) {
    return (FinishTerms){.terms = update_terms(&turn->update, range->decay),
                         .kind = (int32_t)(range->whole ? OPTIMIZER_NONE : turn->update.kind),
                         .slots = range->whole ? 0 : turn->slots,
                         .idle = turn->idle || (range->whole && !plan->ema && !turn->goes_back),
                         .goes_back = turn->goes_back,
                         .alpha = (float)alpha};
}

static Status judge(Stream *stream, Finish *finish, const FinishTurn *turn, double alpha,
                    double *norm) {
    const FinishPlan *plan = &finish->plan;
    FinishTerms *terms = (FinishTerms *)(void *)(finish->terms + whole_bytes(plan));
    TRY(cuda_enter(finish->device));
    cuda_wholes_turn(&finish->wholes, turn, finish->range, (WholeTerms *)(void *)finish->terms);
    for (int r = 0; r < plan->n_ranges; r++)
        terms[r] = terms_of(plan, &turn[r], &finish->range[r], alpha);
    TRY(cuda_upload(stream, finish->device_terms, finish->terms, terms_bytes(plan)));
    TRY_CUDA(
        gpu_finish_judge(finish->verdict, plan->word, &plan->words, plan->unit, stream->stream));
    if (plan->clip <= 0)
        return ST_OK;
    TRY(make_norm(stream, finish, turn));
    return cuda_download(stream, norm, &finish->verdict->norm, sizeof *norm);
}

static Status update(Stream *stream, Finish *finish) {
    const FinishPlan *plan = &finish->plan;
    TRY(cuda_enter(finish->device));
    TRY(cuda_wholes_update(stream, &finish->wholes));
    TRY_CUDA(gpu_finish_update(&finish->arrays, stream->stream));
    if (plan->running > 0)
        TRY_CUDA(gpu_finish_running(plan->running_value, plan->running_sum, finish->momentum,
                                    plan->running, plan->running_unit, finish->verdict,
                                    stream->stream));
    return ST_OK;
}

const FinishOps cuda_finish = {
    .open = finish_open, .close = finish_close, .judge = judge, .update = update};
