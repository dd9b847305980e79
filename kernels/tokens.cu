/* tokens: maps to tokens, tokens in front, plus, or out. Each is a copy whose elements come from
 * elsewhere, in packs of channels that stay together: index maps count packs, c of them a position.
 */
#include "common.cuh"

/* No element: a zero comes instead. */
static const uint32_t NOTHING = 0xffffffffu;

/* y[i] = x[from(i)], or y[i] += x[from(i)]. */
template <int V, typename T, typename From>
static __global__ void __launch_bounds__(BLOCK)
    gather(T *y, const T *x, uint32_t packs, bool add, From from) {
    uint32_t i = thread_index();
    if (i >= packs)
        return;
    uint32_t source = from(i);
    Pack<T, V> px = {}, py;
    if (source != NOTHING)
        px = load<V>(x, source);
    if (add) {
        py = load<V>((const T *)y, i);
#pragma unroll
        for (int k = 0; k < V; k++)
            px.at[k] = from_float<T>(as_float(py.at[k]) + as_float(px.at[k]));
    }
    store<V>(y, i, px);
}

/* make(c) gives the index map for c packs a position; `count` elements are written. */
template <typename Make>
static cudaError_t launch(void *y, const void *x, DType type, int64_t channels, int64_t count,
                          int64_t largest, bool add, Make make, cudaStream_t stream) {
    if (count < 1)
        return cudaErrorInvalidValue;
    return by_pack(type, channels, largest, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        gather<V><<<blocks_for(count / V), BLOCK, 0, stream>>>(
            (T *)y, (const T *)x, (uint32_t)(count / V), add, make((uint32_t)(channels / V)));
    });
}

/* ---- shift ---- */

/* How far the map is moved in block k of the output: stays, right, left, down, up. */
static __device__ inline int down_of(int k) {
    return (k == 3) - (k == 4);
}
static __device__ inline int right_of(int k) {
    return (k == 1) - (k == 2);
}

struct Map {
    uint32_t h, w, c;
    /* Position `place` of all images' moved; NOTHING outside its map. */
    __device__ uint32_t beside(uint32_t place, int down, int right) const {
        int to_h = (int)(place / w % h) + down, to_w = (int)(place % w) + right;
        if (to_h < 0 || to_h >= (int)h || to_w < 0 || to_w >= (int)w)
            return NOTHING;
        return place / w / h * h * w + (uint32_t)to_h * w + (uint32_t)to_w;
    }
};

struct FromBeside {
    Map map;
    __device__ uint32_t operator()(uint32_t i) const {
        int k = (int)(i / map.c % 5);
        uint32_t place = map.beside(i / map.c / 5, -down_of(k), -right_of(k));
        return place == NOTHING ? NOTHING : place * map.c + i % map.c;
    }
};

/* Each position gets the gradients of the five places it went to. */
template <int V, typename T>
static __global__ void __launch_bounds__(BLOCK)
    shift_backward(T *grad_x, const T *grad_y, uint32_t packs, Map map, bool add) {
    uint32_t i = thread_index();
    if (i >= packs)
        return;
    float sum[V] = {};
    Pack<T, V> to;
    if (add) {
        to = load<V>((const T *)grad_x, i);
#pragma unroll
        for (int j = 0; j < V; j++)
            sum[j] = as_float(to.at[j]);
    }
    for (int k = 0; k < 5; k++) {
        uint32_t place = map.beside(i / map.c, down_of(k), right_of(k));
        if (place == NOTHING)
            continue;
        Pack<T, V> pg = load<V>(grad_y, (place * 5 + (uint32_t)k) * map.c + i % map.c);
#pragma unroll
        for (int j = 0; j < V; j++)
            sum[j] += as_float(pg.at[j]);
    }
#pragma unroll
    for (int j = 0; j < V; j++)
        to.at[j] = from_float<T>(sum[j]);
    store<V>(grad_x, i, to);
}

