/* model: model text -> layers with shapes, and the flat order of all parameters. Device-free,
 * Local.
 *
 * All weights of a model stand in one flat range, in model-text order; so do gradients, optimizer
 * slots and moving averages. Checkpoints, buckets, hashes and the optimizer work on ranges of it.
 * Each view starts at a multiple of PARAM_ALIGN elements; the gap before it is zero and stays zero.
 */
#ifndef LOCKSTEP_MODEL_H
#define LOCKSTEP_MODEL_H

#include <stdio.h>

#include "lockstep/layer.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PARAM_ALIGN = 16, PARAM_NAME_MAX = LAYER_NAME_MAX + 16 };

/* A named range of the flat parameters (or of the flat running statistics). */
typedef struct ParamView {
    char name[PARAM_NAME_MAX]; /* LAYER.ROLE: "conv1.weight", "bn1.running_var" */
    int layer;                 /* index of its layer */
    int which;                 /* index in Layer.param or Layer.running */
    int64_t offset, count;     /* elements */
    ParamSpec spec;
} ParamView;

typedef struct Model {
    Shape image; /* n = 1: 3 x 32 x 32 */
    int64_t classes;
    int n_layers;
    Layer *layers; /* [n_layers], the last is the loss */
    int n_params;
    ParamView *params;  /* [n_params], ascending offsets */
    int64_t flat;       /* elements of a flat buffer, gaps included, a multiple of PARAM_ALIGN */
    int64_t parameters; /* trainable parameters, gaps not counted */
    int n_running;
    ParamView *running; /* [n_running] */
    int64_t running_flat;
    float *class_weights; /* [outputs] the largest is 1; NULL: all alike (model_weigh_classes) */
} Model;

/* Parses model text. One layer a line: `[label:] kind [key=value | flag]...`; `#` starts a comment.
 * A layer reads the line before it unless `from=LABEL` says otherwise; a kind of several inputs
 * takes the others from `with=A,B`. Where the text does not end with a loss, one is appended;
 * `smoothing` is what its label smoothing is where the text does not say. The last layer
 * before it must give at least `classes` x 1 x 1: an output beyond them is no class, but has its
 * share of softmax and smoothing. ST_USAGE naming `source` and the line (counted from
 * first_line) and, for a misspelt word, the nearest known one. */
Status model_parse(const char *text, const char *source, int first_line, Shape image,
                   int64_t classes, double smoothing, Model *model);
void model_free(Model *model);

/* Gives the classes weights in the loss: as many numbers, with commas between them, as there are
 * classes; "" gives none. They are divided by the largest, of which a mean loss does not depend,
 * and outputs beyond the classes weigh as much as it. ST_USAGE: another number of them, or one that
 * is less than 1 / CLASS_WEIGHTS_RANGE of another. */
enum { CLASS_WEIGHTS_RANGE = 10000 };
Status model_weigh_classes(Model *model, const char *text);

/* Writes the initial weights, as the ParamSpecs say, from Philox counters of `seed`: by default
 * PyTorch's (conv and linear weight and bias U(-1/sqrt(fan_in), 1/sqrt(fan_in)), bn weight 1 and
 * bias 0). weights[flat], running[running_flat] (mean 0, variance 1). Whitening filters
 * remain 0: session_initial_weights has the images. */
void model_init(const Model *model, uint64_t seed, float *weights, float *running);

/* Fills the weight of one parameter that begins by INIT_WHITENING, which model_init leaves 0; it
 * has no images. moments[d][d], d = dim[1] dim[2] dim[3]: the mean over patches of images of the
 * product of each two of their elements; overwritten. ST_INTERNAL: memory. */
Status model_whiten(const ParamView *view, double *moments, float *weights);

/* Prints one line a layer: name, output shape, parameters, multiply-adds and bytes of its
 * activations for one image; then totals. */
void model_describe(const Model *model, int64_t lane_batch, FILE *out);

/* The same as one JSON object: image [C, H, W], classes, parameters, multiply_adds, and layers in
 * text order, each with name, kind, loss, inputs (names, "image"), in and out (shapes), args (key
 * to value, all of them), params and running (name, shape, decay, init, init_arg), multiply_adds.
 */
void model_describe_json(const Model *model, FILE *out);

/* Prints the reference of model text from the table of kinds, as a page of Markdown or as plain
 * text; of one `kind`, or with -1 all of it. ST_INTERNAL where an example cannot be parsed. */
Status model_reference(int kind, bool markdown, FILE *out);

/* The name of a layer, or "image". Borrowed. */
const char *model_layer_name(const Model *model, int layer);

/* Multiply-adds of one image's forward pass; a training step costs about three times as many. */
int64_t model_multiply_adds(const Model *model);

#ifdef __cplusplus
}
#endif
#endif
