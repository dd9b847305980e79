/* gelu: y = x Phi(x) with the exact normal distribution function (erf), as PyTorch's default. */
#include "layers.h"

const LayerType layer_gelu = {
    .name = "gelu",
    .help = "x times the normal distribution function of x",
    .shape = "C x H x W",
    .formula = "out = in Phi(in), Phi the normal distribution function (exact, by erf)",
    .example = "conv c=16 k=3 p=1\ngelu",
    .args = layer_no_args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = layer_infer_same,
};
