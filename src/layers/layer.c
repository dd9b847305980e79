/* The table of layer kinds, and what several of them share. */
#include "lockstep/layer.h"

#include <inttypes.h>
#include <string.h>

#include "layers.h"

static const LayerType *const layer_types[LAYER_KINDS] = {
#define LAYER(lower, UPPER) [LAYER_##UPPER] = &layer_##lower,
#include "lockstep/layers.def"
};

const LayerType *layer_type(LayerKind kind) {
    return layer_types[kind];
}

int layer_kind_of(const char *name) {
    for (int kind = 0; kind < LAYER_KINDS; kind++) {
        if (strcmp(layer_types[kind]->name, name) == 0)
            return kind;
    }
    return -1;
}

const char *init_name(InitKind init) {
    static const char *const names[] = {[INIT_ZERO] = "zero",
                                        [INIT_NORMAL] = "normal",
                                        [INIT_FAN_IN_UNIFORM] = "fan_in_uniform",
                                        [INIT_HE_NORMAL] = "he_normal",
                                        [INIT_HE_UNIFORM] = "he_uniform",
                                        [INIT_GLOROT_NORMAL] = "glorot_normal",
                                        [INIT_GLOROT_UNIFORM] = "glorot_uniform",
                                        [INIT_DIRAC] = "dirac",
                                        [INIT_PARTIAL_DIRAC] = "partial_dirac",
                                        [INIT_WHITENING] = "whitening",
                                        [INIT_ONE] = "one",
                                        [INIT_CONSTANT] = "constant",
                                        [INIT_UNIFORM] = "uniform"};
    return names[init];
}

int64_t param_count(const ParamSpec *param) {
    return param->dim[0] * param->dim[1] * param->dim[2] * param->dim[3];
}

const LayerArg layer_no_args[] = {{0}};

int64_t layer_multiply_adds(const Layer *layer) {
    const LayerType *type = layer_type(layer->kind);
    return type->multiply_adds ? type->multiply_adds(layer) : 0;
}

Status layer_infer_same(Layer *layer) {
    layer->out = layer->in[0];
    return ST_OK;
}

int64_t layer_windows(int64_t in, int64_t kernel, int64_t stride, int64_t pad) {
    int64_t room = in + 2 * pad - kernel;
    return room < 0 ? 0 : room / stride + 1;
}

ParamSpec layer_channel_param(const char *role, int64_t channels, InitKind init) {
    return (ParamSpec){.role = role, .ndim = 1, .dim = {channels, 1, 1, 1}, .init = init};
}

Status layer_check_groups(const Layer *layer, int64_t groups) {
    if (layer->in[0].c % groups == 0)
        return ST_OK;
    return FAIL(ST_USAGE,
                "%s: groups=%" PRId64 " do not divide the %" PRId64 " channels of the input",
                layer_type(layer->kind)->name, groups, layer->in[0].c);
}

int64_t layer_tokens(Shape map) {
    return map.h * map.w;
}
