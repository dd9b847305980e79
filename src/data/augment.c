/* augment: turns one uint8 record into the normalised float image a network sees.
 *
 * What is done to a record is drawn first (augment_draw.c), as a Placement, which any device can
 * carry out; here it is done on bytes and in integers, and only the last pass makes floats:
 * rotation, resized part, then crop and mirror in one copy, then the changes of policy.h, one by
 * one, then (v / 255 - mean) / std in float, the operations of torchvision's ToTensor and Normalize
 * in their order, so that the bits agree with theirs.
 * Brightness and contrast follow in a pass of their own, where they are asked for. Cutout
 * overwrites the finished image with the mean, which is 0; erasing comes last.
 *
 * Nothing here depends on anything but the arguments: no state, no allocation. */
#include "lockstep/augment.h"

#include <math.h>
#include <string.h>

#include "pixel_apply.h"
#include "policy.h"

enum { PIXELS_MAX = IMAGE_CHANNELS_MAX * IMAGE_SIDE_MAX * IMAGE_SIDE_MAX };

/* Nearest-neighbour rotation about the centre, each target pixel looking up its source. */
static void rotate(Shape shape, const uint8_t *source, const Placement *placement,
                   uint8_t *target) {
    int height = (int)shape.h, width = (int)shape.w;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            int from = placement_turned(placement, height, width, y, x);
            for (int plane = 0; plane < shape.c; plane++) {
                int64_t begin = plane * shape.h * shape.w;
                target[begin + y * width + x] =
                    from >= 0 ? source[begin + from] : placement->fill[plane];
            }
        }
    }
}

/* The part of the source enlarged to the whole target: along the rows, then along the columns. */
static void resize_part(Shape shape, const uint8_t *source, const Placement *placement,
                        uint8_t *target) {
    int height = (int)shape.h, width = (int)shape.w, first = placement->part_top;
    PixelTaps row[IMAGE_SIDE_MAX], column[IMAGE_SIDE_MAX];
    uint8_t wide[IMAGE_SIDE_MAX * IMAGE_SIDE_MAX];
    for (int y = 0; y < height; y++)
        row[y] = placement_taps(first, placement->part_height, height, y);
    for (int x = 0; x < width; x++)
        column[x] = placement_taps(placement->part_left, placement->part_width, width, x);
    for (int plane = 0; plane < shape.c; plane++) {
        const uint8_t *in = source + plane * height * width;
        uint8_t *out = target + plane * height * width;
        for (int y = first; y < first + placement->part_height; y++) {
            for (int x = 0; x < width; x++) {
                const PixelTaps *taps = &column[x];
                wide[y * width + x] = (uint8_t)placement_blend(taps, in[y * width + taps->at[0]],
                                                               in[y * width + taps->at[1]]);
            }
        }
        for (int y = 0; y < height; y++) {
            const PixelTaps *taps = &row[y];
            const uint8_t *above = wide + taps->at[0] * width, *below = wide + taps->at[1] * width;
            for (int x = 0; x < width; x++)
                out[y * width + x] = (uint8_t)placement_blend(taps, above[x], below[x]);
        }
    }
}

