/* FINDS: tensor 1 lies at .* not aligned to the 16 bytes */
#include "convolution.h"

static int run(bool planted) {
    return convolve(planted ? MISALIGNED : NO_MISTAKE);
}
