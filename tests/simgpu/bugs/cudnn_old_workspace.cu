/* FINDS: source: uninitialised read: byte 0 of allocation 4 .* was never written */
#include "convolution.h"

static int run(bool planted) {
    return convolve(planted ? OLD_WORKSPACE : NO_MISTAKE);
}
