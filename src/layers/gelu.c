/* gelu: y = x Phi(x) with the exact normal distribution function (erf), as PyTorch's default. */
#include "layers.h"

const LayerType layer_gelu = {"gelu", "x times the normal distribution function of x",
                              layer_no_args, layer_infer_same, layer_no_multiply_adds};
