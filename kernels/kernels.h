/* kernels: what the CUDA backend computes itself, where cuDNN has no operation or a launch of its
 * own would cost a pass over memory.
 *
 * Each launcher enqueues on the stream it gets last, allocates nothing, and returns the launch's
 * error. Pointers are device memory, but for those that say host. Results have the same bits at
 * every launch and on every GPU of one architecture: no floating-point atomics, and reductions cut
 * by shape alone.
 *
 * Activations and their gradients are NHWC: element ((n H + h) W + w) C + c; `type` is DT_F32 or
 * DT_BF16, and arithmetic is in float, rounded once. `rows` is N H W. Parameters, statistics,
 * losses and the flat buffers are float. `add`: the result is added to what is there, in float.
 *
 * What a launcher needs to know about the lane it works for comes from device memory (KernelRun),
 * so that a captured graph can be replayed for another lane or step.
 *
 * "Bytes" notes count what one launch must move to and from device memory: at the bandwidth of the
 * card they give the time of all kernels here but for Muon's products, which alone are bound by
 * arithmetic. e is the size of an activation's element, 4 or 2. */
#ifndef LOCKSTEP_KERNELS_H
#define LOCKSTEP_KERNELS_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stdint.h>

#include "lockstep/digest.h"
#include "lockstep/finish.h"
#include "lockstep/image_rule.h"
#include "lockstep/shifts.h"
#include "lockstep/terms.h"
#include "lockstep/tensor.h"
#include "lockstep/update.h"
#include "lockstep/update_math.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The part of LaneRun that kernels read, in device memory. */
typedef struct KernelRun {
    uint64_t seed;
    int64_t step;
    double loss_scale;
    int32_t lane;
    int32_t unused; /* 0: no padding without a value */
} KernelRun;

/* ---- images (images.cu) ---- */

/* images[n][h][w][channels] from uint8 records[][c][h][w], sizes in `shape`: image i is record
 * drawn.placement[i].place, made into an image as image_rule.h says; channels from c on are 0.
 * Unless partner.placement is NULL it is mixed, where drawn.placement[i].mix says so, with the
 * image of partner. With changes of bytes c is 1 or 3. Bytes: n h w (c + channels e). */
cudaError_t gpu_load_images(void *images, DType type, Shape shape, int64_t channels,
                            const uint8_t *records, ImageDraws drawn, ImageDraws partner,
                            ImageRule rule, cudaStream_t stream);

/* ---- layouts and types (layout.cu) ---- */

/* [n][c][h w] to [n][h w][to_channels], channels from c on set to 0. Images, and weights O,I,KH,KW
 * to O,KH,KW,I. Types: float or bf16 each. Bytes: n hw (c from + to_channels to). */
cudaError_t gpu_to_nhwc(void *to, DType to_type, int64_t to_channels, const void *from,
                        DType from_type, int64_t n, int64_t c, int64_t hw, cudaStream_t stream);

/* [n][h w][from_channels] to [n][c][h w], c <= from_channels: the way back, and gradients of
 * weights. Bytes: n hw c (from + to). */
cudaError_t gpu_to_nchw(void *to, DType to_type, const void *from, DType from_type,
                        int64_t from_channels, int64_t n, int64_t c, int64_t hw,
                        cudaStream_t stream);

/* to[count] = value. Bytes: 4 count. */
cudaError_t gpu_fill(float *to, float value, int64_t count, cudaStream_t stream);

/* Float to bf16 or back, or a copy. Bytes: count (from + to). */
cudaError_t gpu_cast(void *to, DType to_type, const void *from, DType from_type, int64_t count,
                     cudaStream_t stream);

/* ---- element by element (pointwise.cu) ---- */

/* y = a + b, and max(0, .) of it with relu. y may be a or b. Bytes: 3 e count. */
cudaError_t gpu_add(void *y, const void *a, const void *b, DType type, int64_t count, bool relu,
                    cudaStream_t stream);

/* y = a b. Bytes: (3 + add) e count. */
cudaError_t gpu_mul(void *y, const void *a, const void *b, DType type, int64_t count, bool add,
                    cudaStream_t stream);

