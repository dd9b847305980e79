/* cpu/gelu: x Phi(x), Phi the normal distribution. Backward reads the input. In fp32 it is
 * oneDNN's.
 *
 * A bfloat16 is one of 65,536 numbers, so in bf16 values and slopes are looked up, those that occur
 * in the first cache: oneDNN's code takes twice as long forward and four times backward. The tables
 * are made of sums, products and quotients of doubles alone, so that they have the same bits
 * everywhere; every entry is held against erf (tests/ops/test_cpu_gelu.c). */
#include <math.h>
#include <pthread.h>

#include "clones.h"
#if FOR_X86
#include "bf16_vector.h"
#endif
#include "lockstep/bf16.h"
#include "pointwise.h"

#if FOR_X86

enum { NUMBERS = 1 << 16 };

static struct {
    uint16_t value[NUMBERS]; /* bfloat16 */
    float slope[NUMBERS];
} tables;

/* exp(-x) for 0 <= x < 100: the series of exp(x / 2^8), squared eight times. */
static double exp_of_minus(double x) {
    enum { HALVINGS = 8 };
    double sum = 1, term = 1;
    for (int n = 1; n < 20; n++)
        sum += term *= x / (1 << HALVINGS) / n;
    for (int i = 0; i < HALVINGS; i++)
        sum *= sum;
    return 1 / sum;
}

/* Phi(-x) over the density there, for x >= 0: near 0 by the series of Phi, else by Laplace's
 * continued fraction 1 / (x + 1 / (x + 2 / (x + ...))). */
static double tail_ratio(double x, double density) {
    double series = x, term = x, fraction = x;
    for (int n = 3; x < 2 && n < 64; n += 2)
        series += term *= x * x / n;
    for (int n = 64; n > 0; n--)
        fraction = x + n / fraction;
    return x < 2 ? 0.5 / density - series : 1 / fraction;
}

/* Beyond 14 the distribution is 0 or 1 to bfloat16's least number. */
static void tabulate(double x, double *value, double *slope) {
    double density = 0, tail = 0;
    if (fabs(x) < 14) {
        density = exp_of_minus(x * x / 2) * (0.5 * M_2_SQRTPI * M_SQRT1_2); /* 1 / sqrt(2 pi) */
        tail = density * tail_ratio(fabs(x), density);
    }
    double below = x > 0 ? 1 - tail : tail;
    *value = x * below;
    *slope = below + x * density;
}

static void fill_tables(void) {
    for (int i = 0; i < NUMBERS; i++) {
        double value, slope;
        float x = bf16_to_float((uint16_t)i);
        tabulate(x, &value, &slope);
        tables.value[i] = bf16_from_float((float)(isnan(x) ? x : value));
        tables.slope[i] = (float)(isnan(x) ? x : slope);
    }
}

static Status forward(const StepCall *call) {
    int64_t count = shape_count(call->plan->base.desc.out.shape);
    const uint16_t *in = call->at[0];
    uint16_t *out = call->at[1];
    for (int64_t i = 0; i < count; i++)
        out[i] = tables.value[in[i]];
    return ST_OK;
}

VECTOR_IN void backward_at(const uint16_t *in, const uint16_t *grad_out, uint16_t *grad_in,
                           bool add, __mmask16 lanes) {
    __m512i number = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, in));
    __m512 slope = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), lanes, number, tables.slope,
                                            sizeof *tables.slope);
    __m512 dx = slope * vector_load(grad_out, lanes);
    if (add)
        dx += vector_load(grad_in, lanes);
    vector_store(grad_in, dx, lanes);
}

VECTOR_FN static void backward_range(int64_t count, const uint16_t *in, const uint16_t *grad_out,
                                     uint16_t *grad_in, bool add) {
    int64_t i = 0;
    for (; i + VECTOR <= count; i += VECTOR)
        backward_at(in + i, grad_out + i, grad_in + i, add, ALL_LANES);
    backward_at(in + i, grad_out + i, grad_in + i, add, vector_lanes(count - i));
}

static Status backward(const StepCall *call) {
    const OpDesc *desc = &call->plan->base.desc;
    backward_range(shape_count(desc->out.shape), call->at[0], call->at[1], call->at[2],
                   desc->grad_in[0] == GRAD_ADD);
    return ST_OK;
}

#endif

static Status gelu_steps(StepPlan *plan) {
#if FOR_X86
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const OpDesc *desc = &plan->base.desc;
    if (!plan_vectors(plan))
        return pointwise_steps(plan, POINTWISE_GELU, 0);
    pthread_once(&once, fill_tables);
    LOOP_STEP(plan, PASS_FORWARD, forward, AT_IN(0), AT_OUT);
    if (!desc->training || desc->grad_in[0] == GRAD_NONE)
        return ST_OK;
    plan->base.backward_reads_in = READS_IN(0);
    LOOP_STEP(plan, PASS_BACKWARD, backward, AT_IN(0), AT_GRAD_OUT, AT_GRAD_IN(0));
    return ST_OK;
#else
    return pointwise_steps(plan, POINTWISE_GELU, 0);
#endif
}

CPU_OP(gelu);
