/* layer: what a layer is, apart from any device: arguments, shapes, parameters, initialisation,
 * cost.
 *
 * One line of model text becomes one Layer. The table of LayerTypes (src/layers/, one file a kind)
 * knows how to read its arguments, what comes out of it and which parameters it has; how it is
 * computed is a backend's affair (device.h). Shapes here are per image: n is 1. All functions are
 * Local. */
#ifndef LOCKSTEP_LAYER_H
#define LOCKSTEP_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "lockstep/status.h"
#include "lockstep/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum LayerKind {
#define LAYER(lower, UPPER) LAYER_##UPPER,
#include "lockstep/layers.def"
#undef LAYER
    LAYER_KINDS
} LayerKind;

enum { LAYER_NAME_MAX = 32, LAYER_PARAMS_MAX = 2, LAYER_RUNNING_MAX = 2 };

/* Square kernels, equal stride and zero padding on both sides: out = (in + 2 pad - kernel) / stride
 * + 1, rounded down. */
typedef struct ConvArgs {
    int64_t channels; /* c: output channels */
    int64_t kernel;   /* k */
    int64_t stride;   /* s, 1 */
    int64_t pad;      /* p, 0 */
    bool bias;        /* bias, false */
} ConvArgs;

/* y = weight (x - mean) / sqrt(var + eps) + bias. Training uses the lane's own mean and biased
 * variance; running = (1 - momentum) running + momentum * (mean over lanes of mean, and of unbiased
 * variance). */
typedef struct BnArgs {
    double eps;      /* 1e-5 */
    double momentum; /* 0.1 */
} BnArgs;

/* Max and average pooling; average counts no padding (count_include_pad = false). */
typedef struct PoolArgs {
    int64_t kernel; /* k; set to the input's height by `global` */
    int64_t stride; /* s, k */
    int64_t pad;    /* p, 0; at most k / 2 */
    bool global;    /* over the whole (square) map: out is C x 1 x 1 */
} PoolArgs;

typedef struct LinearArgs {
    int64_t channels; /* c: output features; the input is flattened in C, H, W order */
    bool bias;        /* bias, true */
} LinearArgs;

typedef struct DropoutArgs {
    double rate; /* p in [0, 1): an element is dropped where uniform < p, the others scaled by
                    1/(1-p) */
} DropoutArgs;

typedef struct ScaleArgs {
    double factor; /* by: y = by x */
} ScaleArgs;

/* Per image: -sum_c target_c log softmax(x)_c, target = (1 - smoothing) one_hot + smoothing /
 * classes. */
typedef struct LossArgs {
    double smoothing; /* in [0, 1) */
} LossArgs;

typedef enum InitKind { INIT_ZERO, INIT_ONE, INIT_UNIFORM } InitKind;

/* One parameter or running statistic of a layer. */
typedef struct ParamSpec {
    const char *role; /* "weight", "bias", "running_mean", "running_var" */
    int ndim;         /* 1 (bias, bn), 2 (linear weight O,I), 4 (conv weight O,I,KH,KW) */
    int64_t dim[4];   /* logical, row-major; unused are 1 */
    InitKind init;
    double bound; /* INIT_UNIFORM: U(-bound, bound) */
    bool decay;   /* false for biases and batch norm, which weight decay may spare */
} ParamSpec;

typedef struct Layer {
    LayerKind kind;
    char name[LAYER_NAME_MAX]; /* its label in the text, or kind and ordinal: conv1, conv2, bn1 */
    int line;                  /* of the model text, from 1 */
    int input;                 /* index of the layer read; -1 is the image */
    int with;                  /* add: index of the second layer read; others -2 */
    union {
        ConvArgs conv;
        BnArgs bn;
        PoolArgs pool;
        LinearArgs linear;
        DropoutArgs dropout;
        ScaleArgs scale;
        LossArgs loss;
    } args;
    Shape in, out; /* per image */
    int n_params;
    ParamSpec param[LAYER_PARAMS_MAX]; /* weight, bias */
    int n_running;
    ParamSpec running[LAYER_RUNNING_MAX]; /* bn: running_mean, running_var */
} Layer;

typedef enum ArgType { ARG_INT, ARG_REAL, ARG_FLAG } ArgType;

/* One argument a kind takes in model text: `key=value`, or a bare `key` for a flag (key=0 unsets
 * it). */
typedef struct LayerArg {
    const char *key;
    ArgType type;
    size_t offset; /* of an int64_t, double or bool in Layer */
    double min, max;
    double otherwise; /* value when absent */
    bool required;
    const char *help;
} LayerArg;

typedef struct LayerType {
    const char *name;
    const char *help;     /* one line */
    const LayerArg *args; /* ended by key NULL */
    /* From the arguments, layer->in and, for add, `with` sets out, param and running. ST_USAGE
     * (message without file and line, which the caller adds) where the shapes do not fit. */
    Status (*infer)(Layer *layer, Shape with);
    /* Multiply-adds of one image's forward pass (0 where there are none worth counting). */
    int64_t (*multiply_adds)(const Layer *layer);
} LayerType;

/* The type of a kind; borrowed, static. */
const LayerType *layer_type(LayerKind kind);

/* The kind called `name`, or -1. */
int layer_kind_of(const char *name);

/* Elements of a parameter. */
int64_t param_count(const ParamSpec *param);

#ifdef __cplusplus
}
#endif
#endif
