/* FINDS: tensor 3, an output, overlaps tensor 1 */
#include "convolution.h"

static int run(bool planted) {
    return convolve(planted ? OVERLAP : NO_MISTAKE);
}
