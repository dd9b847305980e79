/* FINDS: convolution: convolution: out of bounds: \[0, 200\) of allocation 3 */
#include "convolution.h"

static int run(bool planted) {
    return convolve(planted ? SMALL_OUTPUT : NO_MISTAKE);
}
