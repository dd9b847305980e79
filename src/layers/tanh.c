/* tanh: y = tanh(x). */
#include "layers.h"

const LayerType layer_tanh = {
    .name = "tanh",
    .help = "hyperbolic tangent",
    .shape = "C x H x W",
    .formula = "out = tanh(in)",
    .example = "linear c=16\ntanh",
    .args = layer_no_args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = layer_infer_same,
};
