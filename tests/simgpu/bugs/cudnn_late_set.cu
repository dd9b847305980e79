/* FINDS: attribute 906 set after its descriptor .* was finalized */
#include "convolution.h"

static int run(bool planted) {
    return convolve(planted ? SET_AFTER_FINALIZE : NO_MISTAKE);
}
