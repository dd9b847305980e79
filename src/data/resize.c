/* resize: see resize.h. One axis after the other, in double, rounded once at the end. */
#include "lockstep/resize.h"

#include <math.h>
#include <stdlib.h>

Cut resize_cut(int64_t w, int64_t h, Shape to) {
    Cut cut = {.w = w, .h = h};
    if (w * to.h > h * to.w)
        cut.w = llround((double)h * (double)to.w / (double)to.h);
    else
        cut.h = llround((double)w * (double)to.h / (double)to.w);
    cut.w = cut.w > 0 ? cut.w : 1;
    cut.h = cut.h > 0 ? cut.h : 1;
    cut.x = (w - cut.w) / 2;
    cut.y = (h - cut.h) / 2;
    return cut;
}

/* What pixel i of `to` is made of, where `from` pixels become `to`: those from *first on, with
 * weights weight[*n] that sum to 1: a triangle about its centre, two pixels of the coarser of both
 * wide. */
static void weights_of(int64_t from, int64_t to, int64_t i, double *weight, int64_t *first,
                       int64_t *n) {
    double scale = (double)from / (double)to, support = fmax(scale, 1), sum = 0;
    double centre = scale * ((double)i + 0.5);
    int64_t begin = (int64_t)fmax(0, floor(centre - support + 0.5));
    int64_t end = (int64_t)fmin((double)from, floor(centre + support + 0.5));
    for (int64_t j = begin; j < end; j++) {
        weight[j - begin] = fmax(0, 1 - fabs((double)j + 0.5 - centre) / support);
        sum += weight[j - begin];
    }
    for (int64_t j = begin; j < end; j++)
        weight[j - begin] /= sum;
    *first = begin;
    *n = end - begin;
}

/* One plane: rows first, into half[cut.h][to.w]. `weight` has room for the longer side. */
static void resize_plane(const uint8_t *plane, int64_t w, Cut cut, Shape to, double *half,
                         double *weight, uint8_t *out) {
    int64_t first, n;
    for (int64_t x = 0; x < to.w; x++) {
        weights_of(cut.w, to.w, x, weight, &first, &n);
        for (int64_t y = 0; y < cut.h; y++) {
            const uint8_t *row = plane + (cut.y + y) * w + cut.x + first;
            double sum = 0;
            for (int64_t j = 0; j < n; j++)
                sum += weight[j] * row[j];
            half[y * to.w + x] = sum;
        }
    }
    for (int64_t y = 0; y < to.h; y++) {
        weights_of(cut.h, to.h, y, weight, &first, &n);
        for (int64_t x = 0; x < to.w; x++) {
            double sum = 0.5;
            for (int64_t j = 0; j < n; j++)
                sum += weight[j] * half[(first + j) * to.w + x];
            out[y * to.w + x] = (uint8_t)fmin(255, floor(sum));
        }
    }
}

Status resize_planes(const uint8_t *planes, int64_t w, int64_t h, Cut cut, Shape to, uint8_t *out) {
    int64_t longer = cut.w > cut.h ? cut.w : cut.h;
    double *half = malloc((size_t)(cut.h * to.w) * sizeof *half);
    double *weight = malloc((size_t)(longer + 2) * sizeof *weight);
    Status status = half && weight ? ST_OK : FAIL(ST_INTERNAL, "out of memory for a picture");
    for (int64_t c = 0; status == ST_OK && c < to.c; c++)
        resize_plane(planes + c * w * h, w, cut, to, half, weight, out + c * to.h * to.w);
    free(half);
    free(weight);
    return status;
}
