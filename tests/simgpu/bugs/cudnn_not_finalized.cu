/* FINDS: a tensor was not finalized */
#include "cudnn.h"

static int run(bool planted) {
    return convolve(planted ? NOT_FINALIZED : NO_MISTAKE);
}
