/* attention_fused: attention of bf16 on tensor cores, without a matrix of scores in memory.
 *
 * A block has some tokens of one head of one image, 16 of them a warp: queries in forward and for
 * the queries' gradient, keys for the gradients of keys and values. It goes through all tokens of
 * the other kind in chunks of 64, which lie in shared memory by rows, as one side of the first
 * product wants them (pairs of values of a token), or by columns, as the second does (pairs of
 * tokens). A warp multiplies tiles of 16 x 16 scores by mma.sync m16n8k16, sums in float, and takes
 * their registers, rounded to bf16, as a factor of the second product.
 *
 * Forward keeps each row's maximum and sum as it goes (the result so far is scaled whenever the
 * maximum grows) and leaves log(sum exp(score)). Backward makes shares anew from that. Each result
 * is summed by one warp in the order of tokens: no atomics, so its bits follow from the shape.
 *
 * In a tile of 16 x 8 a lane has the rows lane / 4 and that + 8, columns 2 (lane % 4) and the next:
 * c[0], c[1] of the first row and c[2], c[3] of the second. */
#include "common.cuh"
#include "warp.cuh"

enum { TILE = 16, CHUNK = 64, WARPS_MAX = 8, APART = 8 /* against bank conflicts */ };

/* What all kernels here know. Rows of queries, keys and values are 3 heads size apart, those of
 * results heads size. */
struct Heads {
    uint32_t heads, tokens, size;
    const float *temperature;
    float fixed;
    bool masks;

    __device__ float factor() const { return temperature ? expf(temperature[0]) : fixed; }
    __device__ uint32_t row_in() const { return 3 * heads * size; }
    __device__ uint32_t row_out() const { return heads * size; }
    /* Where the head's queries (part 0), keys (1) or values (2) begin; and its results. */
    __device__ uint32_t in(uint32_t part) const {
        return (blockIdx.x / heads * tokens * 3 + part) * heads * size + blockIdx.x % heads * size;
    }
    __device__ uint32_t out() const {
        return blockIdx.x / heads * tokens * heads * size + blockIdx.x % heads * size;
    }
    __device__ uint32_t rows() const { return blockIdx.x * tokens; }
    /* Whether a query does not see a key. */
    __device__ bool hides(uint32_t query, uint32_t key) const {
        return query >= tokens || key >= tokens || (masks && query == key);
    }
};

template <int SIZE> using ByRows = bf16[CHUNK][SIZE + APART];
template <int SIZE> using ByColumns = bf16[SIZE][CHUNK + APART];

/* The tokens from `first` on, zeros behind the last one and behind `size` values. */
template <int SIZE>
static __device__ inline void stage(ByRows<SIZE> *rows, ByColumns<SIZE> *columns, const bf16 *from,
                                    uint32_t row, uint32_t first, const Heads &heads) {
    constexpr int V = 8, PACKS = SIZE / V;
#pragma unroll 1
    for (uint32_t i = threadIdx.x; i < CHUNK * PACKS; i += blockDim.x) {
        uint32_t token = i / PACKS, value = i % PACKS * V;
        Pack<bf16, V> pack = {};
        if (first + token < heads.tokens && value < heads.size)
            pack = *(const Pack<bf16, V> *)(from + (first + token) * row + value);
        if (rows)
            *(Pack<bf16, V> *)&(*rows)[token][value] = pack;
#pragma unroll
        for (int k = 0; columns && k < V; k++)
            (*columns)[value + k][token] = pack.at[k];
    }
}

static __device__ inline uint32_t lane_row() {
    return threadIdx.x % WARP / 4;
}
static __device__ inline uint32_t lane_column() {
    return threadIdx.x % 4 * 2;
}

static __device__ inline uint32_t pair_at(const bf16 *at) {
    return *(const uint32_t *)at;
}

static __device__ inline uint32_t pair_of(float low, float high) {
    __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return *(const uint32_t *)&pair;
}

