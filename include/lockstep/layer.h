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
    LAYER_KINDS
} LayerKind;

/* Limits of a layer. Whoever keeps something for each input, parameter or running statistic of a
 * layer, backends included, sizes it by these. */
enum {
    LAYER_NAME_MAX = 32,
    LAYER_INPUTS_MAX = 4,
    LAYER_PARAMS_MAX = 2,
    LAYER_RUNNING_MAX = 2,
    WHITENING_KERNEL_MAX = 6, /* of a convolution with INIT_WHITENING */
    LAYER_IMAGE = -1          /* in place of a layer's index: what it reads is the image */
};

/* Whose images batch norm takes mean and variance of, in training. */
typedef enum BnOver { BN_OVER_LANE, BN_OVER_BATCH } BnOver;

/* The arguments of the kinds that have any: ConvArgs, PoolArgs ... (layers.def). */
#define ARGS(member, Type, ...)                                                                    \
    typedef struct Type {                                                                          \
        __VA_ARGS__                                                                                \
    } Type;
#include "lockstep/layers.def"

/* How a parameter begins; g stands for ParamSpec.init_arg. fan_in is how many of its elements meet
 * in one output, dim[1] dim[2] dim[3]; fan_out, how many outputs an input meets, dim[0] dim[2]
 * dim[3]. Model text can ask for those up to INIT_WHITENING, for a bias for the first three. */
typedef enum InitKind {
    INIT_ZERO,
    INIT_NORMAL,         /* N(0, g^2) */
    INIT_FAN_IN_UNIFORM, /* U(-b, b), b = g / sqrt(fan_in): PyTorch's default, with g = 1 */
    INIT_HE_NORMAL,      /* N(0, s^2), s = g / sqrt(fan_in); before a ReLU g = sqrt(2) */
    INIT_HE_UNIFORM,     /* U(-b, b), b = g sqrt(3 / fan_in) */
    INIT_GLOROT_NORMAL,  /* N(0, s^2), s = g sqrt(2 / (fan_in + fan_out)) */
    INIT_GLOROT_UNIFORM, /* U(-b, b), b = g sqrt(6 / (fan_in + fan_out)) */
    INIT_DIRAC,          /* O,I,KH,KW: g in the kernel's middle of filter i's input i, else 0 */
    INIT_PARTIAL_DIRAC,  /* so are the first I filters; those behind them as INIT_FAN_IN_UNIFORM
                          * with g = 1: Jordan's airbench94 */
    INIT_WHITENING,      /* from images, see model_whiten; g is its eps */
    INIT_ONE,
    INIT_CONSTANT, /* g */
    INIT_UNIFORM   /* U(-g, g) */
} InitKind;

/* One parameter or running statistic of a layer. */
typedef struct ParamSpec {
    const char *role; /* "weight", "bias", "running_mean", "running_var" */
    int ndim;         /* 1 (bias, bn), 2 (linear weight O,I), 4 (conv weight O,I,KH,KW) */
    int64_t dim[4];   /* logical, row-major; unused are 1 */
    InitKind init;
    double init_arg; /* where `init` has a g */
    bool decay;      /* false for biases and batch norm, which weight decay may spare */
    double momentum; /* running statistics: share of a step's value, the mean over lanes */
} ParamSpec;

/* What text may say of how a weight and its bias begin: arguments that several kinds have. */
typedef struct InitArgs {
    InitKind weight; /* init */
    InitKind bias;   /* bias_init; by fan-in: that of the weight */
    double gain;     /* of what is scaled by one; 0, until infer: the usual one */
    double std;      /* of INIT_NORMAL */
    double whitening_eps;
} InitArgs;

typedef struct Layer {
    LayerKind kind;
    char name[LAYER_NAME_MAX];   /* its label in the text, or kind and ordinal: conv1, conv2, bn1 */
    int line;                    /* of the model text, from 1 */
    int n_in;                    /* layers read */
    int input[LAYER_INPUTS_MAX]; /* [n_in] index of each, or LAYER_IMAGE */
    Shape in[LAYER_INPUTS_MAX];  /* [n_in] their outputs, per image */
    Shape out;                   /* per image */
    union {
#define ARGS(member, Type, ...) Type member;
#include "lockstep/layers.def"
    } args;
    InitArgs init; /* of kinds with LayerType.init */
    int n_params;
    ParamSpec param[LAYER_PARAMS_MAX]; /* weight, bias */
    int n_running;
    ParamSpec running[LAYER_RUNNING_MAX]; /* bn: running_mean, running_var */
} Layer;

/* What an argument's value is, and the field of Layer that holds it. */
/* Where the bias of a batch norm stands among its parameters: first, where its scale is fixed. */
static inline int bn_bias_param(const Layer *layer) {
    return layer->args.bn.scale ? 1 : 0;
}

typedef enum ArgType {
    ARG_INT,     /* int64_t */
    ARG_OUTPUTS, /* int64_t; the word `classes`: as many as the data set has */
    ARG_REAL,    /* double */
    ARG_FLAG,    /* bool */
    ARG_WORD     /* an enum: index of one of `words` */
} ArgType;

