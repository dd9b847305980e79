/* colour: grey and hue of a pixel, in Pillow's arithmetic (Convert.c): which steps are in float and
 * which in double is part of the result. One text for every device. Header only. Local. */
#ifndef LOCKSTEP_COLOUR_H
#define LOCKSTEP_COLOUR_H

#include <stdint.h>

#ifdef __CUDACC__
#define COLOUR_FN static __host__ __device__ inline
#else
#define COLOUR_FN static inline
#endif

/* Red, green and blue; or hue, saturation and value. */
typedef struct Colour {
    uint8_t at[3];
} Colour;

COLOUR_FN Colour colour_of(uint8_t first, uint8_t second, uint8_t third) {
    Colour colour = {{first, second, third}};
    return colour;
}

/* ITU-R 601-2 luma, in 1 / 65536, rounded: Pillow's conversion to "L". */
COLOUR_FN int colour_grey(Colour rgb) {
    return (rgb.at[0] * 19595 + rgb.at[1] * 38470 + rgb.at[2] * 7471 + 0x8000) >> 16;
}

COLOUR_FN int colour_largest(int a, int b, int c) {
    int two = a > b ? a : b;
    return two > c ? two : c;
}

/* Not -colour_largest(-a, -b, -c): ptxas 13.0 makes max(-a, b, -c) of that for sm_90. */
COLOUR_FN int colour_smallest(int a, int b, int c) {
    int two = a < b ? a : b;
    return two < c ? two : c;
}

/* Pillow's "HSV" of three bytes. */
COLOUR_FN Colour colour_hsv(Colour rgb) {
    int red = rgb.at[0], green = rgb.at[1], blue = rgb.at[2];
    int max = colour_largest(red, green, blue), min = colour_smallest(red, green, blue);
    Colour hsv = {{0, 0, (uint8_t)max}};
    if (max == min)
        return hsv;
    float range = (float)(max - min), saturation = range / (float)max, hue;
    float from_red = (float)(max - red) / range, from_green = (float)(max - green) / range,
          from_blue = (float)(max - blue) / range;
    if (red == max)
        hue = from_blue - from_green;
    else if (green == max)
        hue = (float)(2.0 + (double)from_red - (double)from_blue);
    else
        hue = (float)(4.0 + (double)from_green - (double)from_red);
    double turns = (double)hue / 6.0 + 1.0; /* of [5/6, 2) */
    hue = (float)(turns >= 1 ? turns - 1 : turns);
    hsv.at[0] = (uint8_t)((double)hue * 255.0);
    hsv.at[1] = (uint8_t)((double)saturation * 255.0);
    return hsv;
}

/* value (1 - part), rounded: value is 255 at most and part 0 to 1. */
COLOUR_FN uint8_t colour_less(int value, double part) {
    return (uint8_t)((double)value * (1.0 - part) + 0.5);
}

COLOUR_FN Colour colour_rgb(Colour hsv) {
    int hue = hsv.at[0];
    uint8_t v = hsv.at[2];
    float rest = (float)((double)hue * 6.0 / 255.0 - hue * 6 / 255);
    float saturation = (float)hsv.at[1] / 255.0f;
    uint8_t low = colour_less(v, (double)saturation),
            falling = colour_less(v, (double)(saturation * rest)),
            rising = colour_less(v, (double)saturation * (1.0 - (double)rest));
    switch (hue * 6 / 255) { /* sixth of a turn, of which the last is that of hue 255 alone */
    case 1:
        return colour_of(falling, v, low);
    case 2:
        return colour_of(low, v, rising);
    case 3:
        return colour_of(low, falling, v);
    case 4:
        return colour_of(rising, low, v);
    case 5:
        return colour_of(v, low, falling);
    default:
        return colour_of(v, rising, low);
    }
}

/* By way of HSV, with `turn` added to the hue, modulo 256. That way loses: a turn of 0 changes
 * bytes too. */
COLOUR_FN Colour colour_turned(Colour rgb, int turn) {
    Colour hsv = colour_hsv(rgb);
    hsv.at[0] = (uint8_t)(hsv.at[0] + turn);
    return colour_rgb(hsv);
}

#undef COLOUR_FN
#endif
