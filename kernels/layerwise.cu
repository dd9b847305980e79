/* layerwise: LARS and LAMB, all tensors in each launch. A tensor's norms are sums of gpu_norm's
 * chunks, added in an order that follows from their number alone; lr times the trust ratio stays in
 * device memory. */
#include "wholes.cuh"

static __global__ void __launch_bounds__(BLOCK) direction(Wholes w) {
    WholePart at = whole_part(w, SPLIT_ELEMENTS, blockIdx.x);
    int64_t i = whole_element(at), there = at.whole->offset + i;
    if (i < 0 || at.whole->kind != OPTIMIZER_LAMB)
        return;
    at.whole->x[0][i] =
        update_lamb_direction(&at.terms->terms, whole_gradient(w, there), w.weight[there],
                              &w.slot[0][there], &w.slot[1][there]);
}

/* Blocks of y 0 have the weights, those of y 1 LARS's gradient, or LAMB's direction. */
static __global__ void __launch_bounds__(BLOCK) norms(Wholes w) {
    __shared__ double sums[BLOCK];
    WholePart at = whole_part(w, SPLIT_NORM, blockIdx.x);
    const Whole &whole = *at.whole;
    const int64_t *fixed = nullptr;
    const float *real = w.weight + whole.offset;
    double scale = 1;
    if (!at.moves)
        return;
    if (blockIdx.y == 1 && whole.kind == OPTIMIZER_LAMB) {
        real = whole.x[0];
    } else if (blockIdx.y == 1) {
        fixed = w.fixed ? w.fixed + whole.offset : nullptr;
        real = w.fixed ? nullptr : w.real + whole.offset;
        scale = w.verdict->grad_scale;
    }
    norm_chunks_of(at.part, whole.partial[blockIdx.y], fixed, real, whole_count(whole), scale,
                   sums);
}

/* A block a tensor. */
static __global__ void __launch_bounds__(BLOCK) rates(Wholes w) {
    __shared__ double sums[BLOCK];
    const Whole &whole = w.whole[blockIdx.x];
    const WholeTerms &terms = w.terms[blockIdx.x];
    if (!w.verdict->good || terms.idle)
        return;
    double weight = whole_sum(whole.partial[0], whole_chunks(whole), sums);
    double other = whole_sum(whole.partial[1], whole_chunks(whole), sums);
    if (threadIdx.x == 0)
        whole.factor[0] = (float)update_trusted_rate(&terms.update, whole.decay, weight, other);
}

static __global__ void __launch_bounds__(BLOCK) step(Wholes w) {
    WholePart at = whole_part(w, SPLIT_ELEMENTS, blockIdx.x);
    int64_t i = whole_element(at), there = at.whole->offset + i;
    if (i < 0)
        return;
    UpdateTerms terms = at.terms->terms;
    terms.lr = at.whole->factor[0];
    if (at.whole->kind == OPTIMIZER_LAMB) {
        update_lamb(&terms, at.whole->x[0][i], &w.weight[there]);
        return;
    }
    float *momentum = whole_slot(w, at, 0, there);
    float m = momentum ? *momentum : 0;
    update_lars(&terms, whole_gradient(w, there), &w.weight[there], &m);
    if (momentum)
        *momentum = m;
}

cudaError_t gpu_layerwise(const Wholes *wholes, bool lamb, cudaStream_t stream) {
    int64_t elements = wholes->blocks[SPLIT_ELEMENTS], chunks = wholes->blocks[SPLIT_NORM];
    if (wholes->n < 1 || elements < 1 || elements > INT32_MAX || chunks < 1)
        return cudaErrorInvalidValue;
    if (lamb)
        direction<<<(unsigned)elements, BLOCK, 0, stream>>>(*wholes);
    norms<<<dim3((unsigned)chunks, 2), BLOCK, 0, stream>>>(*wholes);
    rates<<<(unsigned)wholes->n, BLOCK, 0, stream>>>(*wholes);
    step<<<(unsigned)elements, BLOCK, 0, stream>>>(*wholes);
    return cudaGetLastError();
}
