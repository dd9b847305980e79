/* A picture for `lockstep predict`: any file is read or refused. */
#include "lockstep/painter.h"
#include "scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    PngImage image;
    Status status = png_read(scratch_write("image.png", data, size), &image);
    if (status == ST_OK) {
        uint64_t sum = 0; /* of all that it is said to hold */
        for (size_t i = 0; i < (size_t)3 * (size_t)image.h * (size_t)image.w; i++)
            sum += image.planes[i];
        MUST(image.h > 0 && image.w > 0 &&
             sum <= UINT64_C(765) * (uint64_t)image.h * (uint64_t)image.w);
        free(image.planes);
    }
    scratch_judge(status);
    return 0;
}