/* y = max(0, x). y may be x. Bytes: 2 e count. */
cudaError_t gpu_relu(void *y, const void *x, DType type, int64_t count, cudaStream_t stream);

/* grad_x = y <= 0 ? 0 : grad_y. grad_x may be grad_y. Bytes: (3 + add) e count. */
cudaError_t gpu_relu_backward(void *grad_x, const void *grad_y, const void *y, DType type,
                              int64_t count, bool add, cudaStream_t stream);

/* Functions that kernels compute. The gradient of SILU is one of x, that of the others of y. */
typedef enum Activation {
    ACTIVATION_SILU,
    ACTIVATION_SIGMOID,
    ACTIVATION_TANH,
    ACTIVATION_RELU6,
    ACTIVATION_LEAKY_RELU /* `slope` is its factor of negative x, at least 0 */
} Activation;

/* y = f(x). NaN stays NaN. Bytes: 2 e count. */
cudaError_t gpu_activation(void *y, const void *x, Activation function, double slope, DType type,
                           int64_t count, cudaStream_t stream);

/* grad_x = grad_y f', which follows from x or y at `at`. Bytes: (3 + add) e count. */
cudaError_t gpu_activation_backward(void *grad_x, const void *grad_y, const void *at,
                                    Activation function, double slope, DType type, int64_t count,
                                    bool add, cudaStream_t stream);

/* y = factor x; with factor 1 and add the sum of two gradients. Bytes: (2 + add) e count. */
cudaError_t gpu_scale(void *y, const void *x, double factor, DType type, int64_t count, bool add,
                      cudaStream_t stream);

/* y[r][c] = y[r][c] + bias[c], and max(0, .) of it with relu. Bytes: 2 e rows channels. */
cudaError_t gpu_bias(void *y, const float *bias, DType type, int64_t rows, int64_t channels,
                     bool relu, cudaStream_t stream);

/* ---- dropout (dropout.cu) ---- */

/* keep[count]: the mask of dropout.h, 1 kept, 0 dropped, in logical N, C, H, W order. Bytes: count.
 */
cudaError_t gpu_dropout_mask(uint8_t *keep, int64_t count, const KernelRun *run, int layer,
                             double rate, cudaStream_t stream);

/* y = x dropout_scale(rate) where kept, else 0: forward of x, backward of grad_y. Activations are
 * [n][hw][channels]. Bytes: n hw channels ((2 + add) e + 1). */
cudaError_t gpu_dropout_apply(void *y, const void *x, const uint8_t *keep, DType type, int64_t n,
                              int64_t hw, int64_t channels, double rate, bool add,
                              cudaStream_t stream);

/* keep[images]: which images a droppath layer keeps. Bytes: images. */
cudaError_t gpu_droppath_mask(uint8_t *keep, int64_t images, const KernelRun *run, int layer,
                              double rate, cudaStream_t stream);

/* y = x dropout_scale(rate) of images that are kept, else 0; each has `image` elements. Bytes:
 * images image (2 + add) e. */
cudaError_t gpu_droppath_apply(void *y, const void *x, const uint8_t *keep, DType type,
                               int64_t images, int64_t image, double rate, bool add,
                               cudaStream_t stream);

/* ---- channels (channels.cu) ---- */

/* to[r][to_first + i] = from[r][from_first + i] for i in [0, width), 0 where `from` has no such
 * channel; from_first may be negative. Bytes: rows width (2 + add) e. */
cudaError_t gpu_move_channels(void *to, int64_t to_channels, int64_t to_first, int64_t width,
                              const void *from, int64_t from_channels, int64_t from_first,
                              DType type, int64_t rows, bool add, cudaStream_t stream);

/* y[r][i groups + g] = x[r][g channels / groups + i]. Bytes: rows channels (2 + add) e. */
cudaError_t gpu_shuffle_channels(void *y, const void *x, DType type, int64_t rows, int64_t channels,
                                 int64_t groups, bool add, cudaStream_t stream);

