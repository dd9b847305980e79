/* The weight and the bias that several kinds have, and how they begin: the arguments init=, gain=,
 * std=, bias_init= of all of them.
 *
 * Formulas are those of PyTorch's torch.nn.init: kaiming_ (He et al., "Delving deep into
 * rectifiers", 2015), xavier_ (Glorot and Bengio, "Understanding the difficulty of training deep
 * feedforward neural networks", 2010), dirac_; the default is its convolution's and linear layer's.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "layers.h"

/* In the order of InitKind. */
static const char *const weight_words[] = {
    "zero",           "normal", "fan_in_uniform", "he_normal", "he_uniform", "glorot_normal",
    "glorot_uniform", "dirac",  "partial_dirac",  "whitening", NULL};
static const char *const bias_words[] = {"zero", "normal", "fan_in_uniform", NULL};
static const char *const vector_words[] = {"zero", "normal", NULL};

static const LayerArg weight_args[] = {
    {"init", ARG_WORD, offsetof(Layer, init.weight), 0, 0, 0, ABSENT_INIT, "how the weight begins",
     weight_words},
    {"gain", ARG_REAL, offsetof(Layer, init.gain), 1e-6, 1e6, 0, ABSENT_INIT,
     "g; unless given sqrt(2) for he_, 1 for others", NULL},
    {"std", ARG_REAL, offsetof(Layer, init.std), 1e-9, 1e6, 0, ABSENT_INIT,
     "standard deviation of normal", NULL},
    {"bias_init", ARG_WORD, offsetof(Layer, init.bias), 0, 0, 0, ABSENT_INIT,
     "how the bias begins; fan_in is the weight's, g is 1", bias_words},
    {"whitening_eps", ARG_REAL, offsetof(Layer, init.whitening_eps), 1e-12, 1, 0, ABSENT_INIT,
     "eps of whitening", NULL},
    {0},
};

static const LayerArg vector_args[] = {
    {"init", ARG_WORD, offsetof(Layer, init.weight), 0, 0, 0, ABSENT_INIT, "how the weight begins",
     vector_words},
    {"std", ARG_REAL, offsetof(Layer, init.std), 1e-9, 1e6, 0, ABSENT_INIT,
     "standard deviation of normal", NULL},
    {0},
};

const InitRule layer_init_weight = {.otherwise = {.weight = INIT_FAN_IN_UNIFORM,
                                                  .bias = INIT_FAN_IN_UNIFORM,
                                                  .std = 1,
                                                  .whitening_eps = 5e-4},
                                    .args = weight_args};

const InitRule layer_init_vector = {.otherwise = {.weight = INIT_NORMAL, .std = 1},
                                    .args = vector_args};

double layer_usual_gain(InitKind init) {
    return init == INIT_HE_NORMAL || init == INIT_HE_UNIFORM ? sqrt(2) : 1;
}

static bool has_gain(InitKind init) {
    return init >= INIT_FAN_IN_UNIFORM && init <= INIT_PARTIAL_DIRAC;
}

/* Kinds where it is a choice have a flag for it. */
static bool has_bias(const Layer *layer) {
    const LayerArg *arg = layer_type(layer->kind)->args;
    while (arg->key && strcmp(arg->key, "bias") != 0)
        arg++;
    return !arg->key || *(const bool *)((const char *)layer + arg->offset);
}

bool layer_arg_is_used(const Layer *layer, const LayerArg *arg) {
    const InitArgs *init = &layer->init;
    switch (arg->offset) {
    case offsetof(Layer, init.gain):
        return has_gain(init->weight);
    case offsetof(Layer, init.std):
        return init->weight == INIT_NORMAL || (init->bias == INIT_NORMAL && has_bias(layer));
    case offsetof(Layer, init.bias):
        return has_bias(layer);
    case offsetof(Layer, init.whitening_eps):
        return init->weight == INIT_WHITENING;
    default:
        return true;
    }
}

void layer_set_init(Layer *layer, ParamSpec *weight) {
    InitArgs *init = &layer->init;
    if (init->gain == 0)
        init->gain = layer_usual_gain(init->weight);
    weight->init = init->weight;
    weight->init_arg = init->weight == INIT_NORMAL      ? init->std
                       : init->weight == INIT_WHITENING ? init->whitening_eps
                       : has_gain(init->weight)         ? init->gain
                                                        : 0;
}

/* A bias has no fan-in of its own: what it begins by is the weight's, as a bound. */
static void set_bias_init(const Layer *layer, ParamSpec *bias) {
    const int64_t *dim = layer->param[0].dim;
    bias->init = layer->init.bias;
    bias->init_arg = bias->init == INIT_NORMAL ? layer->init.std : 0;
    if (bias->init == INIT_FAN_IN_UNIFORM) {
        bias->init = INIT_UNIFORM;
        bias->init_arg = 1.0 / sqrt((double)(dim[1] * dim[2] * dim[3]));
    }
}

void layer_set_weight(Layer *layer, int ndim, const int64_t dim[4], bool bias) {
    layer->param[0] = (ParamSpec){
        .role = "weight",
        .ndim = ndim,
        .dim = {dim[0], dim[1], dim[2], dim[3]},
        .decay = true,
    };
    layer->param[1] = (ParamSpec){.role = "bias", .ndim = 1, .dim = {dim[0], 1, 1, 1}};
    layer_set_init(layer, &layer->param[0]);
    set_bias_init(layer, &layer->param[1]);
    layer->n_params = bias ? 2 : 1;
}

/* Patches are of images, and there is a filter and its negative for each of their elements. */
Status layer_check_init(const Layer *layer) {
    const LayerType *type = layer_type(layer->kind);
    const int64_t *dim = layer->param[0].dim;
    if (!type->init || layer->init.weight != INIT_WHITENING)
        return ST_OK;
    if (layer->param[0].ndim != 4 || layer->input[0] != LAYER_IMAGE || dim[1] != layer->in[0].c) {
        return FAIL(ST_USAGE,
                    "%s: init=whitening is made of patches of images: only a convolution of all "
                    "channels that reads the image can begin so",
                    type->name);
    }
    if (dim[2] > WHITENING_KERNEL_MAX)
        return FAIL(ST_USAGE, "%s: init=whitening takes k=%d at most", type->name,
                    WHITENING_KERNEL_MAX);
    int64_t filters = 2 * dim[1] * dim[2] * dim[3];
    if (dim[0] != filters) {
        return FAIL(ST_USAGE,
                    "%s: init=whitening makes 2 x %" PRId64 " x %" PRId64 " x %" PRId64
                    " filters, two of opposite sign for each number of a patch: give c=%" PRId64,
                    type->name, dim[1], dim[2], dim[3], filters);
    }
    return ST_OK;
}
