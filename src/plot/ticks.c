/* ticks: round numbers along an axis. See plot.h. */
#include <math.h>

#include "lockstep/plot.h"

/* The smallest of 1, 2 and 5 times a power of ten that is at least `raw`; the logarithm may be off
 * by its last bit, the comparison is not. */
static double round_step(double raw) {
    static const double factors[] = {1, 2, 5, 10};
    double power = pow(10, floor(log10(raw)));
    for (int i = 0; i < 4; i++) {
        if (factors[i] * power >= raw * (1 - 1e-12))
            return factors[i] * power;
    }
    return 20 * power;
}

static double next_step(double step) {
    return round_step(1.5 * step);
}

/* Ticks `step` apart around [low, high]; bounds that are ticks but for rounding count as ticks. */
static Ticks ticks_at(double low, double high, double step) {
    double first = floor(low / step + 1e-9), last = ceil(high / step - 1e-9);
    int decimals = (int)ceil(-log10(step) - 1e-9);
    return (Ticks){.first = first * step,
                   .step = step,
                   .count = (int)(last - first) + 1,
                   .decimals = decimals > 0 ? decimals : 0};
}

Ticks ticks_round(double low, double high, int most, bool whole) {
    if (!(high > low)) { /* one value: some room around it */
        double room = whole ? 1 : low == 0 ? 1 : fabs(low) / 10;
        high = low + room;
    }
    double step = round_step((high - low) / most);
    if (whole && step < 1)
        step = 1;
    Ticks ticks = ticks_at(low, high, step);
    while (ticks.count > most) {
        step = next_step(step);
        ticks = ticks_at(low, high, step);
    }
    return ticks;
}

Ticks ticks_log(double low, double high, int most) {
    double first = floor(log10(low) + 1e-9), last = ceil(log10(high) - 1e-9);
    if (!(last > first))
        last = first + 1;
    Ticks ticks = ticks_round(first, last, most, true);
    ticks.log = true;
    ticks.decimals = 0;
    return ticks;
}
