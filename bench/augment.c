/* augment: what a loader's thread takes for an image, with each of what augmentation can do to it:
 * microseconds of one thread's own processor time, of 3 x 32 x 32 bytes, the least of RUNS means.
 * "nothing" is the scaling to float alone, which is part of every other line.
 *
 *     build/bench/augment */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "lockstep/augment.h"

enum { RUNS = 9, RECORDS = 2000, SIZE = 3 * 32 * 32 };

#define SCALED .mean = {0.4914F, 0.4822F, 0.4465F}, .std = {0.247F, 0.2435F, 0.2616F}

static const struct Row {
    const char *name;
    Augment augment;
} rows[] = {
    {"nothing", {SCALED}},
    {"crop and flip", {.crop_pad = 4, .flip = 0.5, SCALED}},
    {"resized crop", {.area = {0.25, 1}, .aspect = {0.75, 1.33}, .attempts = 10, SCALED}},
    {"rotation", {.rotate = 15, SCALED}},
    {"RandAugment, 2 ops",
     {.policy = POLICY_RANDAUGMENT, .policy_ops = 2, .policy_magnitude = 9, SCALED}},
    {"TrivialAugment", {.policy = POLICY_TRIVIALAUGMENT, SCALED}},
    {"jitter: brightness", {.jitter = {0.4}, SCALED}},
    {"jitter: contrast", {.jitter = {0, 0.4}, SCALED}},
    {"jitter: saturation", {.jitter = {0, 0, 0.4}, SCALED}},
    {"jitter: hue", {.jitter = {0, 0, 0, 0.1}, SCALED}},
    {"jitter: all four", {.jitter = {0.4, 0.4, 0.4, 0.1}, SCALED}},
    {"erasing, always, mean",
     {.erase = 1, .erase_area = {0.02, 0.33}, .erase_aspect = {0.3, 3.3}, SCALED}},
    {"erasing, always, noise",
     {.erase = 1,
      .erase_area = {0.02, 0.33},
      .erase_aspect = {0.3, 3.3},
      .erase_with = ERASE_NOISE,
      SCALED}},
};

static double processor_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(void) {
    static uint8_t pixels[SIZE];
    static float image[SIZE];
    for (int i = 0; i < SIZE; i++)
        pixels[i] = (uint8_t)(i * 37 + i / 64 * 11);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double least = 1e9;
        for (int run = 0; run < RUNS; run++) {
            double start = processor_seconds();
            for (int record = 0; record < RECORDS; record++)
                augment_train(&rows[i].augment, (Shape){1, 3, 32, 32}, 1, run, record, pixels,
                              image);
            double mean = (processor_seconds() - start) / RECORDS;
            least = mean < least ? mean : least;
        }
        printf("%-24s %6.1f us an image, %7.0f images/s\n", rows[i].name, 1e6 * least, 1 / least);
    }
    return 0;
}
