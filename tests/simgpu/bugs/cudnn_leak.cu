/* FINDS: leak: 1 cuDNN descriptors left at the end */
#include "convolution.h"

static int run(bool planted) {
    return convolve(planted ? LEFT_BEHIND : NO_MISTAKE);
}
