/* policy: see policy.h.
 *
 * RandAugment (Cubuk, Zoph, Shlens, Le, 2019) and TrivialAugmentWide (Mueller, Hutter, 2021) as
 * torchvision has them: the same ops in the same order, each as likely as any other, with
 * magnitudes in bins between two ends, nearest-neighbour. Magnitudes are computed in double, where
 * torchvision takes those of a list in float. */
#include "policy.h"

#include <math.h>

#include "draw.h"
#include "pixel_apply.h"

enum { JITTER_BLOCK = 3, ORDER_BLOCK = 4, POLICY_BLOCKS = 5, ORDERS = 24 };

typedef enum TableOp {
    TABLE_IDENTITY,
    TABLE_SHEAR_X,
    TABLE_SHEAR_Y,
    TABLE_TRANSLATE_X,
    TABLE_TRANSLATE_Y,
    TABLE_ROTATE,
    TABLE_BRIGHTNESS,
    TABLE_COLOR,
    TABLE_CONTRAST,
    TABLE_SHARPNESS,
    TABLE_POSTERIZE,
    TABLE_SOLARIZE,
    TABLE_AUTOCONTRAST,
    TABLE_EQUALIZE
} TableOp;

/* Of the greatest magnitude; that of the least is 0. */
typedef struct Reach {
    double shear, translate, degrees, factor; /* translate: pixels, or share of the side */
    bool of_side;
    int bits; /* that posterize takes away */
} Reach;

static Reach reach_of(Policy policy) {
    return policy == POLICY_RANDAUGMENT ? (Reach){0.3, 150.0 / 331.0, 30, 0.9, true, 4}
                                        : (Reach){0.99, 32, 135, 0.99, false, 6};
}

PixelChange policy_change(Policy policy, int op, int bin, bool negative, Shape shape) {
    const Reach reach = reach_of(policy);
    const double part = (negative ? -1.0 : 1.0) * bin / (POLICY_BINS - 1);
    const bool vertical = op == TABLE_SHEAR_Y || op == TABLE_TRANSLATE_Y;
    const double side = reach.of_side ? (double)(vertical ? shape.h : shape.w) : 1;
    switch ((TableOp)op) {
    case TABLE_IDENTITY:
        break;
    case TABLE_SHEAR_X:
    case TABLE_SHEAR_Y:
        return pixel_shear(part * reach.shear, vertical);
    case TABLE_TRANSLATE_X:
    case TABLE_TRANSLATE_Y: /* towards 0 to whole pixels */
        return pixel_translate((int)(reach.translate * side * part), vertical);
    case TABLE_ROTATE:
        return pixel_rotate(part * reach.degrees, shape);
    case TABLE_BRIGHTNESS:
        return pixel_by_factor(PIXEL_BRIGHTNESS, 1 + part * reach.factor);
    case TABLE_COLOR:
        return pixel_by_factor(PIXEL_SATURATION, 1 + part * reach.factor);
    case TABLE_CONTRAST:
        return pixel_by_factor(PIXEL_CONTRAST, 1 + part * reach.factor);
    case TABLE_SHARPNESS:
        return pixel_by_factor(PIXEL_SHARPNESS, 1 + part * reach.factor);
    case TABLE_POSTERIZE:
        return pixel_by_number(PIXEL_POSTERIZE,
                               8 - (int)lrint((double)(bin * reach.bits) / (POLICY_BINS - 1)));
    case TABLE_SOLARIZE:
        return pixel_by_factor(PIXEL_SOLARIZE, 255 - 255.0 * bin / (POLICY_BINS - 1));
    case TABLE_AUTOCONTRAST:
        return pixel_by_number(PIXEL_AUTOCONTRAST, 0);
    case TABLE_EQUALIZE:
        return pixel_by_number(PIXEL_EQUALIZE, 0);
    }
    return pixel_by_number(PIXEL_NONE, 0);
}

static int64_t policy_ops(const Augment *augment) {
    return augment->policy == POLICY_NONE             ? 0
           : augment->policy == POLICY_TRIVIALAUGMENT ? 1
                                                      : augment->policy_ops;
}

static void draw_policy(const Augment *augment, Shape shape, RngKey key, int64_t epoch,
                        int64_t record, PixelChanges *changes) {
    bool one = augment->policy == POLICY_TRIVIALAUGMENT;
    for (int64_t i = 0; i < policy_ops(augment); i++) {
        RngBlock draw =
            rng_block(key, (uint32_t)epoch, (uint32_t)record, (uint32_t)i, POLICY_BLOCKS);
        int op = (int)rng_below(draw.word[0], POLICY_TABLE);
        bool negative = rng_below(draw.word[1], 2) == 1;
        int bin = one ? (int)rng_below(draw.word[2], POLICY_BINS) : (int)augment->policy_magnitude;
        changes->change[changes->count++] =
            policy_change(augment->policy, op, bin, negative, shape);
    }
}

/* Place `number` of ORDERS in the list of all orders of 0 to 3 as by a dictionary. */
static void order_of(uint32_t number, int order[JITTERS]) {
    int left[JITTERS] = {0, 1, 2, 3};
    for (uint32_t i = 0, below = ORDERS; i < JITTERS; i++) {
        below /= JITTERS - i;
        uint32_t pick = number / below % (JITTERS - i);
        order[i] = left[pick];
        for (uint32_t j = pick; j + 1 < JITTERS - i; j++)
            left[j] = left[j + 1];
    }
}

static PixelChange jitter_change(int jitter, double by, uint32_t word) {
    static const PixelOp ops[JITTERS] = {PIXEL_BRIGHTNESS, PIXEL_CONTRAST, PIXEL_SATURATION,
                                         PIXEL_HUE};
    double least = jitter == JITTER_HUE ? -by : by < 1 ? 1 - by : 0;
    double most = jitter == JITTER_HUE ? by : 1 + by;
    double drawn = draw_between(least, most, word);
    return jitter == JITTER_HUE ? pixel_by_number(PIXEL_HUE, (int)(drawn * 255))
                                : pixel_by_factor(ops[jitter], drawn);
}

static void draw_jitter(const Augment *augment, RngKey key, int64_t epoch, int64_t record,
                        PixelChanges *changes) {
    RngBlock draw = rng_block(key, (uint32_t)epoch, (uint32_t)record, JITTER_BLOCK, 0);
    RngBlock more = rng_block(key, (uint32_t)epoch, (uint32_t)record, ORDER_BLOCK, 0);
    int order[JITTERS];
    order_of(rng_below(more.word[0], ORDERS), order);
    for (int i = 0; i < JITTERS; i++) {
        double by = augment->jitter[order[i]];
        if (by > 0)
            changes->change[changes->count++] = jitter_change(order[i], by, draw.word[order[i]]);
    }
}

int policy_changes(const Augment *augment) {
    int changes = (int)policy_ops(augment);
    for (int i = 0; i < JITTERS; i++)
        changes += augment->jitter[i] > 0;
    return changes;
}

PixelChanges policy_draw(const Augment *augment, Shape shape, uint64_t seed, int64_t epoch,
                         int64_t record) {
    PixelChanges changes = {.count = 0};
    RngKey key = rng_key(seed, RNG_AUGMENT);
    if (augment->policy != POLICY_NONE)
        draw_policy(augment, shape, key, epoch, record, &changes);
    if (augment_jitters(augment))
        draw_jitter(augment, key, epoch, record, &changes);
    return changes;
}
