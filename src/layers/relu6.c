/* relu6: y = min(max(x, 0), 6): MobileNet's (arXiv:1704.04861). The slope at 0 and at 6 is 0. */
#include "layers.h"

const LayerType layer_relu6 = {
    .name = "relu6",
    .help = "min(max(x, 0), 6)",
    .shape = "C x H x W",
    .formula = "out = min(max(in, 0), 6)",
    .example = "conv c=16 k=3 p=1\nbn\nrelu6",
    .args = layer_no_args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = layer_infer_same,
};
