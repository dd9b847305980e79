/* augment: turns one uint8 record into the normalised float image a network sees.
 *
 * What is done to a record is drawn first, as a Placement, which any device can carry out; here it
 * is done on bytes and in integers, and only the last pass makes floats: rotation, then crop and
 * mirror in one copy, then (v / 255 - mean) / std in float, the operations of torchvision's
 * ToTensor and Normalize in their order, so that the bits agree with theirs. Cutout overwrites the
 * finished image with the mean, which is 0.
 *
 * Nothing here depends on anything but the arguments: no state, no allocation. */
#include "lockstep/augment.h"

#include <math.h>
#include <string.h>

#include "lockstep/rng.h"

enum { PIXELS_MAX = IMAGE_CHANNELS_MAX * IMAGE_SIDE_MAX * IMAGE_SIDE_MAX };

/* Nearest-neighbour rotation about the centre, each target pixel looking up its source as in
 * placement_source. */
static void rotate(Shape shape, const uint8_t *source, const Placement *placement,
                   uint8_t *target) {
    int height = (int)shape.h, width = (int)shape.w;
    Placement turn = placement_plain(0);
    turn.cosine = placement->cosine;
    turn.sine = placement->sine;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            int from = placement_source(&turn, height, width, y, x);
            for (int plane = 0; plane < shape.c; plane++) {
                int64_t begin = plane * shape.h * shape.w;
                target[begin + y * width + x] = from >= 0 ? source[begin + from] : placement->fill;
            }
        }
    }
}

/* target[y][x] = source[y + down][x + right], mirrored afterwards if asked; `fill` outside. */
static void move(Shape shape, const uint8_t *source, const Placement *placement, uint8_t *target) {
    int64_t down = placement->down, right = placement->right;
    int64_t begin = right < 0 ? -right : 0; /* columns [begin, end) have a source */
    int64_t end = right > 0 ? shape.w - right : shape.w;
    memset(target, placement->fill, (size_t)(shape.c * shape.h * shape.w));
    for (int64_t row = 0; row < shape.c * shape.h; row++) {
        int64_t from_y = row % shape.h + down;
        if (from_y < 0 || from_y >= shape.h || begin >= end)
            continue;
        const uint8_t *in = source + (row - row % shape.h + from_y) * shape.w;
        uint8_t *out = target + row * shape.w;
        if (!placement->mirror) {
            memcpy(out + begin, in + begin + right, (size_t)(end - begin));
            continue;
        }
        for (int64_t x = begin; x < end; x++)
            out[shape.w - 1 - x] = in[x + right];
    }
}

static void cut_out(Shape shape, const Placement *placement, float *image) {
    for (int64_t plane = 0; plane < shape.c; plane++) {
        for (int64_t y = placement->cut_top; y < placement->cut_bottom; y++)
            memset(image + (plane * shape.h + y) * shape.w + placement->cut_left, 0,
                   (size_t)(placement->cut_right - placement->cut_left) * sizeof *image);
    }
}

static void normalise(const uint8_t *restrict plane, int64_t count, float mean, float std,
                      float *restrict image) {
    for (int64_t i = 0; i < count; i++)
        image[i] = placement_scale(plane[i], mean, std);
}

void augment_plain(const Augment *augment, Shape shape, const uint8_t *pixels, float *image) {
    int64_t count = shape.h * shape.w;
    for (int64_t plane = 0; plane < shape.c; plane++)
        normalise(pixels + plane * count, count, augment->mean[plane], augment->std[plane],
                  image + plane * count);
}

static int16_t within(int64_t at, int64_t side) {
    return (int16_t)(at < 0 ? 0 : at > side ? side : at);
}

Placement augment_draw(const Augment *augment, Shape shape, uint64_t seed, int64_t epoch,
                       int64_t record, int32_t place) {
    RngKey key = rng_key(seed, RNG_AUGMENT);
    RngBlock draw = rng_block(key, (uint32_t)epoch, (uint32_t)record, 0, 0);
    Placement placement = placement_plain(place);
    uint32_t places = 2 * (uint32_t)augment->crop_pad + 1;
    placement.fill = (uint8_t)augment->pad_fill;
    placement.down = (int16_t)((int64_t)rng_below(draw.word[0], places) - augment->crop_pad);
    placement.right = (int16_t)((int64_t)rng_below(draw.word[1], places) - augment->crop_pad);
    placement.mirror = (double)rng_unit(draw.word[2]) < augment->flip;
    if (augment->rotate > 0) {
        double degrees = (2.0 * (double)rng_unit(draw.word[3]) - 1.0) * augment->rotate;
        double radians = degrees * (3.14159265358979323846 / 180.0);
        placement.cosine = (int32_t)lrint(cos(radians) * PLACEMENT_ONE);
        placement.sine = (int32_t)lrint(sin(radians) * PLACEMENT_ONE);
    }
    if (augment->cutout > 0) {
        draw = rng_block(key, (uint32_t)epoch, (uint32_t)record, 1, 0);
        int64_t top = (int64_t)rng_below(draw.word[0], (uint32_t)shape.h) - augment->cutout / 2;
        int64_t left = (int64_t)rng_below(draw.word[1], (uint32_t)shape.w) - augment->cutout / 2;
        placement.cut_top = within(top, shape.h);
        placement.cut_left = within(left, shape.w);
        placement.cut_bottom = within(top + augment->cutout, shape.h);
        placement.cut_right = within(left + augment->cutout, shape.w);
    }
    return placement;
}

PixelScale augment_scale(const Augment *augment) {
    PixelScale scale;
    memcpy(scale.mean, augment->mean, sizeof scale.mean);
    memcpy(scale.std, augment->std, sizeof scale.std);
    return scale;
}

void augment_train(const Augment *augment, Shape shape, uint64_t seed, int64_t epoch,
                   int64_t record, const uint8_t *pixels, float *image) {
    Placement placement = augment_draw(augment, shape, seed, epoch, record, 0);
    uint8_t rotated[PIXELS_MAX], moved[PIXELS_MAX];
    if (augment->rotate > 0) {
        rotate(shape, pixels, &placement, rotated);
        pixels = rotated;
    }
    if (placement.down != 0 || placement.right != 0 || placement.mirror) {
        move(shape, pixels, &placement, moved);
        pixels = moved;
    }
    augment_plain(augment, shape, pixels, image);
    cut_out(shape, &placement, image);
}
