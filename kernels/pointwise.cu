/* pointwise: one result an element, from the same element of one or two arrays.
 *
 * Operations are small structs that a template inlines. A thread handles one pack of every array;
 * which arrays take part is the same for all threads, so the tests cost nothing. */
#include "common.cuh"

struct Add {
    bool relu;
    __device__ float operator()(float a, float b) const { return relu ? relu_of(a + b) : a + b; }
};

struct Mul {
    __device__ float operator()(float a, float b) const { return a * b; }
};

struct Relu {
    __device__ float operator()(float a, float) const { return relu_of(a); }
};

struct ReluBackward {
    __device__ float operator()(float grad, float y) const { return y <= 0 ? 0 : grad; }
};

struct Scale {
    float factor;
    __device__ float operator()(float a, float) const { return a * factor; }
};

static __device__ inline float sigmoid_of(float x) {
    return 1 / (1 + expf(-x));
}

/* Each activation as two operations: of x, and of grad and what its gradient follows from. */
struct Silu {
    __device__ float operator()(float x, float) const { return x / (1 + expf(-x)); }
};

struct SiluBackward {
    __device__ float operator()(float grad, float x) const {
        float s = sigmoid_of(x);
        return grad * (s * (1 + x * (1 - s)));
    }
};

struct Sigmoid {
    __device__ float operator()(float x, float) const { return sigmoid_of(x); }
};

struct SigmoidBackward {
    __device__ float operator()(float grad, float y) const { return grad * (y * (1 - y)); }
};

struct Tanh {
    __device__ float operator()(float x, float) const { return tanhf(x); }
};

struct TanhBackward {
    __device__ float operator()(float grad, float y) const { return grad * (1 - y * y); }
};

struct Relu6 {
    __device__ float operator()(float x, float) const { return x <= 0 ? 0 : x >= 6 ? 6 : x; }
};

struct Relu6Backward {
    __device__ float operator()(float grad, float y) const { return y <= 0 || y >= 6 ? 0 : grad; }
};

struct LeakyRelu {
    float slope;
    __device__ float operator()(float x, float) const { return x > 0 ? x : slope * x; }
};

struct LeakyReluBackward {
    float slope;
    __device__ float operator()(float grad, float y) const { return y > 0 ? grad : slope * grad; }
};

/* y = operation(a, b), or y += operation(a, b). b may be NULL; y may be a or b. */
template <int V, typename T, typename Operation>
static __global__ void __launch_bounds__(BLOCK)
    pointwise(T *y, const T *a, const T *b, uint32_t packs, bool add, Operation operation) {
    uint32_t i = thread_index();
    if (i >= packs)
        return;
    Pack<T, V> pa = load<V>(a, i), pb = pa, py = pa;
    if (b)
        pb = load<V>(b, i);
    if (add)
        py = load<V>((const T *)y, i);
#pragma unroll
    for (int k = 0; k < V; k++) {
        float value = operation(as_float(pa.at[k]), as_float(pb.at[k]));
        py.at[k] = from_float<T>(add ? as_float(py.at[k]) + value : value);
    }
    store<V>(y, i, py);
}

template <typename Operation>
static cudaError_t launch(void *y, const void *a, const void *b, DType type, int64_t count,
                          bool add, Operation operation, cudaStream_t stream) {
    return by_pack(type, count, count, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        pointwise<V><<<blocks_for(count / V), BLOCK, 0, stream>>>(
            (T *)y, (const T *)a, (const T *)b, (uint32_t)(count / V), add, operation);
    });
}

cudaError_t gpu_add(void *y, const void *a, const void *b, DType type, int64_t count, bool relu,
                    cudaStream_t stream) {
    return launch(y, a, b, type, count, false, Add{relu}, stream);
}

cudaError_t gpu_mul(void *y, const void *a, const void *b, DType type, int64_t count, bool add,
                    cudaStream_t stream) {
    return launch(y, a, b, type, count, add, Mul{}, stream);
}

cudaError_t gpu_relu(void *y, const void *x, DType type, int64_t count, cudaStream_t stream) {
    return launch(y, x, NULL, type, count, false, Relu{}, stream);
}

cudaError_t gpu_relu_backward(void *grad_x, const void *grad_y, const void *y, DType type,
                              int64_t count, bool add, cudaStream_t stream) {
    return launch(grad_x, grad_y, y, type, count, add, ReluBackward{}, stream);
}

cudaError_t gpu_activation(void *y, const void *x, Activation function, double slope, DType type,
                           int64_t count, cudaStream_t stream) {
    switch (function) {
    case ACTIVATION_SILU:
        return launch(y, x, NULL, type, count, false, Silu{}, stream);
    case ACTIVATION_SIGMOID:
        return launch(y, x, NULL, type, count, false, Sigmoid{}, stream);
    case ACTIVATION_TANH:
        return launch(y, x, NULL, type, count, false, Tanh{}, stream);
    case ACTIVATION_RELU6:
        return launch(y, x, NULL, type, count, false, Relu6{}, stream);
    case ACTIVATION_LEAKY_RELU:
        return launch(y, x, NULL, type, count, false, LeakyRelu{(float)slope}, stream);
    }
    return cudaErrorInvalidValue;
}

cudaError_t gpu_activation_backward(void *grad_x, const void *grad_y, const void *at,
                                    Activation function, double slope, DType type, int64_t count,
                                    bool add, cudaStream_t stream) {
    switch (function) {
    case ACTIVATION_SILU:
        return launch(grad_x, grad_y, at, type, count, add, SiluBackward{}, stream);
    case ACTIVATION_SIGMOID:
        return launch(grad_x, grad_y, at, type, count, add, SigmoidBackward{}, stream);
    case ACTIVATION_TANH:
        return launch(grad_x, grad_y, at, type, count, add, TanhBackward{}, stream);
    case ACTIVATION_RELU6:
        return launch(grad_x, grad_y, at, type, count, add, Relu6Backward{}, stream);
    case ACTIVATION_LEAKY_RELU:
        return launch(grad_x, grad_y, at, type, count, add, LeakyReluBackward{(float)slope},
                      stream);
    }
    return cudaErrorInvalidValue;
}

cudaError_t gpu_scale(void *y, const void *x, double factor, DType type, int64_t count, bool add,
                      cudaStream_t stream) {
    return launch(y, x, NULL, type, count, add, Scale{(float)factor}, stream);
}

template <int V, typename T>
static __global__ void __launch_bounds__(BLOCK)
    add_bias(T *y, const float *bias, uint32_t packs, uint32_t channels, bool relu) {
    uint32_t i = thread_index();
    if (i >= packs)
        return;
    Pack<T, V> py = load<V>((const T *)y, i);
    uint32_t channel = i * V % channels;
#pragma unroll
    for (int k = 0; k < V; k++) {
        float value = as_float(py.at[k]) + bias[channel + k];
        py.at[k] = from_float<T>(relu ? relu_of(value) : value);
    }
    store<V>(y, i, py);
}

cudaError_t gpu_bias(void *y, const float *bias, DType type, int64_t rows, int64_t channels,
                     bool relu, cudaStream_t stream) {
    return by_pack(type, channels, rows * channels, [&](auto zero, auto pack) {
        using T = decltype(zero);
        constexpr int V = decltype(pack)::elements;
        int64_t packs = rows * channels / V;
        add_bias<V><<<blocks_for(packs), BLOCK, 0, stream>>>((T *)y, bias, (uint32_t)packs,
                                                             (uint32_t)channels, relu);
    });
}
