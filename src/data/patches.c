/* patches: see patches.h. */
#include "lockstep/patches.h"

int64_t patch_elements(Shape image, int64_t kernel) {
    return image.c * kernel * kernel;
}

int64_t patch_sums_count(Shape image, int64_t kernel) {
    int64_t d = patch_elements(image, kernel);
    return 1 + d + d * d;
}

/* Where element i of the first patch stands in an image. */
static int64_t place_of(Shape image, int64_t kernel, int64_t i) {
    int64_t column = i % kernel, row = i / kernel % kernel, channel = i / (kernel * kernel);
    return (channel * image.h + row) * image.w + column;
}

static int64_t sum(const uint8_t *a, int64_t rows, int64_t columns, int64_t width) {
    int64_t total = 0;
    for (int64_t y = 0; y < rows; y++) {
        for (int64_t x = 0; x < columns; x++)
            total += a[y * width + x];
    }
    return total;
}

/* A row's sum fits 32 bits: 64 columns at most of products below 2^16. */
static int64_t sum_of_products(const uint8_t *a, const uint8_t *b, int64_t rows, int64_t columns,
                               int64_t width) {
    int64_t total = 0;
    for (int64_t y = 0; y < rows; y++) {
        uint32_t row = 0;
        for (int64_t x = 0; x < columns; x++)
            row += (uint32_t)a[y * width + x] * b[y * width + x];
        total += row;
    }
    return total;
}

void patch_sums_add(Shape image, int64_t kernel, const uint8_t *pixels, int64_t images,
                    int64_t *sums) {
    int64_t d = patch_elements(image, kernel), rows = image.h - kernel + 1,
            columns = image.w - kernel + 1;
    int64_t *first = sums + 1, *second = first + d;
    sums[0] += images * rows * columns;
    for (int64_t n = 0; n < images; n++) {
        const uint8_t *at = pixels + n * shape_count(image);
        for (int64_t i = 0; i < d; i++) {
            const uint8_t *a = at + place_of(image, kernel, i);
            first[i] += sum(a, rows, columns, image.w);
            for (int64_t j = 0; j <= i; j++) {
                const uint8_t *b = at + place_of(image, kernel, j);
                second[i * d + j] += sum_of_products(a, b, rows, columns, image.w);
            }
        }
    }
}

void patch_moments(Shape image, int64_t kernel, const PixelScale *scale, const int64_t *sums,
                   double *moments) {
    int64_t d = patch_elements(image, kernel), area = kernel * kernel;
    const int64_t *first = sums + 1, *second = first + d;
    double patches = (double)sums[0], unit = scale->unit;
    for (int64_t i = 0; i < d; i++) {
        for (int64_t j = 0; j <= i; j++) {
            /* A scaled pixel is (byte - zero) / range. */
            double range_i = unit * scale->std[i / area], zero_i = unit * scale->mean[i / area];
            double range_j = unit * scale->std[j / area], zero_j = unit * scale->mean[j / area];
            double product = (double)second[i * d + j] / patches;
            double mean_i = (double)first[i] / patches, mean_j = (double)first[j] / patches;
            double value = (product - zero_j * mean_i - zero_i * mean_j + zero_i * zero_j) /
                           (range_i * range_j);
            moments[i * d + j] = moments[j * d + i] = value;
        }
    }
}
