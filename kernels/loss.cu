/* loss: softmax cross-entropy with label smoothing, one thread an image: there are few classes, and
 * a batch's logits are some kilobytes. The gradient is sum(target) softmax - target, and the sum is
 * 1 unless classes have weights. */
#include "common.cuh"

struct Row {
    float top, log_sum; /* log softmax_c is (x_c - top) - log_sum */
    int32_t largest;    /* the lowest of equals */
};

template <typename T> static __device__ inline Row row_of(const T *x, int classes) {
    Row row = {as_float(x[0]), 0, 0};
    float sum = 0;
    for (int c = 1; c < classes; c++) {
        float value = as_float(x[c]);
        if (value > row.top) {
            row.top = value;
            row.largest = c;
        }
    }
    for (int c = 0; c < classes; c++)
        sum += expf(as_float(x[c]) - row.top);
    row.log_sum = logf(sum);
    return row;
}

/* Of the image's labels, both within the classes or not. */
struct Labels {
    int32_t first;
    SecondLabel second;
};

static __device__ inline Labels labels_of(const int32_t *labels, const SecondLabel *second,
                                          int image) {
    Labels of = {labels[image], {0, 0}};
    if (second != NULL)
        of.second = second[image];
    return of;
}

static __device__ inline float target(float smoothing, const float *weights, int classes,
                                      Labels labels, int c) {
    float share = (float)mix_target(labels.first, labels.second, c) / MIX_ONE;
    float plain = share * (1 - smoothing) + smoothing / (float)classes;
    return weights != NULL ? weights[c] * plain : plain;
}

template <typename T>
static __global__ void __launch_bounds__(BLOCK)
    softmax_ce(float *loss, int32_t *predicted, const T *logits, const int32_t *first,
               const SecondLabel *second, const float *weights, int n, int classes,
               float smoothing) {
    int image = (int)thread_index();
    if (image >= n)
        return;
    const T *x = logits + (size_t)image * classes;
    Labels labels = labels_of(first, second, image);
    Row row = row_of(x, classes);
    float sum = 0;
    for (int c = 0; c < classes; c++)
        sum -= target(smoothing, weights, classes, labels, c) *
               (as_float(x[c]) - row.top - row.log_sum);
    bool bad = labels.first < 0 || labels.first >= classes;
    loss[image] = bad ? __int_as_float(0x7fc00000) : sum; /* NaN */
    predicted[image] = row.largest;
}

template <typename T>
static __global__ void __launch_bounds__(BLOCK)
    softmax_ce_backward(T *grad, const T *logits, const int32_t *first, const SecondLabel *second,
                        const float *weights, int n, int classes, float smoothing,
                        const KernelRun *run, bool add) {
    int image = (int)thread_index();
    if (image >= n)
        return;
    const T *x = logits + (size_t)image * classes;
    T *out = grad + (size_t)image * classes;
    float scale = (float)run->loss_scale, whole = weights != NULL ? 0 : 1;
    Labels labels = labels_of(first, second, image);
    Row row = row_of(x, classes);
    for (int c = 0; weights != NULL && c < classes; c++)
        whole += target(smoothing, weights, classes, labels, c);
    for (int c = 0; c < classes; c++) {
        float p = expf(as_float(x[c]) - row.top - row.log_sum);
        float value = (p * whole - target(smoothing, weights, classes, labels, c)) * scale;
        out[c] = from_float<T>(add ? as_float(out[c]) + value : value);
    }
}

cudaError_t gpu_softmax_ce(float *loss, int32_t *predicted, const void *logits, DType type,
                           const int32_t *labels, const SecondLabel *second, const float *weights,
                           int64_t n, int64_t classes, double smoothing, cudaStream_t stream) {
    if (n < 1 || classes < 1 || n * classes > INT32_MAX)
        return cudaErrorInvalidValue;
    return by_type(type, [&](auto zero) {
        using T = decltype(zero);
        softmax_ce<<<blocks_for(n), BLOCK, 0, stream>>>(loss, predicted, (const T *)logits, labels,
                                                        second, weights, (int)n, (int)classes,
                                                        (float)smoothing);
    });
}

cudaError_t gpu_softmax_ce_backward(void *grad, const void *logits, DType type,
                                    const int32_t *labels, const SecondLabel *second,
                                    const float *weights, int64_t n, int64_t classes,
                                    double smoothing, const KernelRun *run, bool add,
                                    cudaStream_t stream) {
    if (n < 1 || classes < 1 || n * classes > INT32_MAX)
        return cudaErrorInvalidValue;
    return by_type(type, [&](auto zero) {
        using T = decltype(zero);
        softmax_ce_backward<<<blocks_for(n), BLOCK, 0, stream>>>(
            (T *)grad, (const T *)logits, labels, second, weights, (int)n, (int)classes,
            (float)smoothing, run, add);
    });
}
