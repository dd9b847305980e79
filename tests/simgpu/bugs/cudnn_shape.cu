/* FINDS: convolution: dimension 3 of tensor 3 is 4, 5 would fit */
#include "convolution.h"

static int run(bool planted) {
    return convolve(planted ? WRONG_SHAPE : NO_MISTAKE);
}
