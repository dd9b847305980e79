/* droppath: in training sets all of an image to 0 with probability p and scales the others by
 * 1 / (1 - p); in evaluation the identity. On the branch of a residual network before its addition
 * this is stochastic depth (Huang, Sun, Liu, Sedra, Weinberger, "Deep networks with stochastic
 * depth", 2016). */
#include "layers.h"

const LayerType layer_droppath = {
    .name = "droppath",
    .help = "a branch left out of random images in training: stochastic depth",
    .shape = "C x H x W",
    .formula = "training: out = 0 for the whole image with probability p, else in / (1 - p); "
               "evaluation: out = in",
    .example = "a: conv c=16 k=3 p=1\nconv c=16 k=3 p=1\ndroppath p=0.1\nadd with=a",
    .args = layer_dropout_args,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = layer_infer_dropout,
};
