/* moments: see moments.h. */
#include "lockstep/moments.h"

#include <math.h>

/* Of one plane: at most 64 x 64 squares below 2^16. */
static void add_plane(const uint8_t *plane, int64_t pixels, int64_t *sum, int64_t *squares) {
    uint32_t total = 0, total_squares = 0;
    for (int64_t i = 0; i < pixels; i++) {
        total += plane[i];
        total_squares += (uint32_t)plane[i] * plane[i];
    }
    *sum += total;
    *squares += total_squares;
}

void moments_add(Shape image, const uint8_t *pixels, int64_t images, int64_t sums[MOMENTS_COUNT]) {
    int64_t plane = image.h * image.w;
    sums[0] += images * plane;
    for (int64_t i = 0; i < images * image.c; i++)
        add_plane(pixels + i * plane, plane, &sums[1 + i % image.c],
                  &sums[1 + IMAGE_CHANNELS_MAX + i % image.c]);
}

void moments_take(Shape image, const int64_t sums[MOMENTS_COUNT], double *mean, double *std) {
    __int128 n = sums[0];
    for (int64_t c = 0; c < image.c; c++) {
        __int128 sum = sums[1 + c], squares = sums[1 + IMAGE_CHANNELS_MAX + c];
        mean[c] = (double)sums[1 + c] / (double)sums[0];
        /* the root of n squares - sum^2, which is below 2^106, over n */
        std[c] = sqrt((double)(n * squares - sum * sum)) / (double)sums[0];
    }
}