/* y = x gate, gate[n][channels] a factor for all pixels. Bytes: n hw channels (2 + add) e. */
cudaError_t gpu_gate(void *y, const void *x, const void *gate, DType type, int64_t n, int64_t hw,
                     int64_t channels, bool add, cudaStream_t stream);

/* grad_gate[n][c] = sum over the map of grad_y x, in fixed order. Bytes: 2 n hw channels e. */
cudaError_t gpu_gate_backward(void *grad_gate, const void *grad_y, const void *x, DType type,
                              int64_t n, int64_t hw, int64_t channels, bool add,
                              cudaStream_t stream);

/* ---- group norm (groupnorm.cu) ---- */

/* mean and rstd [n][groups] = 1 / sqrt(var + eps) of each group of each image, for backward, and
 * y = weight (x - mean) rstd + bias. Bytes: n hw channels 4 e. */
cudaError_t gpu_groupnorm(void *y, float *mean, float *rstd, const void *x, const float *weight,
                          const float *bias, DType type, int64_t n, int64_t hw, int64_t channels,
                          int64_t groups, double eps, cudaStream_t stream);

/* Bytes of scratch of backward. */
size_t gpu_groupnorm_scratch(int64_t n, int64_t channels, int64_t groups);

/* grad_weight, grad_bias and, unless NULL, grad_x. Bytes: n hw channels e (5 + add). */
cudaError_t gpu_groupnorm_backward(void *grad_x, float *grad_weight, float *grad_bias,
                                   const void *grad_y, const void *x, const float *weight,
                                   const float *mean, const float *rstd, DType type, int64_t n,
                                   int64_t hw, int64_t channels, int64_t groups, bool add,
                                   void *scratch, cudaStream_t stream);

/* ---- loss (loss.cu) ---- */

/* Of each row of logits[n][classes]: loss -sum target log softmax and the class of the largest
 * logit, the lowest of equals. `second`: of mixed images, or NULL. A label outside [0, classes)
 * gives a loss of NaN, which every caller counts as bad. weights: [classes] each multiplies its
 * class's target, or NULL. Bytes: n (classes e + 20). */
cudaError_t gpu_softmax_ce(float *loss, int32_t *predicted, const void *logits, DType type,
                           const int32_t *labels, const SecondLabel *second, const float *weights,
                           int64_t n, int64_t classes, double smoothing, cudaStream_t stream);

/* grad = (softmax sum(target) - target) run->loss_scale. Bytes: n (classes (2 + add) e + 12). */
cudaError_t gpu_softmax_ce_backward(void *grad, const void *logits, DType type,
                                    const int32_t *labels, const SecondLabel *second,
                                    const float *weights, int64_t n, int64_t classes,
                                    double smoothing, const KernelRun *run, bool add,
                                    cudaStream_t stream);

/* ---- pooling (pool.cu): square windows, as in PoolArgs ---- */

typedef struct PoolShape {
    int32_t n, c;
    int32_t in_h, in_w, out_h, out_w;
    int32_t kernel, stride, pad;
    bool count_pad; /* of a mean: over all places of the window, the padding's zeros too */
} PoolShape;

/* y and, unless NULL, winner[n][out_h][out_w][c]: the place kernel * row + column of the largest
 * element in its window, the first of equals; NaN wins. Bytes: in e + out (e + 2). */
cudaError_t gpu_maxpool(void *y, uint16_t *winner, const void *x, DType type, PoolShape shape,
                        cudaStream_t stream);
cudaError_t gpu_maxpool_backward(void *grad_x, const void *grad_y, const uint16_t *winner,
                                 DType type, PoolShape shape, bool add, cudaStream_t stream);

/* Mean over the part of the window inside the image, or with count_pad over all of it. Bytes:
 * (in + out) e. */
cudaError_t gpu_avgpool(void *y, const void *x, DType type, PoolShape shape, cudaStream_t stream);
cudaError_t gpu_avgpool_backward(void *grad_x, const void *grad_y, DType type, PoolShape shape,
                                 bool add, cudaStream_t stream);