/* c += a b: 16 x 16 by 16 x 8. */
static __device__ inline void multiply(float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                                       uint32_t b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* A warp's own 16 tokens, as left factors. */
template <int SIZE> struct Own {
    uint32_t a[SIZE / TILE][4];

    __device__ Own(const bf16 *from, uint32_t row, uint32_t first, const Heads &heads) {
#pragma unroll
        for (int k = 0; k < SIZE / TILE; k++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                uint32_t token = first + lane_row() + i % 2 * 8;
                uint32_t value = k * TILE + lane_column() + i / 2 * 8;
                bool is_there = token < heads.tokens && value < heads.size;
                a[k][i] = is_there ? pair_at(from + token * row + value) : 0;
            }
    }
};

/* c[0] and c[1]: products of own tokens with 16 of the chunk, from `begin` on. */
template <int SIZE>
static __device__ inline void compare(float (&c)[2][4], const Own<SIZE> &own,
                                      const ByRows<SIZE> &others, uint32_t begin) {
#pragma unroll
    for (int n = 0; n < 2; n++) {
        const bf16 *at = others[begin + n * 8 + lane_row()] + lane_column();
#pragma unroll
        for (int i = 0; i < 4; i++)
            c[n][i] = 0;
#pragma unroll
        for (int k = 0; k < SIZE / TILE; k++)
            multiply(c[n], own.a[k], pair_at(at + k * TILE), pair_at(at + k * TILE + 8));
    }
}

/* What 16 tokens get, [16][SIZE]. */
template <int SIZE> struct Sum {
    float c[SIZE / 8][4] = {};

    /* Adds what the weights of 16 tokens of the chunk bring. */
    __device__ void add(const float (&weight)[2][4], const ByColumns<SIZE> &others,
                        uint32_t begin) {
        const uint32_t a[4] = {
            pair_of(weight[0][0], weight[0][1]), pair_of(weight[0][2], weight[0][3]),
            pair_of(weight[1][0], weight[1][1]), pair_of(weight[1][2], weight[1][3])};
#pragma unroll
        for (int n = 0; n < SIZE / 8; n++) {
            const bf16 *at = others[n * 8 + lane_row()] + begin + lane_column();
            multiply(c[n], a, pair_at(at), pair_at(at + 8));
        }
    }

    /* The rows `half` of a lane times `by`. */
    __device__ void scale(int half, float by) {
#pragma unroll
        for (int n = 0; n < SIZE / 8; n++) {
            c[n][2 * half] *= by;
            c[n][2 * half + 1] *= by;
        }
    }

    __device__ void write(bf16 *to, uint32_t row, uint32_t first, const Heads &heads,
                          bool adds) const {
#pragma unroll
        for (int n = 0; n < SIZE / 8; n++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                uint32_t token = first + lane_row() + half * 8, value = n * 8 + lane_column();
                if (token >= heads.tokens || value >= heads.size)
                    continue;
                bf16 *at = to + token * row + value;
                float low = c[n][2 * half], high = c[n][2 * half + 1];
                if (adds) {
                    low += as_float(at[0]);
                    high += as_float(at[1]);
                }
                *(uint32_t *)at = pair_of(low, high);
            }
    }
};

/* Over the four lanes that have a row. */
static __device__ inline float row_sum(float x) {
    x += __shfl_xor_sync(~0u, x, 1);
    return x + __shfl_xor_sync(~0u, x, 2);
}
static __device__ inline float row_max(float x) {
    x = fmaxf(x, __shfl_xor_sync(~0u, x, 1));
    return fmaxf(x, __shfl_xor_sync(~0u, x, 2));
}

/* The first of this warp's tokens. */
static __device__ inline uint32_t own_first() {
    return (blockIdx.y * blockDim.x + threadIdx.x) / WARP * TILE;
}

/* ---- forward ---- */

/* Rows of softmax, so far. */
struct Softmax {
    float top[2], sum[2];
    __device__ Softmax() {
        top[0] = top[1] = __int_as_float((int)0xff800000u); /* minus infinity */
        sum[0] = sum[1] = 0;
    }
};

/* Scores become their exponentials; what was summed before is brought to the new maximum. */
template <int SIZE>
static __device__ inline void extend(Softmax &rows, Sum<SIZE> &result, float (&score)[2][4]) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float *a = &score[0][2 * half], *b = &score[1][2 * half];
        float top = row_max(fmaxf(fmaxf(a[0], a[1]), fmaxf(b[0], b[1])));
        top = fmaxf(rows.top[half], top);
        float keep = expf(rows.top[half] - top);
        rows.top[half] = top;
        for (int i = 0; i < 2; i++) {
            a[i] = expf(a[i] - top);
            b[i] = expf(b[i] - top);
        }
        rows.sum[half] = rows.sum[half] * keep + ((a[0] + a[1]) + (b[0] + b[1]));
        result.scale(half, keep);
    }
}

