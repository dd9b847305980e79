/* same_bits: what lockstep's own arithmetic gives, as hexadecimal, one line a thousand steps:
 * random normal numbers, their exact sums, roundings to bfloat16, and updates by them. Two machines
 * print the same (scripts/check-aarch64). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lockstep/bf16.h"
#include "lockstep/exact_sum.h"
#include "lockstep/normal.h"
#include "lockstep/rng.h"
#include "lockstep/update_math.h"

enum { STEPS = 100000, STEPS_A_LINE = 1000 };

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

int main(void) {
    RngKey key = rng_key(1, RNG_INIT);
    FixedPoint format = fixed_loss();
    Update update = {
        .kind = OPTIMIZER_ADAM, .lr = 0.01, .momentum = 0.9, .beta1 = 0.9, .beta2 = 0.99};
    update.eps = 1e-8;
    update.correction1 = update.correction2 = 1;
    UpdateTerms terms = update_terms(&update, 1e-4);
    float sgd = 1, velocity = 0, adam = 1, mean = 0, square = 0;
    int64_t sum = 0, bad = 0;
    uint32_t halves = 0;
    for (uint32_t i = 0; i < STEPS; i++) {
        float g = (float)normal_from(rng_block(key, i, 0, 0, 0).word[0]);
        sum += fixed_from(format, (double)g, &bad);
        halves = 31 * halves + bf16_from_float(g);
        update_sgd(&terms, g, &sgd, &velocity);
        update_adam(&terms, g, &adam, &mean, &square);
        if (i % STEPS_A_LINE == STEPS_A_LINE - 1)
            printf("%016" PRIx64 " %" PRId64 " %08x %08x %08x\n", (uint64_t)sum, bad, halves,
                   bits_of(sgd), bits_of(adam));
    }
    return 0;
}
