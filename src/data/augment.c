/* augment: turns one uint8 record into the normalised float image a network sees.
 *
 * Geometry works on bytes and in integers, and only the last pass makes floats: rotation, then crop
 * and mirror in one copy, then (v / 255 - mean) / std in float, the operations of torchvision's
 * ToTensor and Normalize in their order, so that the bits agree with theirs. Cutout overwrites the
 * finished image with the mean, which is 0.
 *
 * Nothing here depends on anything but the arguments: no state, no allocation. */
#include "lockstep/augment.h"

#include <math.h>
#include <string.h>

#include "lockstep/dataset.h"
#include "lockstep/rng.h"

enum { SIDE = DATASET_SIDE, PLANE = SIDE * SIDE, TRIG_ONE = 1 << 16 };

/* Nearest-neighbour rotation about the centre, counter-clockwise for positive `degrees`. Each
 * target pixel looks up its source; coordinates count half pixels from the centre (odd, -31 to 31),
 * sine and cosine are 16-bit fractions, so the map is exact in integers. */
static void rotate(const uint8_t *source, double degrees, uint8_t fill, uint8_t *target) {
    double radians = degrees * (3.14159265358979323846 / 180.0);
    int64_t c = lrint(cos(radians) * TRIG_ONE), s = lrint(sin(radians) * TRIG_ONE);
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            int64_t u = 2 * x - (SIDE - 1), v = 2 * y - (SIDE - 1);
            /* back to pixels, rounded: (half pixels + 31 + 1) / 2, floor */
            int64_t from_x = (c * u - s * v + (int64_t)SIDE * TRIG_ONE) >> 17;
            int64_t from_y = (s * u + c * v + (int64_t)SIDE * TRIG_ONE) >> 17;
            bool inside = from_x >= 0 && from_x < SIDE && from_y >= 0 && from_y < SIDE;
            for (int plane = 0; plane < DATASET_CHANNELS; plane++)
                target[plane * PLANE + y * SIDE + x] =
                    inside ? source[plane * PLANE + from_y * SIDE + from_x] : fill;
        }
    }
}

/* target[y][x] = source[y + down][x + right], mirrored afterwards if asked; `fill` outside. */
static void move(const uint8_t *source, int64_t down, int64_t right, bool mirror, uint8_t fill,
                 uint8_t *target) {
    int64_t begin = right < 0 ? -right : 0; /* columns [begin, end) have a source */
    int64_t end = right > 0 ? SIDE - right : SIDE;
    memset(target, fill, DATASET_PIXELS);
    for (int64_t row = 0; row < DATASET_CHANNELS * SIDE; row++) {
        int64_t from_y = row % SIDE + down;
        if (from_y < 0 || from_y >= SIDE || begin >= end)
            continue;
        const uint8_t *in = source + (row - row % SIDE + from_y) * SIDE;
        uint8_t *out = target + row * SIDE;
        if (!mirror) {
            memcpy(out + begin, in + begin + right, (size_t)(end - begin));
            continue;
        }
        for (int64_t x = begin; x < end; x++)
            out[SIDE - 1 - x] = in[x + right];
    }
}

static void cut_out(int64_t side, int64_t row, int64_t column, float *image) {
    int64_t top = row - side / 2, left = column - side / 2;
    int64_t bottom = top + side, right = left + side;
    top = top < 0 ? 0 : top;
    left = left < 0 ? 0 : left;
    bottom = bottom > SIDE ? SIDE : bottom;
    right = right > SIDE ? SIDE : right;
    for (int plane = 0; plane < DATASET_CHANNELS; plane++) {
        for (int64_t y = top; y < bottom; y++)
            memset(image + plane * PLANE + y * SIDE + left, 0,
                   (size_t)(right - left) * sizeof *image);
    }
}

/* Divisions, not a multiplication by the reciprocal: they are what the reference computes. */
static void normalise(const uint8_t *restrict plane, float mean, float std, float *restrict image) {
    for (int i = 0; i < PLANE; i++)
        image[i] = ((float)plane[i] / 255.0f - mean) / std;
}

void augment_plain(const Augment *augment, const uint8_t *pixels, float *image) {
    for (int plane = 0; plane < DATASET_CHANNELS; plane++)
        normalise(pixels + plane * PLANE, augment->mean[plane], augment->std[plane],
                  image + plane * PLANE);
}

void augment_train(const Augment *augment, uint64_t seed, int64_t epoch, int64_t record,
                   const uint8_t *pixels, float *image) {
    RngKey key = rng_key(seed, RNG_AUGMENT);
    RngBlock draw = rng_block(key, (uint32_t)epoch, (uint32_t)record, 0, 0);
    uint8_t rotated[DATASET_PIXELS], moved[DATASET_PIXELS];
    uint8_t fill = (uint8_t)augment->pad_fill;
    if (augment->rotate > 0) {
        double degrees = (2.0 * (double)rng_unit(draw.word[3]) - 1.0) * augment->rotate;
        rotate(pixels, degrees, fill, rotated);
        pixels = rotated;
    }
    int64_t pad = augment->crop_pad;
    bool mirror = (double)rng_unit(draw.word[2]) < augment->flip;
    if (pad > 0 || mirror) {
        uint32_t places = 2 * (uint32_t)pad + 1;
        int64_t down = (int64_t)rng_below(draw.word[0], places) - pad;
        int64_t right = (int64_t)rng_below(draw.word[1], places) - pad;
        move(pixels, down, right, mirror, fill, moved);
        pixels = moved;
    }
    augment_plain(augment, pixels, image);
    if (augment->cutout > 0) {
        draw = rng_block(key, (uint32_t)epoch, (uint32_t)record, 1, 0);
        cut_out(augment->cutout, rng_below(draw.word[0], SIDE), rng_below(draw.word[1], SIDE),
                image);
    }
}
