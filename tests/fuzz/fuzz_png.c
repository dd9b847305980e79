/* A picture for `lockstep predict`: any file is read or refused; what was read is the same once it
 * was written by lockstep and read again. */
#include "lockstep/painter.h"
#include "scratch.h"

/* Pixels: writing takes longer than reading. */
enum { WRITTEN_MAX = 1 << 16 };

static void write_and_read(const PngImage *image) {
    Picture picture = {.planes = image->planes, .channels = 3, .h = image->h, .w = image->w};
    PngImage again;
    char *bytes;
    size_t size;
    MUST(png_encode(&picture, &bytes, &size) == ST_OK);
    MUST(png_read(scratch_write("again.png", bytes, size), &again) == ST_OK);
    MUST(again.h == image->h && again.w == image->w);
    MUST(memcmp(again.planes, image->planes, (size_t)(3 * image->h * image->w)) == 0);
    free(again.planes);
    free(bytes);
}

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
        if (image.h * image.w <= WRITTEN_MAX)
            write_and_read(&image);
        free(image.planes);
    }
    scratch_judge(status);
    return 0;
}
