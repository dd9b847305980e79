/* relu: y = max(x, 0). */
#include "layers.h"

const LayerType layer_relu = {
    .name = "relu",
    .help = "max(x, 0)",
    .args = layer_no_args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = layer_infer_same,
};