/* ---- batch norm and sums over rows (norm.cu) ---- */

/* Bytes of scratch that the four reductions below need. */
size_t gpu_rows_scratch(int64_t rows, int64_t channels);

/* sum[c] = sum over rows of x[r][c], in fixed parts: the gradient of a bias. With `y` of a fused
 * ReLU nothing where y <= 0. Bytes: rows channels e (1 + y). */
cudaError_t gpu_sum_rows(float *sum, const void *x, const void *y, DType type, int64_t rows,
                         int64_t channels, void *scratch, cudaStream_t stream);

/* Training: mean[c] and rstd[c] = 1 / sqrt(var + eps) of the batch for backward, stats_mean and
 * stats_var (unbiased, 0 of a single row) for the running ones, y = weight (x - mean) rstd + bias,
 * plus z unless NULL, and max(0, .) of it with relu. Bytes: rows channels e (3 + z). */
cudaError_t gpu_bn_train(void *y, float *mean, float *rstd, float *stats_mean, float *stats_var,
                         const void *x, const void *z, const float *weight, const float *bias,
                         DType type, int64_t rows, int64_t channels, double eps, bool relu,
                         void *scratch, cudaStream_t stream);

/* Evaluation, with the running mean and variance. Bytes: rows channels e (2 + z). */
cudaError_t gpu_bn_infer(void *y, const void *x, const void *z, const float *weight,
                         const float *bias, const float *mean, const float *var, DType type,
                         int64_t rows, int64_t channels, double eps, bool relu,
                         cudaStream_t stream);

/* grad_weight, grad_bias and, unless NULL, grad_x. With `y` of a fused ReLU grad_y counts as 0
 * where y <= 0. Bytes: rows channels e (5 + add + 2 y). */
cudaError_t gpu_bn_backward(void *grad_x, float *grad_weight, float *grad_bias, const void *grad_y,
                            const void *x, const void *y, const float *weight, const float *mean,
                            const float *rstd, DType type, int64_t rows, int64_t channels, bool add,
                            void *scratch, cudaStream_t stream);

/* Batch norm over the whole step, in halves: `shared` is what lanes share (lockstep/bn_sums.h), of
 * this lane after the first function of either direction, of all lanes before the others. *count is
 * that of all values, kept for backward. Training's y and grad_x follow from these as above; share
 * leaves the gradients of weight and bias; means[2 channels] is scratch. Bytes: rows channels e (1;
 * 2; 2; 3 + add). */
cudaError_t gpu_bn_share_moments(double *shared, const void *x, DType type, int64_t rows,
                                 int64_t channels, void *scratch, cudaStream_t stream);
cudaError_t gpu_bn_take_moments(void *y, float *mean, float *rstd, double *count, float *stats_mean,
                                float *stats_var, const double *shared, const void *x,
                                const float *weight, const float *bias, DType type, int64_t rows,
                                int64_t channels, double eps, cudaStream_t stream);
cudaError_t gpu_bn_share_slopes(double *shared, float *grad_weight, float *grad_bias,
                                const void *grad_y, const void *x, const float *mean,
                                const float *rstd, DType type, int64_t rows, int64_t channels,
                                void *scratch, cudaStream_t stream);
cudaError_t gpu_bn_take_slopes(void *grad_x, const double *shared, const double *count,
                               const void *grad_y, const void *x, const float *weight,
                               const float *mean, const float *rstd, float *means, DType type,
                               int64_t rows, int64_t channels, bool add, cudaStream_t stream);

/* Batch-norm statistics from what cuDNN saves: stats_mean = mean, stats_var = (1 / rstd^2 - eps)
 * rows / (rows - 1), not below 0, and 0 of a single row. Bytes: 16 channels. */
cudaError_t gpu_bn_stats(float *stats_mean, float *stats_var, const float *mean, const float *rstd,
                         int64_t rows, int64_t channels, double eps, cudaStream_t stream);

/* ---- layer norm (layernorm.cu) ---- */

