/* FINDS: leak: 1 events left at the end */
#include "bug.h"

static int run(bool planted) {
    cudaEvent_t event = new_event();
    if (!planted)
        CUDA(cudaEventDestroy(event));
    return 0;
}
