/* add: the sum of two layers' outputs of one shape: residual connections. */
#include "layers.h"

static Status infer(Layer *layer, Shape with) {
    Shape in = layer->in;
    if (in.c != with.c || in.h != with.h || in.w != with.w) {
        return FAIL(ST_USAGE,
                    "add: cannot add shapes %lld x %lld x %lld and %lld x %lld x %lld: both must "
                    "be the same",
                    (long long)in.c, (long long)in.h, (long long)in.w, (long long)with.c,
                    (long long)with.h, (long long)with.w);
    }
    return layer_infer_same(layer, with);
}

const LayerType layer_add = {"add", "sum with another layer, named by with=", layer_no_args, infer,
                             layer_no_multiply_adds};
