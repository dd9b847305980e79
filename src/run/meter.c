/* meter: see meter.h. */
#include "meter.h"

#include <math.h>

#include "lockstep/clock.h"

void meter_begin(Meter *meter, int64_t step) {
    double now = clock_now();
    *meter = (Meter){.begin_s = now, .epoch_s = now, .first_step = step};
}

void meter_step(Meter *meter, int64_t images, double seconds, const PhaseTimes *times) {
    meter->interval.seconds += seconds;
    meter->interval.images += images;
    meter->total.seconds += seconds;
    meter->total.images += images;
    phase_times_add(&meter->interval.times, times);
}

void meter_back(Meter *meter, int64_t steps) {
    meter->first_step -= steps;
}

void meter_checkpoint(Meter *meter, double seconds) {
    meter->interval.times.seconds[PHASE_CHECKPOINT] += seconds;
}

void meter_evaluation(Meter *meter, double seconds) {
    meter->interval.times.seconds[PHASE_EVALUATION] += seconds;
    meter->evaluation_s += seconds;
}

double meter_next_epoch(Meter *meter, double *evaluation) {
    double now = clock_now(), seconds = now - meter->epoch_s;
    *evaluation = meter->evaluation_s;
    meter->epoch_s = now;
    meter->evaluation_s = 0;
    return seconds;
}

void meter_next_interval(Meter *meter) {
    phase_times_add(&meter->total.times, &meter->interval.times);
    meter->interval = (Spent){0};
}

double spent_rate(const Spent *spent) {
    return spent->seconds > 0 ? (double)spent->images / spent->seconds : (double)NAN;
}

double meter_wall(const Meter *meter) {
    return clock_now() - meter->begin_s;
}

double meter_eta(const Meter *meter, int64_t step, int64_t end) {
    return meter_wall(meter) / (double)(step - meter->first_step) * (double)(end - step);
}
