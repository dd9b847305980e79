/* mul: the product of two layers' outputs, element by element: both of one shape, or one of them a
 * gate: C x 1 x 1, a factor for each channel of the other (Hu, Shen, Sun, "Squeeze-and-excitation
 * networks", 2018). */
#include <inttypes.h>

#include "layers.h"

int layer_mul_gate(const Layer *layer) {
    Shape a = layer->in[0], b = layer->in[1];
    if (a.h == b.h && a.w == b.w)
        return -1;
    return a.h * a.w == 1 ? 0 : 1;
}

static Status infer(Layer *layer) {
    int gate = layer_mul_gate(layer);
    Shape map = layer->in[gate == 0 ? 1 : 0], other = layer->in[gate == 0 ? 0 : 1];
    if (other.c != map.c || (gate >= 0 && other.h * other.w != 1)) {
        return FAIL(ST_USAGE,
                    "mul: cannot multiply shapes %" PRId64 " x %" PRId64 " x %" PRId64
                    " and %" PRId64 " x %" PRId64 " x %" PRId64
                    ": both must be the same, or one the other's channels x 1 x 1",
                    layer->in[0].c, layer->in[0].h, layer->in[0].w, layer->in[1].c, layer->in[1].h,
                    layer->in[1].w);
    }
    layer->out = map;
    return ST_OK;
}

const LayerType layer_mul = {
    .name = "mul",
    .help = "product with another layer, named by with=; one of them may be C x 1 x 1: a gate of "
            "each channel",
    .shape = "that of the larger input; the other has the same, or its channels x 1 x 1",
    .formula = "out[c, y, x] = in[c, y, x] in2[c, y, x], or in[c, y, x] in2[c] of a gate",
    .example = "x: conv c=16 k=3 p=1\navgpool global\nlinear c=4\nrelu\nlinear c=16\nmul with=x",
    .args = layer_no_args,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
};
