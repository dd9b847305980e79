/* FINDS: the plan needs a workspace of 4096 bytes, none is given */
#include "convolution.h"

static int run(bool planted) {
    return convolve(planted ? NO_WORKSPACE : NO_MISTAKE);
}
