/* cpu/f32_image_grad: see f32_image_grad.h.
 *
 * The gradient of weight (o, tap) is the sum over pixels of an output's gradient times the input
 * that the tap sees there. Outputs lie side by side, so 16 of them are two registers, and the taps
 * are windows that overlap in memory: each pixel of six taps is two loads, six broadcasts and
 * twelve multiplications into sums that stay in registers for a strip of lines. A strip of 16
 * outputs is copied before, masked by a fused ReLU; an image once, channel by channel, with its
 * padding of zeros; the bias's tap sees ones.
 *
 * A strip's sums go through its pixels in order, strips in theirs, images in theirs: bits follow
 * from shapes alone. Error against exact arithmetic: tests/ops/test_cpu_image_grad.c. */
#include "clones.h"

#if FOR_X86

#include "f32_image_grad.h"

#include <string.h>

#include "f32_vector.h"
#include "map.h"

/* Pixels of a strip: it fits the first cache, beside its windows. */
enum { COLUMNS = 6, ROWS = 2 * VECTOR, STRIP_PIXELS = 256 };

typedef struct ImageGrad {
    Shape in;
    bool plain; /* the image's channels are planes, else pixels */
    Map out;
    int64_t kernel, pad, taps; /* the bias's tap is the last */
    bool has_bias, relu;
    int64_t wide, plane; /* of the padded image */
    int64_t lines;       /* of a strip */
} ImageGrad;

static ImageGrad image_grad_of(const OpDesc *desc) {
    const ConvArgs *args = &desc->layer->args.conv;
    ImageGrad grad = {.in = desc->in[0].shape,
                      .plain = desc->in[0].layout == LAYOUT_PLAIN,
                      .out = map_of(&desc->out, VECTOR),
                      .kernel = args->kernel,
                      .pad = args->pad,
                      .has_bias = args->bias,
                      .relu = desc->relu};
    grad.taps = grad.in.c * grad.kernel * grad.kernel + grad.has_bias;
    grad.wide = grad.in.w + 2 * grad.pad;
    grad.plane = (grad.in.h + 2 * grad.pad) * grad.wide;
    grad.lines = STRIP_PIXELS / grad.out.w > 1 ? STRIP_PIXELS / grad.out.w : 1;
    return grad;
}

/* Scratch: int64_t window[taps]; float strip[lines][out.w][ROWS], sums[taps][out.c],
 * image[in.c][plane], ones[plane]. */
typedef struct Scratch {
    int64_t *window;
    float *strip, *sums, *image, *ones;
} Scratch;

static int64_t strip_floats(const ImageGrad *grad) {
    return grad->lines * grad->out.w * ROWS;
}

static size_t scratch_bytes(const ImageGrad *grad) {
    int64_t floats = strip_floats(grad) + grad->taps * grad->out.c + (grad->in.c + 1) * grad->plane;
    return (size_t)floats * sizeof(float) + (size_t)grad->taps * sizeof(int64_t);
}

static Scratch scratch_at(const ImageGrad *grad, void *at) {
    Scratch scratch = {.window = at};
    scratch.strip = (float *)(scratch.window + grad->taps);
    scratch.sums = scratch.strip + strip_floats(grad);
    scratch.image = scratch.sums + grad->taps * grad->out.c;
    scratch.ones = scratch.image + grad->in.c * grad->plane;
    return scratch;
}

/* Image n into planes of zeros. */
static void copy_image(const ImageGrad *grad, const float *x, int64_t n, float *to) {
    Shape in = grad->in;
    int64_t next = grad->plain ? 1 : in.c, channel = grad->plain ? in.h * in.w : 1;
    x += n * in.c * in.h * in.w;
    to += grad->pad * (grad->wide + 1);
    for (int64_t c = 0; c < in.c; c++)
        for (int64_t y = 0; y < in.h; y++)
            for (int64_t i = 0; i < in.w; i++)
                to[c * grad->plane + y * grad->wide + i] = x[c * channel + (y * in.w + i) * next];
}

/* Where each tap's window begins: weights are [out][in][kernel][kernel]. */
static void find_windows(const ImageGrad *grad, int64_t *window) {
    int64_t k = grad->kernel;
    for (int64_t t = 0; t < grad->in.c * k * k; t++)
        window[t] = t / (k * k) * grad->plane + t / k % k * grad->wide + t % k;
    if (grad->has_bias)
        window[grad->taps - 1] = grad->in.c * grad->plane;
}

/* strip[pixel][ROWS] of `vectors` vectors of outputs, from element `at` of their gradient on. */
VECTOR_IN void copy_strip(const int vectors, const ImageGrad *grad, int64_t pixels,
                          const float *value, const float *gradient, int64_t at, float *strip) {
    for (int64_t i = 0; i < pixels; i++, at += grad->out.pixel, strip += ROWS)
        UNROLLED (v, vectors) {
            Vector of = _mm256_loadu_ps(gradient + at + v * grad->out.block);
            if (grad->relu) {
                Vector out = _mm256_loadu_ps(value + at + v * grad->out.block);
                of = _mm256_and_ps(of, _mm256_cmp_ps(out, _mm256_setzero_ps(), _CMP_GT_OQ));
            }
            _mm256_storeu_ps(strip + v * VECTOR, of);
        }
}

