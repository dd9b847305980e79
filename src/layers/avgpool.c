/* avgpool: the mean of each window, padding not counted. */
#include "layers.h"

const LayerType layer_avgpool = {"avgpool", "mean over windows, padding not counted",
                                 layer_pool_args, layer_infer_pool, layer_no_multiply_adds};
