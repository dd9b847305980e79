/* avgpool: the mean of each window, padding not counted. */
#include "layers.h"

const LayerType layer_avgpool = {
    .name = "avgpool",
    .help = "mean over windows, padding not counted",
    .shape = "C x h x w, h = (H + 2 p - k) / s + 1 rounded down, w alike; global: C x 1 x 1",
    .formula = "out[c, y, x] = mean over u, v < k of in[c, s y + u - p, s x + v - p], of those "
               "inside of the input",
    .example = "avgpool global",
    .args = layer_pool_args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = layer_infer_pool,
    .implies = layer_pool_implies,
};
