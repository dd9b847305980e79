/* muon: the update of a matrix by Muon. X is m x n, m <= n: the direction, transposed where the
 * matrix is higher than wide. Each sum has one order, which follows from its length alone. */
#include "common.cuh"
#include "lockstep/update_math.h"

/* Where element i of a rows x cols matrix is in X. */
static __device__ inline int64_t place(int64_t i, int64_t rows, int64_t cols) {
    return rows <= cols ? i : i % cols * rows + i / cols;
}

static __global__ void __launch_bounds__(BLOCK)
    direct(UpdateTerms terms, UpdateRange range, double grad_scale, int64_t rows, int64_t cols,
           float *x) {
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i >= range.count)
        return;
    float *momentum = (float *)range.slot[0];
    float m = momentum ? momentum[i] : 0;
    float g = range.fixed ? update_gradient_fixed(range.fixed[i], grad_scale)
                          : update_gradient_real(((const float *)range.real)[i], grad_scale);
    x[place(i, rows, cols)] = update_muon_direction(&terms, g, &m);
    if (momentum)
        momentum[i] = m;
}

/* One block: thread t adds every BLOCK-th partial sum from t on, then halves are added to halves.
 */
static __global__ void __launch_bounds__(BLOCK)
    factor(const double *partial, int64_t chunks, double over, double eps, float *result) {
    __shared__ double sums[BLOCK];
    double sum = 0;
    for (int64_t c = threadIdx.x; c < chunks; c += BLOCK)
        sum += partial[c];
    sums[threadIdx.x] = sum;
    for (unsigned half = BLOCK / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    if (threadIdx.x == 0) {
        double length = sqrt(sums[0]) + eps;
        *result = length != 0 ? (float)(over / length) : 1.0f;
    }
}

static __global__ void __launch_bounds__(BLOCK)
    scale(float *x, int64_t count, const float *factor_) {
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i < count)
        x[i] *= *factor_;
}

/* A block computes TILE x TILE elements, a thread OWN x OWN of them: rows OWN ty on and columns
 * OWN tx on of the tile. Slices of DEPTH elements of the sums are staged in shared memory. */
enum { TILE = 64, DEPTH = 16, OWN = 4, SIDE = TILE / OWN };

static __global__ void __launch_bounds__(BLOCK) product(MuonProduct p) {
    __shared__ float a[DEPTH][TILE + 1], b[DEPTH][TILE + 1];
    int tx = threadIdx.x % SIDE, ty = threadIdx.x / SIDE;
    int64_t top = (int64_t)blockIdx.y * TILE, left = (int64_t)blockIdx.x * TILE;
    float sum[OWN][OWN] = {};
    for (int64_t first = 0; first < p.inner; first += DEPTH) {
        for (int e = threadIdx.x; e < TILE * DEPTH; e += BLOCK) {
            int k = e % DEPTH, i = e / DEPTH;
            bool inside = first + k < p.inner;
            a[k][i] = inside && top + i < p.m ? p.a[(top + i) * p.inner + first + k] : 0;
            if (p.transposed) {
                b[k][i] = inside && left + i < p.n ? p.b[(left + i) * p.inner + first + k] : 0;
            } else {
                int column = e % TILE, row = e / TILE;
                b[row][column] = first + row < p.inner && left + column < p.n
                                     ? p.b[(first + row) * p.n + left + column]
                                     : 0;
            }
        }
        __syncthreads();
        for (int k = 0; k < DEPTH; k++)
            for (int r = 0; r < OWN; r++)
                for (int c = 0; c < OWN; c++)
                    sum[r][c] += a[k][OWN * ty + r] * b[k][OWN * tx + c];
        __syncthreads();
    }
    for (int r = 0; r < OWN; r++)
        for (int c = 0; c < OWN; c++) {
            int64_t i = top + OWN * ty + r, j = left + OWN * tx + c;
            if (i < p.m && j < p.n)
                p.to[i * p.n + j] =
                    p.alpha * sum[r][c] + (p.beta != 0 ? p.beta * p.c[i * p.n + j] : 0);
        }
}

static __global__ void __launch_bounds__(BLOCK)
    step(UpdateTerms terms, UpdateRange range, int64_t rows, int64_t cols, const float *x,
         const float *factor_) {
    int64_t i = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    if (i < range.count)
        update_muon(&terms, factor_ ? *factor_ : 1, x[place(i, rows, cols)],
                    &((float *)range.weight)[i]);
}

cudaError_t gpu_muon_direct(const Update *update, const UpdateRange *range, int64_t rows,
                            int64_t cols, float *x, cudaStream_t stream) {
    if (range->count < 1 || rows * cols != range->count)
        return cudaErrorInvalidValue;
    direct<<<blocks_for(range->count), BLOCK, 0, stream>>>(
        update_terms(update, range->decay), *range, update->grad_scale, rows, cols, x);
    return cudaGetLastError();
}

cudaError_t gpu_muon_factor(const double *partial, int64_t chunks, double over, double eps,
                            float *result, cudaStream_t stream) {
    if (chunks < 1)
        return cudaErrorInvalidValue;
    factor<<<1, BLOCK, 0, stream>>>(partial, chunks, over, eps, result);
    return cudaGetLastError();
}

cudaError_t gpu_muon_scale(float *x, int64_t count, const float *factor_, cudaStream_t stream) {
    if (count < 1)
        return cudaErrorInvalidValue;
    scale<<<blocks_for(count), BLOCK, 0, stream>>>(x, count, factor_);
    return cudaGetLastError();
}

cudaError_t gpu_muon_product(const MuonProduct *p, cudaStream_t stream) {
    dim3 blocks((unsigned)((p->n + TILE - 1) / TILE), (unsigned)((p->m + TILE - 1) / TILE));
    static_assert(SIDE * SIDE == BLOCK, "a thread has OWN x OWN elements");
    if (p->m < 1 || p->n < 1 || p->inner < 1 || blocks.y > 65535)
        return cudaErrorInvalidValue;
    product<<<blocks, BLOCK, 0, stream>>>(*p);
    return cudaGetLastError();
}

cudaError_t gpu_muon_step(const Update *update, const UpdateRange *range, int64_t rows,
                          int64_t cols, const float *x, const float *factor_, cudaStream_t stream) {
    if (range->count < 1 || rows * cols != range->count)
        return cudaErrorInvalidValue;
    step<<<blocks_for(range->count), BLOCK, 0, stream>>>(update_terms(update, range->decay), *range,
                                                         rows, cols, x, factor_);
    return cudaGetLastError();
}
