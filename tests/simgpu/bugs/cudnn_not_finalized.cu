/* FINDS: a tensor was not finalized */
#include "convolution.h"

static int run(bool planted) {
    return convolve(planted ? NOT_FINALIZED : NO_MISTAKE);
}
