/* advice: see advice.h. */
#include "advice.h"

/* Pixels, at most 1 or 255 before, are divided by it. */
static const double STD_SMALL = 1e-3;

static bool small_std(const Augment *augment) {
    double unit = augment->unit == PIXEL_UNIT_BYTE ? 255 : 1;
    for (int c = 0; c < IMAGE_CHANNELS_MAX; c++) {
        if ((double)augment->std[c] < STD_SMALL * unit)
            return true;
    }
    return false;
}

const char *advice_on_divergence(const RunConfig *config) {
    const Optimizer *optimizer = &config->optimizer;
    bool adam = optimizer->kind == OPTIMIZER_ADAM || optimizer->kind == OPTIMIZER_ADAMW;
    if (adam && optimizer->eps == 0)
        return "optimizer.eps is 0, so that a parameter whose gradients are all 0 becomes 0 / 0: "
               "give 1e-8";
    if (small_std(&config->augment))
        return "augment.std is small, and pixels are divided by it: is it of the unit that "
               "augment.unit says?";
    if (optimizer->clip_norm > 0)
        return "lower the learning rate";
    return "lower the learning rate or clip gradients";
}
