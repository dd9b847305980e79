/* FINDS: tensor 3 overlaps the workspace */
#include "convolution.h"

static int run(bool planted) {
    return convolve(planted ? WORKSPACE_OVERLAP : NO_MISTAKE);
}
