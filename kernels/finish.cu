/* finish: the end of a step without a word of the host's: whether the sums are good, the gradient's
 * norm, and the update of all ranges in one launch. What the host would compute is computed here in
 * its order, so that both come to the same bits. */
#include "update.cuh"

static __global__ void __launch_bounds__(1)
    judge(FinishVerdict *verdict, const int64_t *word, FinishWords words, double unit) {
    bool good = word[words.bad[0]] == 0 && word[words.bad[1]] == 0;
    double per_weight = 1;
    if (words.weighted && good) {
        per_weight = (double)word[words.images] * words.weight_one /
                     ((double)word[words.weight] * words.loss_unit);
        double loss = (double)word[words.loss] * words.loss_unit * per_weight;
        good = fabs(loss) < words.loss_bound; /* false for NaN */
    }
    verdict->unit = verdict->grad_scale = unit * per_weight;
    verdict->norm = 0;
    verdict->good = good;
}

static __global__ void __launch_bounds__(BLOCK)
    norm(double *partial, const int64_t *fixed, const float *real, int64_t count,
         const FinishVerdict *verdict) {
    __shared__ double sums[BLOCK];
    norm_chunks(partial, fixed, real, count, verdict->unit, sums);
}

static __global__ void __launch_bounds__(1)
    clip_norm(FinishVerdict *verdict, const double *partial, int64_t chunks, double clip) {
    double squares = 0;
#pragma unroll 8
    for (int64_t c = 0; c < chunks; c++)
        squares += partial[c];
    double norm = sqrt(squares);
    verdict->norm = norm;
    if (norm > clip)
        verdict->grad_scale = verdict->unit * (clip / norm);
}

static __global__ void __launch_bounds__(BLOCK) update(FinishArrays a) {
    int64_t i = flat_index();
    if (i >= a.count || !a.verdict->good)
        return;
    const FinishTerms &turn = a.terms[a.range[i / FINISH_BLOCK]];
    if (turn.idle)
        return;
    double scale = a.verdict->grad_scale;
    float g =
        a.fixed ? update_gradient_fixed(a.fixed[i], scale) : update_gradient_real(a.real[i], scale);
    UpdateRange range = {.count = a.count, .weight = a.weight, .ema = a.ema};
    for (int s = 0; s < UPDATE_SLOTS; s++)
        range.slot[s] = turn.slots >> s & 1 ? a.slot[s] : nullptr;
    update_element(turn.terms, (OptimizerKind)turn.kind, g, range, i);
    if (turn.goes_back)
        update_lookahead(turn.alpha, &a.slow[i], &a.weight[i]);
}

static __global__ void __launch_bounds__(BLOCK)
    running(float *value, const int64_t *sum, const double *momentum, int64_t count, double unit,
            const FinishVerdict *verdict) {
    int64_t i = flat_index();
    if (i >= count || !verdict->good)
        return;
    double mean = (double)sum[i] * unit;
    value[i] = (float)((1 - momentum[i]) * (double)value[i] + momentum[i] * mean);
}

cudaError_t gpu_finish_judge(FinishVerdict *verdict, const int64_t *word, const FinishWords *words,
                             double unit, cudaStream_t stream) {
    judge<<<1, 1, 0, stream>>>(verdict, word, *words, unit);
    return cudaGetLastError();
}

cudaError_t gpu_finish_norm(double *partial, const int64_t *fixed, const float *real, int64_t count,
                            const FinishVerdict *verdict, cudaStream_t stream) {
    if (count < 1)
        return cudaErrorInvalidValue;
    norm<<<norm_blocks(count), BLOCK, 0, stream>>>(partial, fixed, real, count, verdict);
    return cudaGetLastError();
}

cudaError_t gpu_finish_clip(FinishVerdict *verdict, const double *partial, int64_t chunks,
                            double clip, cudaStream_t stream) {
    clip_norm<<<1, 1, 0, stream>>>(verdict, partial, chunks, clip);
    return cudaGetLastError();
}

cudaError_t gpu_finish_update(const FinishArrays *arrays, cudaStream_t stream) {
    if (arrays->count < 1)
        return cudaErrorInvalidValue;
    update<<<blocks_for(arrays->count), BLOCK, 0, stream>>>(*arrays);
    return cudaGetLastError();
}

cudaError_t gpu_finish_running(float *value, const int64_t *sum, const double *momentum,
                               int64_t count, double unit, const FinishVerdict *verdict,
                               cudaStream_t stream) {
    if (count < 1)
        return cudaErrorInvalidValue;
    running<<<blocks_for(count), BLOCK, 0, stream>>>(value, sum, momentum, count, unit, verdict);
    return cudaGetLastError();
}
