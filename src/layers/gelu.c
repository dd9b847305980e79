/* gelu: y = x Phi(x) with the exact normal distribution function (erf), as PyTorch's default. */
#include "layers.h"

const LayerType layer_gelu = {
    .name = "gelu",
    .help = "x times the normal distribution function of x",
    .args = layer_no_args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = layer_infer_same,
};
