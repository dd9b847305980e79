/* scale: y = by x with a constant, not learned, factor. */
#include "layers.h"

static const LayerArg args[] = {
    {"by", ARG_REAL, offsetof(Layer, args.scale.factor), -1e6, 1e6, 0, true, "the factor"},
    {0},
};

const LayerType layer_scale = {"scale", "times a constant", args, layer_infer_same,
                               layer_no_multiply_adds};