/* y = weight (x - mean) rstd + bias by the mean and biased variance of each row, rstd = 1 /
 * sqrt(var
 * + eps); writes mean[rows] and rstd[rows] unless NULL. Bytes: 2 e rows channels. */
cudaError_t gpu_layernorm(void *y, float *mean, float *rstd, const void *x, const float *weight,
                          const float *bias, DType type, int64_t rows, int64_t channels, double eps,
                          cudaStream_t stream);

/* grad_weight, grad_bias and, unless NULL, grad_x; scratch as gpu_rows_scratch says. Bytes: rows
 * channels e (5 + add). */
cudaError_t gpu_layernorm_backward(void *grad_x, float *grad_weight, float *grad_bias,
                                   const void *grad_y, const void *x, const float *weight,
                                   const float *mean, const float *rstd, DType type, int64_t rows,
                                   int64_t channels, bool add, void *scratch, cudaStream_t stream);

/* ---- tokens (tokens.cu) ---- */

/* y[n][h][w][5][c] from x[n][h][w][c]: the map, and what is to the left, right, above and below.
 * Bytes: 6 e of x's elements; (6 + add) e. */
cudaError_t gpu_shift(void *y, const void *x, DType type, Shape in, cudaStream_t stream);
cudaError_t gpu_shift_backward(void *grad_x, const void *grad_y, DType type, Shape in, bool add,
                               cudaStream_t stream);

/* y[n][h / kernel][w / kernel][kernel][kernel][c] from x[n][h][w][c]. Bytes: (2 + add) e of x's
 * elements. */
cudaError_t gpu_patches(void *y, const void *x, DType type, Shape in, int64_t kernel,
                        cudaStream_t stream);
cudaError_t gpu_patches_backward(void *grad_x, const void *grad_y, DType type, Shape in,
                                 int64_t kernel, bool add, cudaStream_t stream);

/* y[n][tokens + 1][channels]: weight[channels], and x[n][tokens][channels] behind it. Backward's
 * grad_x may be NULL. Bytes: (2 + add) e of x's elements. */
cudaError_t gpu_class_token(void *y, const void *x, const float *weight, DType type, int64_t n,
                            int64_t tokens, int64_t channels, cudaStream_t stream);
cudaError_t gpu_class_token_backward(void *grad_x, float *grad_weight, const void *grad_y,
                                     DType type, int64_t n, int64_t tokens, int64_t channels,
                                     bool add, cudaStream_t stream);

/* y[n][channels] = x[n][index][channels] of x[n][tokens][channels]; in backward zeros for the other
 * tokens. Bytes: 2 e n channels; (1 + 2 add) e of x's elements. */
cudaError_t gpu_token(void *y, const void *x, DType type, int64_t n, int64_t tokens,
                      int64_t channels, int64_t index, cudaStream_t stream);
cudaError_t gpu_token_backward(void *grad_x, const void *grad_y, DType type, int64_t n,
                               int64_t tokens, int64_t channels, int64_t index, bool add,
                               cudaStream_t stream);

/* y[n][image] = x[n][image] + weight[image]. Bytes: 2 e n image. */
cudaError_t gpu_positions(void *y, const void *x, const float *weight, DType type, int64_t n,
                          int64_t image, cudaStream_t stream);

/* y[n][channels] = sum over tokens of share x, share[n][tokens] = softmax(weight x + bias). Bytes:
 * 2 e n tokens channels. */
cudaError_t gpu_seqpool(void *y, double *share, const void *x, const float *weight,
                        const float *bias, DType type, int64_t n, int64_t tokens, int64_t channels,
                        cudaStream_t stream);

/* grad_weight, grad_bias and, unless NULL, grad_x; grad_score[n][tokens] and scratch (as
 * gpu_rows_scratch says of n tokens rows) are overwritten. Bytes: (3 + add) e n tokens channels. */
cudaError_t gpu_seqpool_backward(void *grad_x, float *grad_weight, float *grad_bias,
                                 double *grad_score, const void *grad_y, const void *x,
                                 const double *share, const float *weight, DType type, int64_t n,
                                 int64_t tokens, int64_t channels, bool add, void *scratch,
                                 cudaStream_t stream);

