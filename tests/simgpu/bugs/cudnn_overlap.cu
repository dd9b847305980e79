/* FINDS: tensor 3, an output, overlaps tensor 1 */
#include "cudnn.h"

static int run(bool planted) {
    return convolve(planted ? OVERLAP : NO_MISTAKE);
}
