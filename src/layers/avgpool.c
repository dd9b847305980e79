/* avgpool: the mean of each window; padding is not counted, or as zeros (PyTorch's
 * count_include_pad). */
#include "layers.h"

const LayerType layer_avgpool = {
    .name = "avgpool",
    .help = "mean over windows",
    .shape = "C x h x w, h = (H + 2 p - k) / s + 1 rounded down, w alike; global: C x 1 x 1",
    .formula = "out[c, y, x] = mean over u, v < k of in[c, s y + u - p, s x + v - p], of those "
               "inside of the input; count_pad: their sum / k^2",
    .example = "avgpool global",
    .args = layer_avgpool_args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = layer_infer_pool,
    .implies = layer_pool_implies,
};