/* ---- attention (attention.cu) ---- */

/* A matrix of each head of each image: element (i, j) of head h of image n at n image + h head +
 * i row + j column. */
typedef struct GpuMatrix {
    int64_t rows, columns;
    int64_t image, head, row, column;
} GpuMatrix;

/* to = left right for each head; left and right of `type`. Bytes: those of all three, a factor as
 * often as the other one has tiles of 32. */
cudaError_t gpu_multiply_heads(void *to, DType to_type, GpuMatrix to_view, const void *left,
                               GpuMatrix left_view, const void *right, GpuMatrix right_view,
                               DType type, int64_t images, int64_t heads, bool add,
                               cudaStream_t stream);

/* share[rows][tokens] = softmax along each row of factor score, the factor being exp(*temperature),
 * or `scale` where that is NULL; share may be score. mask_diagonal: element row % tokens of a row
 * counts as minus infinity. Bytes: (4 + e) rows tokens. */
cudaError_t gpu_softmax_rows(void *share, const float *score, DType type, int64_t rows,
                             int64_t tokens, const float *temperature, double scale,
                             bool mask_diagonal, cudaStream_t stream);

/* grad_score = factor share (grad_share - sum over the row of share grad_share); it may be
 * grad_share. Bytes: (4 + 2 e) rows tokens. */
cudaError_t gpu_softmax_rows_backward(void *grad_score, const float *grad_share, const void *share,
                                      DType type, int64_t rows, int64_t tokens,
                                      const float *temperature, double scale, cudaStream_t stream);

/* *sum = sum over rows and channels of x y, whose rows lie x_row and y_row elements apart, in fixed
 * parts. Bytes: 2 e rows channels. */
size_t gpu_dot_rows_scratch(int64_t rows, int64_t channels);
cudaError_t gpu_dot_rows(float *sum, const void *x, int64_t x_row, const void *y, int64_t y_row,
                         DType type, int64_t rows, int64_t channels, void *scratch,
                         cudaStream_t stream);

/* to[r][c] += from[r][c], the rows of `to` lying to_row elements apart. Bytes: 3 e rows channels.
 */
cudaError_t gpu_add_rows(void *to, int64_t to_row, const void *from, DType type, int64_t rows,
                         int64_t channels, cudaStream_t stream);

/* ---- attention in bf16 on tensor cores (attention_fused.cu) ---- */

/* in[images][tokens][3][heads][size]: queries, keys, values. Scores are multiplied by
 * exp(*temperature), device memory, or by `scale` where that is NULL. */
typedef struct GpuHeads {
    int64_t images, heads, tokens, size;
    const float *temperature;
    double scale;
    bool mask_diagonal; /* no query sees its own key */
} GpuHeads;

/* Whether the kernels below are for such heads: bf16, `size` a multiple of 8 up to 64. */
bool gpu_attention_fits(const GpuHeads *heads, DType type);

/* out[images][tokens][heads][size], and, unless NULL, stat[images][heads][tokens] = log of the sum
 * of exponentials of a row's scores. Bytes: e (of in and out), the keys and values once for every
 * 128 queries. */
cudaError_t gpu_attention(void *out, float *stat, const void *in, const GpuHeads *heads,
                          cudaStream_t stream);

/* The gradient of queries, in rows grad_row elements apart; and mean[images][heads][tokens], which
 * the other gradients want. Bytes: e (of in, out, grad_out and (1 + add) grad_query). */
cudaError_t gpu_attention_queries(void *grad_query, int64_t grad_row, float *mean,
                                  const void *grad_out, const void *out, const void *in,
                                  const float *stat, const GpuHeads *heads, bool add,
                                  cudaStream_t stream);

/* Those of keys and values, in their places of grad_in[images][tokens][3][heads][size]. Bytes: e
 * (of in, grad_out and (1 + add) the two). */
cudaError_t gpu_attention_keys(void *grad_in, const float *mean, const void *grad_out,
                               const void *in, const float *stat, const GpuHeads *heads, bool add,
                               cudaStream_t stream);