template <int SIZE>
static __global__ void __launch_bounds__(WARPS_MAX *WARP, 1)
    attend(bf16 *out, float *stat, const bf16 *in, Heads heads) {
    __shared__ ByRows<SIZE> keys;
    __shared__ ByColumns<SIZE> values;
    uint32_t own = own_first();
    float factor = heads.factor();
    Own<SIZE> queries(in + heads.in(0), heads.row_in(), own, heads);
    Sum<SIZE> result;
    Softmax rows;
    for (uint32_t first = 0; first < heads.tokens; first += CHUNK) {
        __syncthreads();
        stage<SIZE>(&keys, nullptr, in + heads.in(1), heads.row_in(), first, heads);
        stage<SIZE>(nullptr, &values, in + heads.in(2), heads.row_in(), first, heads);
        __syncthreads();
        if (own >= heads.tokens)
            continue;
#pragma unroll 1
        for (uint32_t j = 0; j < CHUNK && first + j < heads.tokens; j += TILE) {
            float score[2][4];
            compare(score, queries, keys, j);
#pragma unroll
            for (int i = 0; i < 8; i++) {
                uint32_t key = first + j + i / 4 * 8 + lane_column() + i % 2;
                uint32_t query = min(own + lane_row() + i / 2 % 2 * 8, heads.tokens - 1);
                float &at = score[i / 4][i % 4];
                at = heads.hides(query, key) ? __int_as_float((int)0xff800000u) : at * factor;
            }
            extend(rows, result, score);
            result.add(score, values, j);
        }
    }
    if (own >= heads.tokens)
        return;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float sum = row_sum(rows.sum[half]);
        uint32_t token = own + lane_row() + half * 8;
        result.scale(half, 1 / sum);
        if (stat && token < heads.tokens && lane_column() == 0)
            stat[heads.rows() + token] = rows.top[half] + logf(sum);
    }
    result.write(out + heads.out(), heads.row_out(), own, heads, false);
}

/* ---- backward ---- */

/* score: a tile's products of queries and keys; slope: the gradient of shares. They become shares
 * and the gradient of those products. */
static __device__ inline void differentiate(float &score, float &slope, bool hidden, float factor,
                                            float stat, float mean) {
    float share = hidden ? 0 : expf(score * factor - stat);
    slope = share * (slope - mean) * factor;
    score = share;
}

/* Sum of the products of two rows, for the rows `half` of a lane. */
template <int SIZE>
static __device__ inline float dot(const Own<SIZE> &x, const Own<SIZE> &y, int half) {
    float sum = 0;
#pragma unroll
    for (int k = 0; k < SIZE / TILE; k++)
#pragma unroll
        for (int i = half; i < 4; i += 2) {
            float2 a = __bfloat1622float2(*(const __nv_bfloat162 *)&x.a[k][i]);
            float2 b = __bfloat1622float2(*(const __nv_bfloat162 *)&y.a[k][i]);
            sum += a.x * b.x;
            sum += a.y * b.y;
        }
    return row_sum(sum);
}

/* Also mean[row]: the sum over keys of share and its gradient, which is that over values of result
 * and its gradient. */
