/* relu: y = max(x, 0). */
#include "layers.h"

const LayerType layer_relu = {
    .name = "relu",
    .help = "max(x, 0)",
    .shape = "C x H x W",
    .formula = "out = max(in, 0)",
    .example = "conv c=16 k=3 p=1\nrelu",
    .args = layer_no_args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = layer_infer_same,
};
