/* silu: y = x sigmoid(x): Elfwing et al. 2018 (arXiv:1702.03118), also called swish. */
#include "layers.h"

const LayerType layer_silu = {
    .name = "silu",
    .help = "x times sigmoid(x)",
    .shape = "C x H x W",
    .formula = "out = in / (1 + exp(-in))",
    .example = "conv c=16 k=3 p=1\nsilu",
    .args = layer_no_args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = layer_infer_same,
};
