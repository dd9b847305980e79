/* muon: the update of matrices by Muon, all of them in each launch. X is m x n, m <= n: the
 * direction, transposed where the matrix is higher than wide. Each sum has one order, which follows
 * from its length alone. */
#include "wholes.cuh"

/* Where element i of a rows x cols matrix is in X. */
static __device__ inline int64_t place(int64_t i, int64_t rows, int64_t cols) {
    return rows <= cols ? i : i % cols * rows + i / cols;
}

static __global__ void __launch_bounds__(BLOCK) direct(Wholes w) {
    WholePart at = whole_part(w, SPLIT_ELEMENTS, blockIdx.x);
    int64_t i = whole_element(at);
    if (i < 0)
        return;
    float *momentum = whole_slot(w, at, 0, at.whole->offset + i);
    float m = momentum ? *momentum : 0;
    float g = whole_gradient(w, at.whole->offset + i);
    at.whole->x[0][place(i, at.whole->rows, at.whole->cols)] =
        update_muon_direction(&at.terms->terms, g, &m);
    if (momentum)
        *momentum = m;
}

/* Blocks of y 0 have X, those of y 1 the weights. */
static __global__ void __launch_bounds__(BLOCK) norms(Wholes w) {
    __shared__ double sums[BLOCK];
    WholePart at = whole_part(w, SPLIT_NORM, blockIdx.x);
    bool weights = blockIdx.y == 1;
    if (!at.moves || (weights && !at.whole->rescale))
        return;
    norm_chunks_of(at.part, at.whole->partial[blockIdx.y], nullptr,
                   weights ? w.weight + at.whole->offset : at.whole->x[0], whole_count(*at.whole),
                   1, sums);
}

/* A block a matrix, and y as above: X is divided by its length, weights get the length sqrt(rows).
 */
static __global__ void __launch_bounds__(BLOCK) factors(Wholes w, double eps) {
    __shared__ double sums[BLOCK];
    const Whole &whole = w.whole[blockIdx.x];
    bool weights = blockIdx.y == 1;
    if (!w.verdict->good || w.terms[blockIdx.x].idle || (weights && !whole.rescale))
        return;
    double squares = whole_sum(whole.partial[blockIdx.y], whole_chunks(whole), sums);
    if (threadIdx.x == 0) {
        double over = weights ? sqrt((double)whole.rows) : 1, length = sqrt(squares);
        length = weights ? length : length + eps;
        whole.factor[blockIdx.y] = length != 0 ? (float)(over / length) : 1.0f;
    }
}

static __global__ void __launch_bounds__(BLOCK) scale(Wholes w) {
    WholePart at = whole_part(w, SPLIT_ELEMENTS, blockIdx.x);
    int64_t i = whole_element(at);
    if (i >= 0)
        at.whole->x[0][i] *= at.whole->factor[0];
}

/* to[m][n] = alpha a[m][inner] b[inner][n] + beta c[m][n]; `transposed`: b is [n][inner]. beta 0:
 * no c. */
struct Product {
    float *to;
    const float *a, *b, *c;
    bool transposed;
    int64_t m, n, inner;
    float alpha, beta;
};

/* A block computes SIDE OWN x SIDE OWN elements, a thread OWN x OWN of them: rows OWN ty on and
 * columns OWN tx on of the tile. Slices of DEPTH elements of the sums are staged in shared memory.
 */
enum { DEPTH = 16, SIDE = 16 };
static_assert(SIDE * SIDE == BLOCK, "a thread has OWN x OWN elements");

/* Small tiles where there are few: a square's sums are as long as the matrix is wide. */
enum { OWN_SQUARE = 2, OWN_WIDE = 4 };

