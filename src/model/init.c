/* Initial weights: element e of parameter i is word e % 4 of Philox block (i, e / 4), so the values
 * depend on the seed and the model text alone. */
#include <string.h>

#include "lockstep/model.h"
#include "lockstep/rng.h"

static void fill_uniform(float *values, int64_t count, double bound, RngKey key, int parameter) {
    for (int64_t first = 0; first < count; first += 4) {
        RngBlock block = rng_block(key, (uint32_t)parameter, (uint32_t)(first / 4), 0, 0);
        for (int64_t i = 0; i < 4 && first + i < count; i++)
            values[first + i] = (float)((2.0 * rng_unit(block.word[i]) - 1.0) * bound);
    }
}

static void fill_view(const ParamView *view, RngKey key, int parameter, float *flat) {
    float *values = flat + view->offset;
    switch (view->spec.init) {
    case INIT_ZERO:
        break;
    case INIT_ONE:
        for (int64_t i = 0; i < view->count; i++)
            values[i] = 1.0f;
        break;
    case INIT_UNIFORM:
        fill_uniform(values, view->count, view->spec.bound, key, parameter);
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