/* ---- flat ranges (flat.cu): as in DeviceOps, same bits as the other backends ---- */

/* Bytes: count (4 + 8 + 8 add). */
cudaError_t gpu_to_fixed(int64_t *sum, const float *value, int64_t count, double scale,
                         double bound, bool add, int64_t *bad, cudaStream_t stream);
/* `shifts` is host memory, read before the launch. Bytes: count (4 + 8 + 8 add + 4 low). */
cudaError_t gpu_to_shifted(int64_t *sum, int32_t *low, const float *value, int64_t count,
                           const Shifts *shifts, double scale, double bound, bool add, int64_t *bad,
                           float *peak, cudaStream_t stream);
/* All terms in one pass. `terms` is host memory, read before the launch. Bytes: count (size n + 8),
 * size being that of the terms' elements. */
cudaError_t gpu_sum_fixed(int64_t *sum, const Terms *terms, int64_t count, double scale,
                          double bound, int64_t *bad, cudaStream_t stream);
/* Bytes: count (size n + 8 + 4 low). */
cudaError_t gpu_sum_shifted(int64_t *sum, int32_t *low, const Terms *terms, int64_t count,
                            const Shifts *shifts, double scale, double bound, int64_t *bad,
                            cudaStream_t stream);
/* Bytes: count (size n + 4). */
cudaError_t gpu_sum_real(float *sum, const Terms *terms, int64_t count, cudaStream_t stream);
/* Bytes: count 12. */
cudaError_t gpu_widen(int64_t *sum, const int32_t *low, int64_t count, const Shifts *shifts,
                      cudaStream_t stream);
/* Bytes: count (8 + 4 add). */
cudaError_t gpu_to_real(float *sum, const float *value, int64_t count, bool add,
                        cudaStream_t stream);
/* Bytes: count (fixed ? 8 : 4). */
cudaError_t gpu_norm(double *partial, const int64_t *fixed, const float *real, int64_t count,
                     double scale, cudaStream_t stream);
/* `update` and `range` are host memory, read before the launch. Bytes: count ((fixed ? 8 : 4) + 8
 * + 8 slots + 8 ema). */
cudaError_t gpu_update(const Update *update, const UpdateRange *range, cudaStream_t stream);
/* Bytes: count 16. */
cudaError_t gpu_lookahead(float *slow, float *fast, int64_t count, float alpha,
                          cudaStream_t stream);
/* Bytes: 4 count. */
cudaError_t gpu_digest(Digest *digest, const float *value, int64_t count, cudaStream_t stream);

/* ---- the end of a step (finish.cu), as in FinishOps ---- */

/* What the sums came to; in device memory. */
typedef struct FinishVerdict {
    double unit;       /* what an element of the sum is multiplied by to be the gradient, */
    double grad_scale; /* and, clipped, in the update */
    double norm;       /* of the gradient, where it is clipped */
    int64_t good;      /* weights change */
} FinishVerdict;

/* A FinishTurn as kernels read it; in device memory, [n_ranges]. */
typedef struct FinishTerms {
    UpdateTerms terms;
    int32_t kind; /* OptimizerKind */
    uint32_t slots;
    int32_t idle, goes_back;
    float alpha;
} FinishTerms;

/* What an update reads and writes: device memory, as in FinishPlan. */
typedef struct FinishArrays {
    int64_t count;
    const FinishVerdict *verdict;
    const FinishTerms *terms;
    const int32_t *range; /* [count / FINISH_BLOCK] which range elements are of */
    const int64_t *fixed;
    const float *real;
    float *weight, *ema, *slow, *slot[UPDATE_SLOTS];
} FinishArrays;

/* A thread's work. */
cudaError_t gpu_finish_judge(FinishVerdict *verdict, const int64_t *word, const FinishWords *words,
                             double unit, cudaStream_t stream);
/* As gpu_norm, with the verdict's unit. */
cudaError_t gpu_finish_norm(double *partial, const int64_t *fixed, const float *real, int64_t count,
                            const FinishVerdict *verdict, cudaStream_t stream);
