/* relu: y = max(x, 0). */
#include "layers.h"

const LayerType layer_relu = {"relu", "max(x, 0)", layer_no_args, layer_infer_same,
                              layer_no_multiply_adds};