template <int SIZE>
static __global__ void __launch_bounds__(WARPS_MAX *WARP, 1)
    attend_queries(bf16 *grad_query, uint32_t grad_row, float *mean, const bf16 *grad_out,
                   const bf16 *out, const bf16 *in, const float *stat, Heads heads, bool adds) {
    __shared__ ByRows<SIZE> keys, values;
    __shared__ ByColumns<SIZE> turned;
    uint32_t own = own_first();
    float factor = heads.factor(), row_stat[2], row_mean[2];
    Own<SIZE> queries(in + heads.in(0), heads.row_in(), own, heads);
    Own<SIZE> slopes(grad_out + heads.out(), heads.row_out(), own, heads);
    {
        Own<SIZE> results(out + heads.out(), heads.row_out(), own, heads);
#pragma unroll
        for (int half = 0; half < 2; half++) {
            uint32_t token = own + lane_row() + half * 8;
            row_mean[half] = dot(slopes, results, half);
            row_stat[half] = token < heads.tokens ? stat[heads.rows() + token] : 0;
            if (token < heads.tokens && lane_column() == 0)
                mean[heads.rows() + token] = row_mean[half];
        }
    }
    Sum<SIZE> result;
    for (uint32_t first = 0; first < heads.tokens; first += CHUNK) {
        __syncthreads();
        stage<SIZE>(&keys, &turned, in + heads.in(1), heads.row_in(), first, heads);
        stage<SIZE>(&values, nullptr, in + heads.in(2), heads.row_in(), first, heads);
        __syncthreads();
        if (own >= heads.tokens)
            continue;
#pragma unroll 1
        for (uint32_t j = 0; j < CHUNK && first + j < heads.tokens; j += TILE) {
            float score[2][4], slope[2][4];
            compare(score, queries, keys, j);
            compare(slope, slopes, values, j);
#pragma unroll
            for (int i = 0; i < 8; i++) {
                uint32_t key = first + j + i / 4 * 8 + lane_column() + i % 2;
                int half = i / 2 % 2;
                bool hidden = heads.hides(own + lane_row() + half * 8, key);
                differentiate(score[i / 4][i % 4], slope[i / 4][i % 4], hidden, factor,
                              row_stat[half], row_mean[half]);
            }
            result.add(slope, turned, j);
        }
    }
    uint32_t head =
        blockIdx.x / heads.heads * heads.tokens * grad_row + blockIdx.x % heads.heads * heads.size;
    if (own < heads.tokens)
        result.write(grad_query + head, grad_row, own, heads, adds);
}

template <int SIZE>
static __global__ void __launch_bounds__(WARPS_MAX *WARP, 1)
    attend_keys(bf16 *grad_in, const float *mean, const bf16 *grad_out, const bf16 *in,
                const float *stat, Heads heads, bool adds) {
    __shared__ ByRows<SIZE> queries, slopes;
    __shared__ ByColumns<SIZE> queries_turned, slopes_turned;
    __shared__ float row_stat[CHUNK], row_mean[CHUNK];
    uint32_t own = own_first();
    float factor = heads.factor();
    Own<SIZE> keys(in + heads.in(1), heads.row_in(), own, heads);
    Own<SIZE> values(in + heads.in(2), heads.row_in(), own, heads);
    Sum<SIZE> grad_key, grad_value;
    for (uint32_t first = 0; first < heads.tokens; first += CHUNK) {
        __syncthreads();
        stage<SIZE>(&queries, &queries_turned, in + heads.in(0), heads.row_in(), first, heads);
        stage<SIZE>(&slopes, &slopes_turned, grad_out + heads.out(), heads.row_out(), first, heads);
        for (uint32_t i = threadIdx.x; i < CHUNK; i += blockDim.x) {
            bool is_there = first + i < heads.tokens;
            row_stat[i] = is_there ? stat[heads.rows() + first + i] : 0;
            row_mean[i] = is_there ? mean[heads.rows() + first + i] : 0;
        }
        __syncthreads();
        if (own >= heads.tokens)
            continue;
#pragma unroll 1
        for (uint32_t j = 0; j < CHUNK && first + j < heads.tokens; j += TILE) {
            float score[2][4], slope[2][4];
            compare(score, keys, queries, j);
            compare(slope, values, slopes, j);
#pragma unroll
            for (int i = 0; i < 8; i++) {
                uint32_t at = j + i / 4 * 8 + lane_column() + i % 2;
                bool hidden = heads.hides(first + at, own + lane_row() + i / 2 % 2 * 8);
                differentiate(score[i / 4][i % 4], slope[i / 4][i % 4], hidden, factor,
                              row_stat[at], row_mean[at]);
            }
            grad_value.add(score, slopes_turned, j);
            grad_key.add(slope, queries_turned, j);
        }
    }
    if (own >= heads.tokens)
        return;
    grad_key.write(grad_in + heads.in(1), heads.row_in(), own, heads, adds);
    grad_value.write(grad_in + heads.in(2), heads.row_in(), own, heads, adds);
}