/* What holds where text does not give an argument. */
typedef enum ArgAbsent {
    ABSENT_DEFAULT,        /* the value `otherwise` */
    ABSENT_REFUSED,        /* nothing: text must give it */
    ABSENT_INIT,           /* what LayerType.init has */
    ABSENT_LABEL_SMOOTHING /* the value of the run's option label-smoothing (model_parse) */
} ArgAbsent;

/* One argument a kind takes in model text: `key=value`, or a bare `key` for a flag (key=0 unsets
 * it). */
typedef struct LayerArg {
    const char *key;
    ArgType type;
    size_t offset;   /* of its field in Layer */
    double min, max; /* of numbers */
    double otherwise;
    ArgAbsent absent;
    const char *help;
    const char *const *words; /* of ARG_WORD, ended by NULL; otherwise NULL */
} LayerArg;

/* How the weights of kinds begin where text does not say, and what it may say. */
typedef struct InitRule {
    InitArgs otherwise;
    const LayerArg *args; /* of Layer.init; ended by key NULL */
} InitRule;

extern const InitRule layer_init_weight; /* a weight that sums are made of, and a bias: PyTorch's */
extern const InitRule layer_init_vector; /* learned numbers that stand for themselves: N(0, 1) */

/* What the elements of a kind's output are. */
typedef enum ElementRule {
    ELEMENTS_ACTIVATION, /* Device.real, or narrower where the device computes in bf16 */
    ELEMENTS_REAL        /* Device.real whatever the precision */
} ElementRule;

/* What is to be known of a kind: model text, description and programs ask here and know no kind by
 * name (but for fuse.c, which says why). */
typedef struct LayerType {
    const char *name;
    const char *help; /* one line */
    /* The reference of model text (model_reference) prints these. An input is C x H x W, an output
     * c x h x w, in[] and out[] their elements; a second input has C2, H2, W2 and in2[]. Small
     * letters are arguments, if arguments are called so. */
    const char *shape;   /* the rule that infer follows: "c x h x w, h = ..." */
    const char *formula; /* what is computed: "out[c, y, x] = ..." */
    /* Lines of model text that hold the kind. They read a 3 x 32 x 32 image, and a linear layer
     * follows, unless they end with a loss. */
    const char *example;
    const LayerArg *args; /* its own; ended by key NULL */
    const InitRule *init; /* of its weight, param[0]; NULL: text has no say */
    /* Layers it reads: the one before it, or from=, and behind that as many as with= names. */
    int min_inputs, max_inputs;
    /* It reads labels and ends a model, as no other layer can. Text without one gets the first of
     * these in layers.def. */
    bool is_loss;
    ElementRule elements;
    /* It computes along the channels of each position: a device that can choose keeps them together
     * in all of the program. */
    bool along_channels;
    /* From the arguments, n_in and in[] sets out, param and running. ST_USAGE (message without file
     * and line, which the caller adds) where the shapes do not fit. */
    Status (*infer)(Layer *layer);
    /* Multiply-adds of one image's forward pass; NULL where there are none worth counting. */
    int64_t (*multiply_adds)(const Layer *layer);
    /* Whether other arguments imply the value of `arg`, so that text need not show it; or NULL. */
    bool (*implies)(const Layer *layer, const LayerArg *arg);
} LayerType;

/* The type of a kind; borrowed, static. */
const LayerType *layer_type(LayerKind kind);

/* The kind called `name`, or -1. */
int layer_kind_of(const char *name);

/* LayerType.multiply_adds, 0 where it is NULL. */
int64_t layer_multiply_adds(const Layer *layer);

/* The arguments of a kind, i from 0: its own, then those of its InitRule; NULL behind the last. */
const LayerArg *layer_arg(const LayerType *type, int i);

/* What an argument of a kind with that rule is where text does not say; nothing for ABSENT_REFUSED
 * and ABSENT_LABEL_SMOOTHING. */
double layer_arg_default(const InitRule *init, const LayerArg *arg);

/* Whether text need not show an argument: it is what it would be without. */
bool layer_arg_is_implied(const Layer *layer, const LayerArg *arg);

/* False for an argument of an InitRule that the layer's way to begin makes no use of. */
bool layer_arg_is_used(const Layer *layer, const LayerArg *arg);

/* What infer does not look at: ST_USAGE where the layer cannot begin as text asks. */
Status layer_check_init(const Layer *layer);

/* The value of an argument; of a flag, 0 or 1; of a word, its index. Bounds keep integers exact in
 * a double. */
double layer_arg_value(const Layer *layer, const LayerArg *arg);

/* "zero", "fan_in_uniform" ...: as the enum, in lower case. */
const char *init_name(InitKind init);

/* Of a `mul`: which of its inputs gates the channels of the other; -1 where both have one shape. */
int layer_mul_gate(const Layer *layer);

/* Elements of a parameter. */
int64_t param_count(const ParamSpec *param);

#ifdef __cplusplus
}
#endif
#endif
