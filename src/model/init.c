/* Initial weights: element e of parameter i is made of word e % 4 of Philox block (i, e / 4), so
 * the values depend on the seed and the model text alone. */
#include <math.h>
#include <string.h>

#include "lockstep/model.h"
#include "lockstep/normal.h"
#include "lockstep/rng.h"

/* A random initialisation: scale * number(word). */
typedef struct Spread {
    double (*number)(uint32_t word);
    double scale;
} Spread;

/* In [-1, 1). */
static double uniform_from(uint32_t word) {
    return 2.0 * rng_unit(word) - 1.0;
}

static Spread spread_of(const ParamSpec *spec) {
    double g = spec->init_arg, area = (double)(spec->dim[2] * spec->dim[3]);
    double fan_in = (double)spec->dim[1] * area, fan_out = (double)spec->dim[0] * area;
    switch (spec->init) {
    case INIT_NORMAL:
        return (Spread){normal_from, g};
    case INIT_FAN_IN_UNIFORM:
        return (Spread){uniform_from, g / sqrt(fan_in)};
    case INIT_GLOROT_UNIFORM:
        return (Spread){uniform_from, g * sqrt(6 / (fan_in + fan_out))};
    case INIT_GLOROT_NORMAL:
        return (Spread){normal_from, g * sqrt(2 / (fan_in + fan_out))};
    case INIT_HE_UNIFORM:
        return (Spread){uniform_from, g * sqrt(3 / fan_in)};
    case INIT_HE_NORMAL:
        return (Spread){normal_from, g / sqrt(fan_in)};
    default:
        return (Spread){uniform_from, g};
    }
}

static void fill_random(const ParamView *view, RngKey key, int parameter, float *values) {
    Spread spread = spread_of(&view->spec);
    for (int64_t first = 0; first < view->count; first += 4) {
        RngBlock block = rng_block(key, (uint32_t)parameter, (uint32_t)(first / 4), 0, 0);
        for (int64_t i = 0; i < 4 && first + i < view->count; i++)
            values[first + i] = (float)(spread.number(block.word[i]) * spread.scale);
    }
}

static void fill_constant(const ParamView *view, double value, float *values) {
    for (int64_t i = 0; i < view->count; i++)
        values[i] = (float)value;
}

/* A convolution that hands its first channels on. */
static void fill_dirac(const ParamView *view, float *values) {
    const int64_t *dim = view->spec.dim;
    int64_t middle = dim[2] / 2 * dim[3] + dim[3] / 2;
    fill_constant(view, 0, values);
    for (int64_t o = 0; o < dim[0] && o < dim[1]; o++)
        values[(o * dim[1] + o) * dim[2] * dim[3] + middle] = (float)view->spec.init_arg;
}

/* The first filters hand channels on; those behind them begin as PyTorch's do. */
static void fill_partial_dirac(const ParamView *view, RngKey key, int parameter, float *values) {
    const int64_t *dim = view->spec.dim;
    ParamView random = *view, first = *view;
    random.spec.init = INIT_FAN_IN_UNIFORM;
    random.spec.init_arg = 1;
    if (first.spec.dim[0] > dim[1])
        first.spec.dim[0] = dim[1];
    first.count = param_count(&first.spec);
    fill_random(&random, key, parameter, values);
    fill_dirac(&first, values);
}

static void fill_view(const ParamView *view, RngKey key, int parameter, float *flat) {
    float *values = flat + view->offset;
    switch (view->spec.init) {
    case INIT_ZERO:
        fill_constant(view, 0, values);
        break;
    case INIT_ONE:
        fill_constant(view, 1, values);
        break;
    case INIT_CONSTANT:
        fill_constant(view, view->spec.init_arg, values);
        break;
    case INIT_DIRAC:
        fill_dirac(view, values);
        break;
    case INIT_PARTIAL_DIRAC:
        fill_partial_dirac(view, key, parameter, values);
        break;
    case INIT_WHITENING: /* model_whiten */
        fill_constant(view, 0, values);
        break;
    default:
        fill_random(view, key, parameter, values);
        break;
    }
}

void model_init(const Model *model, uint64_t seed, float *weights, float *running) {
    RngKey key = rng_key(seed, RNG_INIT);
    memset(weights, 0, (size_t)model->flat * sizeof *weights);
    memset(running, 0, (size_t)model->running_flat * sizeof *running);
    for (int i = 0; i < model->n_params; i++)
        fill_view(&model->params[i], key, i, weights);
    for (int i = 0; i < model->n_running; i++)
        fill_view(&model->running[i], key, i, running);
}