/* ---- launchers ---- */

bool gpu_attention_fits(const GpuHeads *heads, DType type) {
    bool sees = heads->tokens > 1 || !heads->mask_diagonal;
    return type == DT_BF16 && heads->size % 8 == 0 && heads->size <= 64 && sees &&
           heads->images * heads->heads <= INT32_MAX &&
           heads->images * heads->tokens * heads->heads * heads->size * 3 <= INT32_MAX;
}

static Heads heads_of(const GpuHeads *of) {
    return {(uint32_t)of->heads, (uint32_t)of->tokens, (uint32_t)of->size,
            of->temperature,     (float)of->scale,     of->mask_diagonal};
}

/* As many warps a block as share the tiles evenly. Calls launch(size, grid, threads). */
template <typename Launch> static cudaError_t by_heads(const GpuHeads *heads, Launch launch) {
    if (!gpu_attention_fits(heads, DT_BF16))
        return cudaErrorInvalidValue;
    unsigned tiles = (unsigned)((heads->tokens + TILE - 1) / TILE);
    unsigned blocks = (tiles + WARPS_MAX - 1) / WARPS_MAX;
    dim3 grid((unsigned)(heads->images * heads->heads), blocks);
    unsigned threads = (tiles + blocks - 1) / blocks * WARP;
    if (heads->size <= 16)
        launch(PackOf<16>(), grid, threads);
    else
        launch(PackOf<64>(), grid, threads);
    return cudaGetLastError();
}

cudaError_t gpu_attention(void *out, float *stat, const void *in, const GpuHeads *heads,
                          cudaStream_t stream) {
    return by_heads(heads, [&](auto size, dim3 grid, unsigned threads) {
        attend<decltype(size)::elements>
            <<<grid, threads, 0, stream>>>((bf16 *)out, stat, (const bf16 *)in, heads_of(heads));
    });
}

cudaError_t gpu_attention_queries(void *grad_query, int64_t grad_row, float *mean,
                                  const void *grad_out, const void *out, const void *in,
                                  const float *stat, const GpuHeads *heads, bool add,
                                  cudaStream_t stream) {
    return by_heads(heads, [&](auto size, dim3 grid, unsigned threads) {
        attend_queries<decltype(size)::elements><<<grid, threads, 0, stream>>>(
            (bf16 *)grad_query, (uint32_t)grad_row, mean, (const bf16 *)grad_out, (const bf16 *)out,
            (const bf16 *)in, stat, heads_of(heads), add);
    });
}

cudaError_t gpu_attention_keys(void *grad_in, const float *mean, const void *grad_out,
                               const void *in, const float *stat, const GpuHeads *heads, bool add,
                               cudaStream_t stream) {
    return by_heads(heads, [&](auto size, dim3 grid, unsigned threads) {
        attend_keys<decltype(size)::elements>
            <<<grid, threads, 0, stream>>>((bf16 *)grad_in, mean, (const bf16 *)grad_out,
                                           (const bf16 *)in, stat, heads_of(heads), add);
    });
}
