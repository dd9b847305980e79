/* avgpool: the mean of each window, padding not counted. */
#include "layers.h"

const LayerType layer_avgpool = {
    .name = "avgpool",
    .help = "mean over windows, padding not counted",
    .args = layer_pool_args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = layer_infer_pool,
    .implies = layer_pool_implies,
};
