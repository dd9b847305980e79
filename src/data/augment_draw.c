/* augment_draw: what the seed's counters say is done to a record. See augment.h for the counters.
 *
 * All of it is drawn on the CPU, whatever device makes the images; no function of the C library
 * whose bits follow the processor has a part in it (portable.h). */
#include <math.h>
#include <string.h>

#include "lockstep/augment.h"
#include "lockstep/rng.h"
#include "portable.h"

enum { ATTEMPTS_BLOCK = 16 };

static int16_t within(int64_t at, int64_t side) {
    return (int16_t)(at < 0 ? 0 : at > side ? side : at);
}

/* Uniform in [-1, 1). */
static double either_way(uint32_t word) {
    return 2.0 * (double)rng_unit(word) - 1.0;
}

/* Whether the record is mirrored in this epoch. */
static bool mirrored(const Augment *augment, RngKey key, int64_t epoch, int64_t record,
                     uint32_t word) {
    if (augment->flip_mode == FLIP_RANDOM)
        return (double)rng_unit(word) < augment->flip;
    RngBlock first = rng_block(key, 0, (uint32_t)record, 0, 0);
    return ((double)rng_unit(first.word[2]) < augment->flip) != (epoch % 2 == 1);
}

/* A number of `range`, uniform. */
static double between(const double range[2], uint32_t word) {
    return range[0] + (range[1] - range[0]) * (double)rng_unit(word);
}

static void set_part(Placement *placement, int64_t top, int64_t left, int64_t height,
                     int64_t width) {
    placement->part_top = (int16_t)top;
    placement->part_left = (int16_t)left;
    placement->part_height = (int16_t)height;
    placement->part_width = (int16_t)width;
}

/* The part at the centre that torchvision takes where no attempt fitted. */
static void centre_part(const Augment *augment, Shape shape, Placement *placement) {
    int64_t height = shape.h, width = shape.w;
    double aspect = (double)width / (double)height;
    if (aspect < augment->aspect[0])
        height = lrint((double)width / augment->aspect[0]);
    else if (aspect > augment->aspect[1])
        width = lrint((double)height * augment->aspect[1]);
    set_part(placement, (shape.h - height) / 2, (shape.w - width) / 2, height, width);
}

/* RandomResizedCrop.get_params of torchvision, its rounding (to even) included. */
static void draw_part(const Augment *augment, Shape shape, RngKey key, int64_t epoch,
                      int64_t record, Placement *placement) {
    const double logs[2] = {portable_log(augment->aspect[0]), portable_log(augment->aspect[1])};
    for (int64_t attempt = 0; attempt < augment->attempts; attempt++) {
        RngBlock draw = rng_block(key, (uint32_t)epoch, (uint32_t)record,
                                  ATTEMPTS_BLOCK + (uint32_t)attempt, 0);
        double area = (double)(shape.h * shape.w) * between(augment->area, draw.word[0]);
        double aspect = portable_exp(between(logs, draw.word[1]));
        int64_t width = lrint(sqrt(area * aspect)), height = lrint(sqrt(area / aspect));
        if (width < 1 || width > shape.w || height < 1 || height > shape.h)
            continue;
        set_part(placement, rng_below(draw.word[2], (uint32_t)(shape.h - height + 1)),
                 rng_below(draw.word[3], (uint32_t)(shape.w - width + 1)), height, width);
        return;
    }
    centre_part(augment, shape, placement);
}

Placement augment_draw(const Augment *augment, Shape shape, uint64_t seed, int64_t epoch,
                       int64_t record, int32_t place) {
    RngKey key = rng_key(seed, RNG_AUGMENT);
    RngBlock draw = rng_block(key, (uint32_t)epoch, (uint32_t)record, 0, 0);
    Placement placement = placement_plain(place);
    uint32_t places = 2 * (uint32_t)augment->crop_pad + 1;
    placement.reflect = augment->pad_mode == PAD_REFLECT;
    memcpy(placement.fill, augment->pad_fill, sizeof placement.fill);
    placement.down = (int16_t)((int64_t)rng_below(draw.word[0], places) - augment->crop_pad);
    placement.right = (int16_t)((int64_t)rng_below(draw.word[1], places) - augment->crop_pad);
    placement.mirror = mirrored(augment, key, epoch, record, draw.word[2]);
    if (augment->rotate > 0) {
        double degrees = either_way(draw.word[3]) * augment->rotate;
        double cosine, sine;
        portable_turn(degrees, &cosine, &sine);
        placement.cosine = (int32_t)lrint(cosine * PLACEMENT_ONE);
        placement.sine = (int32_t)lrint(sine * PLACEMENT_ONE);
    }
    if (augment->area[1] > 0)
        draw_part(augment, shape, key, epoch, record, &placement);
    if (augment->brightness > 0 || augment->contrast > 0) {
        draw = rng_block(key, (uint32_t)epoch, (uint32_t)record, 2, 0);
        placement.shift = (float)(either_way(draw.word[0]) * augment->brightness);
        placement.gain = (float)(1 + either_way(draw.word[1]) * augment->contrast);
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