template <int OWN> static __device__ inline void product_tile(const Product &p, int64_t part) {
    constexpr int tile = SIDE * OWN;
    __shared__ float a[DEPTH][tile + 1], b[DEPTH][tile + 1];
    int tx = threadIdx.x % SIDE, ty = threadIdx.x / SIDE;
    int64_t across = (p.n + tile - 1) / tile;
    int64_t top = part / across * tile, left = part % across * tile;
    float sum[OWN][OWN] = {};
    for (int64_t first = 0; first < p.inner; first += DEPTH) {
        for (int e = threadIdx.x; e < tile * DEPTH; e += BLOCK) {
            int k = e % DEPTH, i = e / DEPTH;
            bool inside = first + k < p.inner;
            a[k][i] = inside && top + i < p.m ? p.a[(top + i) * p.inner + first + k] : 0;
            if (p.transposed) {
                b[k][i] = inside && left + i < p.n ? p.b[(left + i) * p.inner + first + k] : 0;
            } else {
                int column = e % tile, row = e / tile;
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

struct Sides {
    int64_t m, n;
};

static __device__ inline Sides sides(const Whole &whole) {
    return {min(whole.rows, whole.cols), max(whole.rows, whole.cols)};
}

/* A = X X^T of the iteration, then B = b A + c A A; A is its own transpose, to the bit. */
static __global__ void __launch_bounds__(BLOCK) square(Wholes w, int32_t iteration) {
    WholePart at = whole_part(w, SPLIT_SQUARE, blockIdx.x);
    const Whole &whole = *at.whole;
    Sides s = sides(whole);
    const float *x = whole.x[iteration % 2];
    if (at.moves && iteration < whole.steps)
        product_tile<OWN_SQUARE>({whole.a, x, x, nullptr, true, s.m, s.m, s.n, 1, 0}, at.part);
}

static __global__ void __launch_bounds__(BLOCK)
    mixed(Wholes w, int32_t iteration, float b, float c) {
    WholePart at = whole_part(w, SPLIT_SQUARE, blockIdx.x);
    const Whole &whole = *at.whole;
    Sides s = sides(whole);
    if (at.moves && iteration < whole.steps)
        product_tile<OWN_SQUARE>({whole.b, whole.a, whole.a, whole.a, true, s.m, s.m, s.m, c, b},
                                 at.part);
}

/* The next X = a X + B X. */
static __global__ void __launch_bounds__(BLOCK) next(Wholes w, int32_t iteration, float a) {
    WholePart at = whole_part(w, SPLIT_WIDE, blockIdx.x);
    const Whole &whole = *at.whole;
    Sides s = sides(whole);
    const float *x = whole.x[iteration % 2];
    if (at.moves && iteration < whole.steps)
        product_tile<OWN_WIDE>(
            {whole.x[(iteration + 1) % 2], whole.b, x, x, false, s.m, s.n, s.m, 1, a}, at.part);
}

static __global__ void __launch_bounds__(BLOCK) step(Wholes w) {
    WholePart at = whole_part(w, SPLIT_ELEMENTS, blockIdx.x);
    const Whole &whole = *at.whole;
    int64_t i = whole_element(at);
    if (i >= 0)
        update_muon(&at.terms->terms, whole.rescale ? whole.factor[1] : 1,
                    whole.x[whole.steps % 2][place(i, whole.rows, whole.cols)],
                    &w.weight[whole.offset + i]);
}

static int64_t tiles(int64_t size, int own) {
    int64_t tile = (int64_t)SIDE * own;
    return (size + tile - 1) / tile;
}

void gpu_whole_place(Whole *whole, int64_t blocks[SPLITS]) {
    int64_t count = whole->rows * whole->cols;
    int64_t m = min(whole->rows, whole->cols), n = max(whole->rows, whole->cols);
    bool muon = whole->kind == OPTIMIZER_MUON;
    const int64_t more[SPLITS] = {blocks_for(count), norm_blocks(count),
                                  muon ? tiles(m, OWN_SQUARE) * tiles(m, OWN_SQUARE) : 0,
                                  muon ? tiles(m, OWN_WIDE) * tiles(n, OWN_WIDE) : 0};
    for (int s = 0; s < SPLITS; s++) {
        whole->first[s] = blocks[s];
        blocks[s] += more[s];
    }
}

/* Whether each split has as many blocks as a launch may have. */
static bool can_launch(const Wholes *wholes) {
    for (int s = 0; s < SPLITS; s++)
        if (wholes->blocks[s] < 1 || wholes->blocks[s] > INT32_MAX)
            return false;
    return wholes->n > 0;
}

cudaError_t gpu_muon_direct(const Wholes *wholes, cudaStream_t stream) {
    if (!can_launch(wholes))
        return cudaErrorInvalidValue;
    direct<<<(unsigned)wholes->blocks[SPLIT_ELEMENTS], BLOCK, 0, stream>>>(*wholes);
    return cudaGetLastError();
}

cudaError_t gpu_muon_lengths(const Wholes *wholes, bool weights, double eps, cudaStream_t stream) {
    unsigned both = weights ? 2 : 1;
    if (!can_launch(wholes))
        return cudaErrorInvalidValue;
    norms<<<dim3((unsigned)wholes->blocks[SPLIT_NORM], both), BLOCK, 0, stream>>>(*wholes);
    factors<<<dim3((unsigned)wholes->n, both), BLOCK, 0, stream>>>(*wholes, eps);
    scale<<<(unsigned)wholes->blocks[SPLIT_ELEMENTS], BLOCK, 0, stream>>>(*wholes);
    return cudaGetLastError();
}

cudaError_t gpu_muon_iterate(const Wholes *wholes, int32_t iteration, float a, float b, float c,
                             cudaStream_t stream) {
    unsigned squares = (unsigned)wholes->blocks[SPLIT_SQUARE];
    if (!can_launch(wholes))
        return cudaErrorInvalidValue;
    square<<<squares, BLOCK, 0, stream>>>(*wholes, iteration);
    mixed<<<squares, BLOCK, 0, stream>>>(*wholes, iteration, b, c);
    next<<<(unsigned)wholes->blocks[SPLIT_WIDE], BLOCK, 0, stream>>>(*wholes, iteration, a);
    return cudaGetLastError();
}

cudaError_t gpu_muon_step(const Wholes *wholes, cudaStream_t stream) {
    if (!can_launch(wholes))
        return cudaErrorInvalidValue;
    step<<<(unsigned)wholes->blocks[SPLIT_ELEMENTS], BLOCK, 0, stream>>>(*wholes);
    return cudaGetLastError();
}