cudaError_t gpu_shift(void *y, const void *x, DType type, Shape in, cudaStream_t stream) {
    int64_t count = 5 * shape_count(in);
    return launch(
        y, x, type, in.c, count, count, false,
        [&](uint32_t c) {
            return FromBeside{{(uint32_t)in.h, (uint32_t)in.w, c}};
        },
        stream);
}

cudaError_t gpu_shift_backward(void *grad_x, const void *grad_y, DType type, Shape in, bool add,
                               cudaStream_t stream) {
    int64_t count = shape_count(in);
    return by_pack(type, in.c, 5 * count, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        shift_backward<V><<<blocks_for(count / V), BLOCK, 0, stream>>>(
            (T *)grad_x, (const T *)grad_y, (uint32_t)(count / V),
            Map{(uint32_t)in.h, (uint32_t)in.w, (uint32_t)(in.c / V)}, add);
    });
}

/* ---- patches ---- */

/* Patches across a map, positions across and down a patch, packs a position. */
struct Cut {
    uint32_t across, k, c;
};

/* From a token's pack to that of the map. The rows of patches of all images follow each other, so
 * images need not be told apart. */
struct FromMap {
    Cut cut;
    __device__ uint32_t operator()(uint32_t i) const {
        uint32_t c = i % cut.c, column = i / cut.c % cut.k, row = i / cut.c / cut.k % cut.k;
        uint32_t token = i / cut.c / cut.k / cut.k;
        uint32_t h = token / cut.across * cut.k + row, w = token % cut.across * cut.k + column;
        return (h * cut.across * cut.k + w) * cut.c + c;
    }
};

struct FromToken {
    Cut cut;
    __device__ uint32_t operator()(uint32_t i) const {
        uint32_t wide = cut.across * cut.k, c = i % cut.c, w = i / cut.c % wide;
        uint32_t h = i / cut.c / wide, token = h / cut.k * cut.across + w / cut.k;
        return ((token * cut.k + h % cut.k) * cut.k + w % cut.k) * cut.c + c;
    }
};

static Cut cut_of(Shape in, int64_t kernel, uint32_t c) {
    return {(uint32_t)(in.w / kernel), (uint32_t)kernel, c};
}

cudaError_t gpu_patches(void *y, const void *x, DType type, Shape in, int64_t kernel,
                        cudaStream_t stream) {
    int64_t count = shape_count(in);
    return launch(
        y, x, type, in.c, count, count, false,
        [&](uint32_t c) { return FromMap{cut_of(in, kernel, c)}; }, stream);
}

cudaError_t gpu_patches_backward(void *grad_x, const void *grad_y, DType type, Shape in,
                                 int64_t kernel, bool add, cudaStream_t stream) {
    int64_t count = shape_count(in);
    return launch(
        grad_x, grad_y, type, in.c, count, count, add,
        [&](uint32_t c) { return FromToken{cut_of(in, kernel, c)}; }, stream);
}

/* ---- one token in front, one token out ---- */

/* y has `more` tokens more than x, in front, which get a 0; or fewer, from the front. */
struct FromBehind {
    uint32_t tokens, c; /* of y */
    int more;
    __device__ uint32_t operator()(uint32_t i) const {
        int l = (int)(i / c % tokens) - more;
        return l < 0 ? NOTHING
                     : (i / c / tokens * (tokens - (uint32_t)more) + (uint32_t)l) * c + i % c;
    }
};

/* Of each image of y the first token: weight[channels]. */
template <typename T>
static __global__ void __launch_bounds__(BLOCK)
    put_first(T *y, const float *weight, uint32_t count, uint32_t channels, uint32_t image) {
    uint32_t i = thread_index();
    if (i < count)
        y[i / channels * image + i % channels] = from_float<T>(weight[i % channels]);
}

template <typename T>
static __global__ void __launch_bounds__(BLOCK)
    sum_first(float *sum, const T *y, uint32_t n, uint32_t channels, uint32_t image) {
    uint32_t c = thread_index();
    double total = 0;
    if (c >= channels)
        return;
    for (uint32_t i = 0; i < n; i++)
        total += as_float(y[i * image + c]);
    sum[c] = (float)total;
}

