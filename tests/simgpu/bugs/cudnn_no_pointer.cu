/* FINDS: the variant pack has no pointer for tensor 3 */
#include "convolution.h"

static int run(bool planted) {
    return convolve(planted ? NO_POINTER : NO_MISTAKE);
}
