/* wholes: what kernels of tensors that are updated as wholes share. One launch is for all of them:
 * a block finds by its index which tensor it works on, and which part of it. */
#ifndef LOCKSTEP_KERNELS_WHOLES_CUH
#define LOCKSTEP_KERNELS_WHOLES_CUH

#include "update.cuh"

/* What a block works on. */
struct WholePart {
    const Whole *whole;
    const WholeTerms *terms;
    int64_t part; /* of the tensor, from 0 */
    bool moves;   /* in this step: else nothing is to be done */
};

/* The last tensor that begins at or before `block`. */
static __device__ inline WholePart whole_part(const Wholes &wholes, WholeSplit split,
                                              int64_t block) {
    int low = 0, high = wholes.n;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (wholes.whole[middle].first[split] <= block)
            low = middle;
        else
            high = middle;
    }
    const Whole *whole = &wholes.whole[low];
    const WholeTerms *terms = &wholes.terms[low];
    return {whole, terms, block - whole->first[split], wholes.verdict->good && !terms->idle};
}

static __device__ inline int64_t whole_count(const Whole &whole) {
    return whole.rows * whole.cols;
}

/* The element of a tensor that a thread has in SPLIT_ELEMENTS; -1: none. */
static __device__ inline int64_t whole_element(const WholePart &at) {
    int64_t i = at.part * BLOCK + threadIdx.x;
    return at.moves && i < whole_count(*at.whole) ? i : -1;
}

/* Of element i of the arrays. */
static __device__ inline float whole_gradient(const Wholes &wholes, int64_t i) {
    double scale = wholes.verdict->grad_scale;
    return wholes.fixed ? update_gradient_fixed(wholes.fixed[i], scale)
                        : update_gradient_real(wholes.real[i], scale);
}

/* Where element i of the optimizer's slot is; NULL: it has none. */
static __device__ inline float *whole_slot(const Wholes &wholes, const WholePart &at, int slot,
                                           int64_t i) {
    return at.terms->slots >> slot & 1 ? &wholes.slot[slot][i] : nullptr;
}

/* The sum of partial[chunks] by one block, in an order that follows from their number alone: thread
 * t adds every BLOCK-th from t on, then halves are added to halves. sums[BLOCK] is shared memory.
 */
static __device__ inline double whole_sum(const double *partial, int64_t chunks, double *sums) {
    double sum = 0;
    for (int64_t c = threadIdx.x; c < chunks; c += BLOCK)
        sum += partial[c];
    __syncthreads(); /* an earlier sum has been read */
    sums[threadIdx.x] = sum;
    for (unsigned half = BLOCK / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    __syncthreads();
    return sums[0];
}

static __device__ inline int64_t whole_chunks(const Whole &whole) {
    return (whole_count(whole) + NORM_CHUNK - 1) / NORM_CHUNK;
}

#endif
