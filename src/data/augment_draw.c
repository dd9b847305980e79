/* augment_draw: what the seed's counters say is done to a record. See augment.h for the counters.
 *
 * All of it is drawn on the CPU, whatever device makes the images; no function of the C library
 * whose bits follow the processor has a part in it (portable.h). */
#include <math.h>
#include <string.h>

#include "lockstep/augment.h"
#include "draw.h"
#include "policy.h"
#include "portable.h"

enum { ATTEMPTS_BLOCK = 16, MIX_BLOCKS = 1, MIX_TRIALS = 2, ERASE_BLOCKS = 3, ERASE_ATTEMPTS = 10 };

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
        double area = (double)(shape.h * shape.w) *
                      draw_between(augment->area[0], augment->area[1], draw.word[0]);
        double aspect = portable_exp(draw_between(logs[0], logs[1], draw.word[1]));
        int64_t width = lrint(sqrt(area * aspect)), height = lrint(sqrt(area / aspect));
        if (width < 1 || width > shape.w || height < 1 || height > shape.h)
            continue;
        set_part(placement, rng_below(draw.word[2], (uint32_t)(shape.h - height + 1)),
                 rng_below(draw.word[3], (uint32_t)(shape.w - width + 1)), height, width);
        return;
    }
    centre_part(augment, shape, placement);
}

/* RandomErasing (Zhong, Zheng, Kang, Li, Yang, 2017) as torchvision has it behind its
 * normalisation. */
static ErasePart draw_erased(const Augment *augment, Shape shape, RngKey key, int64_t epoch,
                             int64_t record) {
    ErasePart part = {.epoch = (uint32_t)epoch, .record = (uint32_t)record};
    RngBlock draw = rng_block(key, part.epoch, part.record, 0, ERASE_BLOCKS);
    if ((double)rng_unit(draw.word[0]) >= augment->erase)
        return part;
    const double *area = augment->erase_area;
    const double logs[2] = {portable_log(augment->erase_aspect[0]),
                            portable_log(augment->erase_aspect[1])};
    for (uint32_t attempt = 1; attempt <= ERASE_ATTEMPTS; attempt++) {
        draw = rng_block(key, part.epoch, part.record, attempt, ERASE_BLOCKS);
        double pixels = (double)(shape.h * shape.w) * draw_between(area[0], area[1], draw.word[0]);
        double aspect = portable_exp(draw_between(logs[0], logs[1], draw.word[1]));
        int64_t height = lrint(sqrt(pixels * aspect)), width = lrint(sqrt(pixels / aspect));
        if (height >= shape.h || width >= shape.w)
            continue;
        part.top = (int16_t)rng_below(draw.word[2], (uint32_t)(shape.h - height + 1));
        part.left = (int16_t)rng_below(draw.word[3], (uint32_t)(shape.w - width + 1));
        part.height = (int16_t)height;
        part.width = (int16_t)width;
        break;
    }
    return part;
}

Placement augment_draw(const Augment *augment, Shape shape, uint64_t seed, int64_t epoch,
                       int64_t record, int32_t place) {
    RngKey key = rng_key(seed, RNG_AUGMENT);
    RngBlock draw = rng_block(key, (uint32_t)epoch, (uint32_t)record, 0, 0);
    Placement placement = placement_plain(place);
    uint32_t places = 2 * (uint32_t)augment->crop_pad + 1;
    placement.reflect = augment->pad_mode == PAD_REFLECT;
    for (int c = 0; c < IMAGE_CHANNELS_MAX; c++)
        placement.fill[c] = (uint8_t)augment->pad_fill[augment->pad_fill[c] < 0 ? 0 : c];
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
    if (augment->erase > 0)
        placement.erase = draw_erased(augment, shape, key, epoch, record);
    return placement;
}

void augment_draw_changes(const Augment *augment, Shape shape, uint64_t seed, int64_t epoch,
                          int64_t record, PixelChange *change) {
    PixelChanges changes = policy_draw(augment, shape, seed, epoch, record);
    memcpy(change, changes.change, (size_t)changes.count * sizeof *change);
}

/* Beta(alpha, alpha) by Joehnk's method (Metrika 8, 1964): of uniform U and V the powers X =
 * U^(1/alpha) and Y = V^(1/alpha) are drawn until X + Y <= 1; X / (X + Y) is it. In logarithms, for
 * powers of a small alpha leave a double's range. On average 6 trials at alpha 2, 2 at 1. */
static double beta(RngKey key, int64_t epoch, int64_t record, double alpha) {
    for (uint32_t trial = 0;; trial++) {
        RngBlock draw = rng_block(key, (uint32_t)epoch, (uint32_t)record, trial, MIX_TRIALS);
        double x = portable_log((draw.word[0] + 0.5) * 0x1p-32) / alpha;
        double y = portable_log((draw.word[1] + 0.5) * 0x1p-32) / alpha;
        if (portable_exp(x) + portable_exp(y) <= 1)
            return 1 / (1 + portable_exp(y - x));
    }
}

/* A box of 1 - kept of the image's area around (row, column), cut off at its edges, as in CutMix's
 * own program; returns the share of the image that it covers. */
static double cut_box(Mix *mix, Shape shape, double kept, int64_t row, int64_t column) {
    double side = sqrt(1 - kept);
    int64_t half_height = (int64_t)((double)shape.h * side) / 2;
    int64_t half_width = (int64_t)((double)shape.w * side) / 2;
    mix->top = within(row - half_height, shape.h);
    mix->bottom = within(row + half_height, shape.h);
    mix->left = within(column - half_width, shape.w);
    mix->right = within(column + half_width, shape.w);
    return (double)((mix->bottom - mix->top) * (mix->right - mix->left)) /
           (double)(shape.h * shape.w);
}

Mix augment_mix(const Augment *augment, Shape shape, uint64_t seed, int64_t epoch, int64_t record,
                int64_t records) {
    Mix mix = mix_none();
    if (!augment_mixes(augment))
        return mix;
    RngKey key = rng_key(seed, RNG_AUGMENT);
    RngBlock draw = rng_block(key, (uint32_t)epoch, (uint32_t)record, 0, MIX_BLOCKS);
    if ((double)rng_unit(draw.word[0]) >= augment->mix_probability)
        return mix;
    bool both = augment->mixup > 0 && augment->cutmix > 0;
    bool cut = both ? rng_below(draw.word[1], 2) == 1 : augment->cutmix > 0;
    double kept = beta(key, epoch, record, cut ? augment->cutmix : augment->mixup);
    mix.partner = (int32_t)rng_below(draw.word[2], (uint32_t)records);
    if (cut) {
        RngBlock more = rng_block(key, (uint32_t)epoch, (uint32_t)record, 1, MIX_BLOCKS);
        double covered = cut_box(&mix, shape, kept, rng_below(draw.word[3], (uint32_t)shape.h),
                                 rng_below(more.word[0], (uint32_t)shape.w));
        mix.label_share = (int32_t)lrint(covered * MIX_ONE);
        mix.pixel_share = MIX_ONE;
    } else {
        mix.label_share = mix.pixel_share = (int32_t)lrint((1 - kept) * MIX_ONE);
        mix.bottom = (int16_t)shape.h;
        mix.right = (int16_t)shape.w;
    }
    return mix;
}
