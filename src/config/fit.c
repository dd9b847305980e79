/* What of a configuration follows from the images that it is for. See config.h. */
#include <inttypes.h>
#include <math.h>

#include "lockstep/config.h"

static Status count_error(const char *key, int n, int64_t channels) {
    return FAIL(ST_USAGE,
                "augment.%s has %d numbers, but the images have %" PRId64
                " channel%s: give one number for each, or one for all",
                key, n, channels, channels == 1 ? "" : "s");
}

/* `value` is what was given, own[channels] what holds where nothing was. */
static Status fit_channels(const char *key, float value[IMAGE_CHANNELS_MAX], int64_t channels,
                           const double *own, double unit) {
    int n = 0;
    while (n < IMAGE_CHANNELS_MAX && !isnan(value[n]))
        n++;
    if (n > 1 && n != channels)
        return count_error(key, n, channels);
    for (int64_t c = 0; c < channels && n < channels; c++)
        value[c] = n == 1 ? value[0] : (float)(unit * own[c]);
    return ST_OK;
}

/* Numbers that are all the same are one for all. */
static Status check_fill(const char *key, const int16_t fill[IMAGE_CHANNELS_MAX],
                         int64_t channels) {
    int n = 1;
    bool one = true;
    for (; n < IMAGE_CHANNELS_MAX && fill[n] >= 0; n++)
        one = one && fill[n] == fill[0];
    return one || n == channels ? ST_OK : count_error(key, n, channels);
}

static Status channels_error(const char *key, const char *wanted, int64_t channels) {
    return FAIL(ST_USAGE, "augment.%s wants images of %s, but these have %" PRId64 ": leave it out",
                key, wanted, channels);
}

/* What is defined by grey, or by red, green and blue. */
static Status check_colour(const Augment *augment, int64_t channels) {
    static const char *const jitters[JITTERS] = {"jitter-brightness", "jitter-contrast",
                                                 "jitter-saturation", "jitter-hue"};
    if (augment->policy != POLICY_NONE && channels != 1 && channels != 3)
        return channels_error("policy", "1 or 3 channels, grey or red, green and blue", channels);
    for (int i = 0; i < JITTERS; i++) {
        bool of_grey = i == JITTER_BRIGHTNESS || i == JITTER_CONTRAST;
        if (augment->jitter[i] == 0 || channels == 3 || (channels == 1 && of_grey))
            continue;
        return channels_error(jitters[i],
                              of_grey ? "1 or 3 channels, grey or red, green and blue"
                                      : "3 channels, red, green and blue",
                              channels);
    }
    return ST_OK;
}

Status config_fit_images(RunConfig *config, Shape image, const double *mean, const double *std) {
    Augment *augment = &config->augment;
    double unit = augment->unit == PIXEL_UNIT_BYTE ? 255 : 1;
    int64_t side = image.h < image.w ? image.h : image.w;
    TRY(fit_channels("mean", augment->mean, image.c, mean, unit));
    TRY(fit_channels("std", augment->std, image.c, std, unit));
    TRY(check_fill("pad-fill", augment->pad_fill, image.c));
    TRY(check_fill("erase-fill", augment->erase_fill, image.c));
    TRY(check_colour(augment, image.c));
    if (augment->pad_mode == PAD_REFLECT && augment->crop_pad >= side)
        return FAIL(ST_USAGE,
                    "augment.crop-pad %" PRId64 " with pad-mode reflect wants images larger than "
                    "that: these are %" PRId64 " x %" PRId64,
                    augment->crop_pad, image.h, image.w);
    return ST_OK;
}