/* target[y][x] = source[y + down][x + right], mirrored afterwards if asked; `fill` outside. */
static void move_filled(Shape shape, const uint8_t *source, const Placement *placement,
                        uint8_t *target) {
    int64_t down = placement->down, right = placement->right;
    int64_t begin = right < 0 ? -right : 0; /* columns [begin, end) have a source */
    int64_t end = right > 0 ? shape.w - right : shape.w;
    int64_t plane = shape.h * shape.w;
    for (int64_t c = 0; c < shape.c; c++)
        memset(target + c * plane, placement->fill[c], (size_t)plane);
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

/* The same with the source mirrored at its edges outside. */
static void move_reflected(Shape shape, const uint8_t *source, const Placement *placement,
                           uint8_t *target) {
    int height = (int)shape.h, width = (int)shape.w, from_x[IMAGE_SIDE_MAX];
    for (int x = 0; x < width; x++) {
        int column = (placement->mirror ? width - 1 - x : x) + placement->right;
        from_x[x] = placement_reflected(column, width);
    }
    for (int row = 0; row < shape.c * height; row++) {
        int y = row % height;
        const uint8_t *in =
            source + (row - y + placement_reflected(y + placement->down, height)) * width;
        for (int x = 0; x < width; x++)
            target[row * width + x] = in[from_x[x]];
    }
}

static void jitter(int64_t count, const Placement *placement, float *image) {
    const Placement p = *placement;
    for (int64_t i = 0; i < count; i++)
        image[i] = placement_jitter(&p, image[i]);
}

static void cut_out(Shape shape, const Placement *placement, float *image) {
    for (int64_t plane = 0; plane < shape.c; plane++) {
        for (int64_t y = placement->cut_top; y < placement->cut_bottom; y++)
            memset(image + (plane * shape.h + y) * shape.w + placement->cut_left, 0,
                   (size_t)(placement->cut_right - placement->cut_left) * sizeof *image);
    }
}

static void normalise(const uint8_t *restrict plane, int64_t count, float unit, float mean,
                      float std, float *restrict image) {
    for (int64_t i = 0; i < count; i++)
        image[i] = placement_scale(plane[i], unit, mean, std);
}

PixelScale augment_scale(const Augment *augment) {
    PixelScale scale = {.unit = augment->unit == PIXEL_UNIT_BYTE ? 1.0f : 255.0f};
    for (int c = 0; c < IMAGE_CHANNELS_MAX; c++) {
        scale.mean[c] = isnan(augment->mean[c]) ? 0 : augment->mean[c];
        scale.std[c] = isnan(augment->std[c]) ? 1 : augment->std[c];
    }
    return scale;
}

ImageRule augment_rule(const Augment *augment, uint64_t seed) {
    ImageRule rule = {
        .scale = augment_scale(augment),
        .changes = policy_changes(augment),
        .erase = {.noise = augment->erase_with == ERASE_NOISE, .key = rng_key(seed, RNG_AUGMENT)}};
    for (int c = 0; augment->erase_with == ERASE_FILL && c < IMAGE_CHANNELS_MAX; c++) {
        uint8_t byte = (uint8_t)augment->erase_fill[augment->erase_fill[c] < 0 ? 0 : c];
        rule.erase.value[c] =
            placement_scale(byte, rule.scale.unit, rule.scale.mean[c], rule.scale.std[c]);
    }
    return rule;
}

void augment_plain(const Augment *augment, Shape shape, const uint8_t *pixels, float *image) {
    int64_t count = shape.h * shape.w;
    PixelScale scale = augment_scale(augment);
    for (int64_t plane = 0; plane < shape.c; plane++)
        normalise(pixels + plane * count, count, scale.unit, scale.mean[plane], scale.std[plane],
                  image + plane * count);
}

/* All changes of the record's bytes behind crop and mirror, by turns from one buffer to the other;
 * returns the last. */
static const uint8_t *change_pixels(const PixelChanges *changes, Shape shape, const uint8_t *fill,
                                    const uint8_t *pixels, uint8_t buffer[2][PIXELS_MAX]) {
    for (int i = 0; i < changes->count; i++) {
        uint8_t *target = buffer[i % 2];
        pixel_apply(&changes->change[i], shape, fill, pixels, target);
        pixels = target;
    }
    return pixels;
}

static void erase_noisily(const EraseRule *rule, const ErasePart *part, Shape shape, float *image) {
    uint32_t count = (uint32_t)(shape.c * part->height * part->width),
             width = (uint32_t)part->width;
    RngBlock draw = {{0}};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = i / width, plane = row / (uint32_t)part->height;
        if (i % ERASE_BLOCK == 0)
            draw = erase_noise(rule, part, i);
        image[(plane * shape.h + part->top + row % (uint32_t)part->height) * shape.w + part->left +
              i % width] = (float)normal_from(draw.word[i % ERASE_BLOCK]);
    }
}

static void erase(const EraseRule *rule, const ErasePart *part, Shape shape, float *image) {
    if (rule->noise) {
        erase_noisily(rule, part, shape, image);
        return;
    }
    for (int64_t c = 0; c < shape.c; c++)
        for (int y = part->top; y < part->top + part->height; y++)
            for (int x = part->left; x < part->left + part->width; x++)
                image[(c * shape.h + y) * shape.w + x] = rule->value[c];
}

void augment_train(const Augment *augment, Shape shape, uint64_t seed, int64_t epoch,
                   int64_t record, const uint8_t *pixels, float *image) {
    Placement placement = augment_draw(augment, shape, seed, epoch, record, 0);
    uint8_t rotated[PIXELS_MAX], resized[PIXELS_MAX], moved[PIXELS_MAX], changed[2][PIXELS_MAX];
    if (augment->rotate > 0) {
        rotate(shape, pixels, &placement, rotated);
        pixels = rotated;
    }
    if (placement.part_height > 0) {
        resize_part(shape, pixels, &placement, resized);
        pixels = resized;
    }
    if (placement.down != 0 || placement.right != 0 || placement.mirror) {
        if (placement.reflect)
            move_reflected(shape, pixels, &placement, moved);
        else
            move_filled(shape, pixels, &placement, moved);
        pixels = moved;
    }
    PixelChanges changes = policy_draw(augment, shape, seed, epoch, record);
    pixels = change_pixels(&changes, shape, placement.fill, pixels, changed);
    augment_plain(augment, shape, pixels, image);
    if (placement.shift != 0 || placement.gain != 1)
        jitter(shape.c * shape.h * shape.w, &placement, image);
    cut_out(shape, &placement, image);
    if (augment->erase > 0) {
        ImageRule rule = augment_rule(augment, seed);
        erase(&rule.erase, &placement.erase, shape, image);
    }
}

void augment_blend(const Mix *mix, Shape shape, const float *second, float *image) {
    for (int64_t row = 0; row < shape.c * shape.h; row++) {
        if (row % shape.h < mix->top || row % shape.h >= mix->bottom)
            continue;
        for (int64_t i = row * shape.w + mix->left; i < row * shape.w + mix->right; i++)
            image[i] = mix_pixel(mix, image[i], second[i]);
    }
}