/* sums[n][out.c] += over `lines` lines of a strip. */
VECTOR_IN void add_taps(const int columns, const int vectors, const ImageGrad *grad, int64_t lines,
                        const float *strip, const float *image, const int64_t *window,
                        float *sums) {
    Vector sum[COLUMNS][ROWS / VECTOR];
    UNROLLED (n, columns) {
        UNROLLED (v, vectors)
            sum[n][v] = _mm256_setzero_ps();
    }
    for (int64_t y = 0; y < lines; y++, image += grad->wide) {
        const float *tap[COLUMNS];
        UNROLLED (n, columns)
            tap[n] = image + window[n];
        for (int64_t x = 0; x < grad->out.w; x++, strip += ROWS) {
            Vector left[ROWS / VECTOR];
            UNROLLED (v, vectors)
                left[v] = _mm256_loadu_ps(strip + v * VECTOR);
            UNROLLED (n, columns) {
                Vector right = _mm256_broadcast_ss(tap[n] + x);
                UNROLLED (v, vectors)
                    sum[n][v] = _mm256_fmadd_ps(left[v], right, sum[n][v]);
            }
        }
    }
    UNROLLED (n, columns) {
        UNROLLED (v, vectors) {
            float *to = sums + n * grad->out.c + v * VECTOR;
            _mm256_storeu_ps(to, _mm256_loadu_ps(to) + sum[n][v]);
        }
    }
}

/* All taps of a strip. */
VECTOR_IN void add_strip(const int vectors, const ImageGrad *grad, int64_t lines,
                         const Scratch *scratch, const float *image, float *sums) {
    const int64_t *window = scratch->window;
    const float *strip = scratch->strip;
    int64_t left = grad->taps;
    for (; left >= COLUMNS; left -= COLUMNS, window += COLUMNS, sums += COLUMNS * grad->out.c)
        add_taps(COLUMNS, vectors, grad, lines, strip, image, window, sums);
    switch (left) {
    case 5:
        add_taps(5, vectors, grad, lines, strip, image, window, sums);
        break;
    case 4:
        add_taps(4, vectors, grad, lines, strip, image, window, sums);
        break;
    case 3:
        add_taps(3, vectors, grad, lines, strip, image, window, sums);
        break;
    case 2:
        add_taps(2, vectors, grad, lines, strip, image, window, sums);
        break;
    case 1:
        add_taps(1, vectors, grad, lines, strip, image, window, sums);
        break;
    default:
        break;
    }
}

/* What an image adds to the sums. */
VECTOR_FN static void add_image(const ImageGrad *grad, const float *value, const float *gradient,
                                int64_t n, const Scratch *scratch) {
    const Map *out = &grad->out;
    for (int64_t y = 0; y < out->h; y += grad->lines) {
        int64_t lines = out->h - y < grad->lines ? out->h - y : grad->lines;
        const float *image = scratch->image + y * grad->wide;
        for (int64_t c = 0; c < out->c; c += ROWS) {
            int64_t at = map_at(out, VECTOR, n, c, y, 0), pixels = lines * out->w;
            if (c + ROWS <= out->c) {
                copy_strip(2, grad, pixels, value, gradient, at, scratch->strip);
                add_strip(2, grad, lines, scratch, image, scratch->sums + c);
            } else {
                copy_strip(1, grad, pixels, value, gradient, at, scratch->strip);
                add_strip(1, grad, lines, scratch, image, scratch->sums + c);
            }
        }
    }
}

/* Operands: input, output's gradient, output, weights' gradient, workspace, bias's gradient. */
static Status backward_weights(const StepCall *call) {
    ImageGrad grad = image_grad_of(&call->plan->base.desc);
    Scratch scratch = scratch_at(&grad, call->at[4]);
    int64_t taps = grad.taps - grad.has_bias, channels = grad.out.c;
    float *dw = call->at[3], *bias = grad.has_bias ? call->at[5] : NULL;
    find_windows(&grad, scratch.window);
    memset(scratch.sums, 0, (size_t)(scratch.ones - scratch.sums) * sizeof *scratch.sums);
    for (int64_t i = 0; i < grad.plane; i++)
        scratch.ones[i] = 1;
    for (int64_t n = 0; n < grad.in.n; n++) {
        copy_image(&grad, call->at[0], n, scratch.image);
        add_image(&grad, call->at[2], call->at[1], n, &scratch);
    }
    for (int64_t o = 0; o < channels; o++) {
        for (int64_t t = 0; t < taps; t++)
            dw[o * taps + t] = scratch.sums[t * channels + o];
        if (bias)
            bias[o] = scratch.sums[taps * channels + o];
    }
    return ST_OK;
}

bool f32_image_grad_takes(const StepPlan *plan) {
    const OpDesc *desc = &plan->base.desc;
    const ConvArgs *args = &desc->layer->args.conv;
    int layout = desc->in[0].layout;
    return ((const CpuDevice *)plan->device)->f32_vectors && plan_type(plan) == DT_F32 &&
           args->groups == 1 && (layout == LAYOUT_PLAIN || layout == LAYOUT_NHWC) &&
           map_fits(&desc->out, VECTOR) &&
           rule_image_grad_f32(desc->in[0].shape, desc->out.shape, args->kernel, args->stride);
}

void f32_image_grad_step(StepPlan *plan) {
    ImageGrad grad = image_grad_of(&plan->base.desc);
    Step *step = LOOP_STEP(plan, PASS_BACKWARD, backward_weights, AT_IN(0), AT_GRAD_OUT, AT_OUT,
                           AT_GRAD_PARAM(WEIGHT), AT_WORKSPACE);
    if (grad.has_bias)
        steps_argument(plan, step, (Arg){AT_GRAD_PARAM(BIAS), 0});
    steps_need_workspace(plan, scratch_bytes(&grad));
}

#endif