cudaError_t gpu_class_token(void *y, const void *x, const float *weight, DType type, int64_t n,
                            int64_t tokens, int64_t channels, cudaStream_t stream) {
    int64_t image = (tokens + 1) * channels;
    cudaError_t error = launch(
        y, x, type, channels, n * image, n * image, false,
        [&](uint32_t c) {
            return FromBehind{(uint32_t)tokens + 1, c, 1};
        },
        stream);
    if (error != cudaSuccess)
        return error;
    return by_type(type, [&](auto zero) {
        using T = decltype(zero);
        put_first<<<blocks_for(n * channels), BLOCK, 0, stream>>>(
            (T *)y, weight, (uint32_t)(n * channels), (uint32_t)channels, (uint32_t)image);
    });
}

cudaError_t gpu_class_token_backward(void *grad_x, float *grad_weight, const void *grad_y,
                                     DType type, int64_t n, int64_t tokens, int64_t channels,
                                     bool add, cudaStream_t stream) {
    int64_t image = (tokens + 1) * channels;
    if (n < 1 || tokens < 1 || channels < 1 || n * image > INT32_MAX)
        return cudaErrorInvalidValue;
    cudaError_t error = by_type(type, [&](auto zero) {
        using T = decltype(zero);
        sum_first<<<blocks_for(channels), BLOCK, 0, stream>>>(
            grad_weight, (const T *)grad_y, (uint32_t)n, (uint32_t)channels, (uint32_t)image);
    });
    if (error != cudaSuccess || !grad_x)
        return error;
    return launch(
        grad_x, grad_y, type, channels, n * tokens * channels, n * image, add,
        [&](uint32_t c) {
            return FromBehind{(uint32_t)tokens, c, -1};
        },
        stream);
}

/* Of images of `tokens` tokens the one at `index`, and back: zeros for the others. */
struct FromIndex {
    uint32_t tokens, index, c;
    __device__ uint32_t operator()(uint32_t i) const {
        return (i / c * tokens + index) * c + i % c;
    }
};
struct ToIndex {
    uint32_t tokens, index, c;
    __device__ uint32_t operator()(uint32_t i) const {
        return i / c % tokens == index ? i / c / tokens * c + i % c : NOTHING;
    }
};

cudaError_t gpu_token(void *y, const void *x, DType type, int64_t n, int64_t tokens,
                      int64_t channels, int64_t index, cudaStream_t stream) {
    return launch(
        y, x, type, channels, n * channels, n * tokens * channels, false,
        [&](uint32_t c) {
            return FromIndex{(uint32_t)tokens, (uint32_t)index, c};
        },
        stream);
}

cudaError_t gpu_token_backward(void *grad_x, const void *grad_y, DType type, int64_t n,
                               int64_t tokens, int64_t channels, int64_t index, bool add,
                               cudaStream_t stream) {
    int64_t count = n * tokens * channels;
    return launch(
        grad_x, grad_y, type, channels, count, count, add,
        [&](uint32_t c) {
            return ToIndex{(uint32_t)tokens, (uint32_t)index, c};
        },
        stream);
}

/* ---- positions ---- */

template <int V, typename T>
static __global__ void __launch_bounds__(BLOCK)
    positions(T *y, const T *x, const float *weight, uint32_t packs, uint32_t image) {
    uint32_t i = thread_index();
    if (i >= packs)
        return;
    Pack<T, V> px = load<V>(x, i);
    uint32_t at = i * V % image;
#pragma unroll
    for (int k = 0; k < V; k++)
        px.at[k] = from_float<T>(as_float(px.at[k]) + weight[at + k]);
    store<V>(y, i, px);
}

cudaError_t gpu_positions(void *y, const void *x, const float *weight, DType type, int64_t n,
                          int64_t image, cudaStream_t stream) {
    return by_pack(type, image, n * image, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        positions<V><<<blocks_for(n * image / V), BLOCK, 0, stream>>>(
            (T *)y, (const T *)x, weight, (uint32_t)(n * image / V), (uint32_t)image);
    });
}
