/* interval: see interval.h. */
#include "interval.h"

#include <math.h>

#include "lockstep/duration.h"
#include "lockstep/log.h"

static const double SHARE_MAX = 0.01; /* of the time */
static const double SAY_AGAIN = 1.5;

double interval_optimum(double cost, double mtbf) {
    double part = cost / (2 * mtbf);
    if (cost >= 2 * mtbf)
        return mtbf;
    return sqrt(2 * cost * mtbf) * (1 + sqrt(part) / 3 + part / 9) - cost;
}

/* With this between two, checkpoints take SHARE_MAX of the time. */
static double least_between(double cost) {
    return cost * (1 / SHARE_MAX - 1);
}

double interval_between(double cost, double write, double mtbf) {
    return fmax(fmax(interval_optimum(cost, mtbf), least_between(cost)), write);
}

/* What training loses to a checkpoint: the time its steps wait, and, where no core is spare, the
 * time that the thread which writes takes from those that compute. */
static double cost_of(const Costs *costs) {
    return costs->held + costs->write_cpu;
}

static void settle(Interval *interval, const Costs *costs) {
    interval->seconds = interval_between(cost_of(costs), costs->write, interval->mtbf);
}

void interval_begin(Interval *interval, bool wanted, double mtbf, const Costs *costs, double now) {
    *interval = (Interval){.wanted = wanted, .mtbf = mtbf, .saved = now};
    settle(interval, costs);
}

void interval_saved(Interval *interval, double now) {
    interval->saved = now;
}

/* What decides, in words. */
static const char *reason(const Interval *interval, double cost) {
    double optimum = interval_optimum(cost, interval->mtbf);
    if (interval->seconds <= optimum)
        return "is best";
    return interval->seconds <= least_between(cost) ? "keeps that at 1 %"
                                                    : "is what writing one takes";
}

static void say(const Interval *interval, const Costs *costs) {
    char mtbf[DURATION_TEXT_MAX];
    double cost = cost_of(costs), seconds = interval->seconds;
    duration_text(interval->mtbf, mtbf);
    log_info("checkpoint-every auto: one costs the steps %.3g s (they wait %.3g s, its thread "
             "computes %.3g s), a failure is expected in %s (--mtbf): every %.3g s %s; %.2g %% of "
             "the time",
             cost, costs->held, costs->write_cpu, mtbf, seconds, reason(interval, cost),
             100 * cost / (cost + seconds));
}

void interval_learn(Interval *interval, const Costs *costs) {
    settle(interval, costs);
    double change = interval->said > 0 ? interval->seconds / interval->said : 0;
    if (!interval->wanted || (change > 1 / SAY_AGAIN && change < SAY_AGAIN))
        return;
    say(interval, costs);
    interval->said = interval->seconds;
}

bool interval_due(const Interval *interval, double now, double until_next) {
    return interval->wanted && now >= interval->saved + interval->seconds &&
           until_next > interval->seconds / 2;
}