/* The norm is the root of the sum of partial[chunks], in order; a thread's work. */
cudaError_t gpu_finish_clip(FinishVerdict *verdict, const double *partial, int64_t chunks,
                            double clip, cudaStream_t stream);
/* Bytes: count ((fixed ? 8 : 4) + 8 + 8 slots + 8 ema + 8 slow + 1/4). */
cudaError_t gpu_finish_update(const FinishArrays *arrays, cudaStream_t stream);
/* value = (1 - momentum) value + momentum sum unit. Bytes: count 24. */
cudaError_t gpu_finish_running(float *value, const int64_t *sum, const double *momentum,
                               int64_t count, double unit, const FinishVerdict *verdict,
                               cudaStream_t stream);

/* ---- tensors that are updated as wholes: Muon (muon.cu), LARS and LAMB (layerwise.cu). A launch
 * is for all of them; their moving averages are gpu_finish_update's, or gpu_update's ---- */

/* How the work on a tensor is shared out to blocks. */
typedef enum WholeSplit {
    SPLIT_ELEMENTS,
    SPLIT_NORM,   /* chunks of a norm */
    SPLIT_SQUARE, /* Muon: tiles of m x m, X of update.h being m x n with m <= n */
    SPLIT_WIDE,   /* and of m x n */
    SPLITS
} WholeSplit;

/* In device memory, all that it points to, too. */
typedef struct Whole {
    int32_t kind;           /* OptimizerKind */
    int32_t steps, rescale; /* Muon's */
    int64_t offset, rows, cols;
    double decay;
    int64_t first[SPLITS]; /* its first block; those of the next tensor begin where its own end */
    double *partial[2];    /* [chunks] sums of squares: of X and weights; of weights and others */
    float *factor;         /* [2] Muon: of X and weights; [0] lr times the trust ratio */
    float *x[2], *a, *b;   /* Muon: X before and after an iteration, A, B; x[0]: LAMB's u */
} Whole;

/* In one step; in device memory as well. */
typedef struct WholeTerms {
    Update update;
    UpdateTerms terms;
    uint32_t slots; /* as FinishTurn.slots */
    int32_t idle;   /* it is frozen */
} WholeTerms;

/* All that are of Muon, or of LARS and LAMB. Device memory, but for `blocks`. */
typedef struct Wholes {
    int n;
    int64_t blocks[SPLITS]; /* of all tensors */
    const Whole *whole;     /* [n] in order of their blocks */
    const WholeTerms *terms;
    const FinishVerdict *verdict; /* not good: nothing is done */
    const int64_t *fixed;         /* arrays, as in FinishArrays, which Whole.offset is of */
    const float *real;
    float *weight, *slot[UPDATE_SLOTS];
} Wholes;

/* Gives *whole, host memory, its blocks behind those that there are. */
void gpu_whole_place(Whole *whole, int64_t blocks[SPLITS]);

/* X is the direction of the update, transposed where rows > cols; the momentum moves on. Bytes:
 * count ((fixed ? 8 : 4) + 8 + 4). */
cudaError_t gpu_muon_direct(const Wholes *wholes, cudaStream_t stream);
/* X is divided by its length + eps; `weights`: some are rescaled. Bytes: count (12 + 4 rescale). */
cudaError_t gpu_muon_lengths(const Wholes *wholes, bool weights, double eps, cudaStream_t stream);
/* An iteration, from 0, of those that have so many. Bound by arithmetic: 4 m m n + 2 m m m. */
cudaError_t gpu_muon_iterate(const Wholes *wholes, int32_t iteration, float a, float b, float c,
                             cudaStream_t stream);
/* The step along X, of the rescaled weight where it is. Bytes: count 12. */
cudaError_t gpu_muon_step(const Wholes *wholes, cudaStream_t stream);

/* `lamb`: some are LAMB's. Bytes: LARS count (2 (fixed ? 8 : 4) + 12 + 8 slots), LAMB count ((fixed
 * ? 8 : 4) + 44). */
cudaError_t gpu_layerwise(const Wholes *wholes, bool lamb, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
