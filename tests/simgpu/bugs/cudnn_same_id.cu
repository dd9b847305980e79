/* FINDS: two tensors of one graph share the unique id 1 */
#include "convolution.h"

static int run(bool planted) {
    return convolve(planted ? SAME_ID : NO_MISTAKE);
}
