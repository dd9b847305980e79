/* FINDS: is not a cuDNN descriptor, or was destroyed */
#include "convolution.h"

static int run(bool planted) {
    return convolve(planted ? DESTROYED : NO_MISTAKE);
}
