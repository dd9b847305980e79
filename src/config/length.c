/* How long the schedule is, and whether the run gets to see all of it. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lockstep/config.h"
#include "lockstep/log.h"
#include "lockstep/param_group.h"

/* The length that the stored run had: where none is stored, nothing in its schedule stretched. */
static Status stored_length(const char *text, const char *source, double *total) {
    RunConfig *old = malloc(sizeof *old);
    TRY_ALLOC(old);
    Status status = config_from_text(text, source, old);
    if (status == ST_OK)
        *total = old->schedule.total_epochs > 0 ? old->schedule.total_epochs : (double)old->epochs;
    free(old);
    return status;
}

static Status read_groups(const RunConfig *config, ParamGroups *groups) {
    return param_groups_parse(config->groups, config->file, config->groups_line, &config->optimizer,
                              &config->schedule, groups);
}

/* Whether it is another run where its schedule has another length. */
static Status stretches(const RunConfig *config, bool *result) {
    ParamGroups groups;
    TRY(read_groups(config, &groups));
    *result = schedule_stretches(&config->schedule) || config->optimizer.lookahead.every > 0;
    for (int g = 0; g < groups.n; g++)
        *result |= groups.group[g].n_points > 0 && groups.group[g].unit == SCHEDULE_SHARE;
    return ST_OK;
}

Status config_settle_length(RunConfig *config, const char *stored_text, const char *source) {
    Schedule *schedule = &config->schedule;
    double epochs = (double)config->epochs, total = epochs;
    bool named = schedule->total_epochs > 0, follows;
    TRY(stretches(config, &follows));
    if (!follows)
        return ST_OK;
    if (stored_text)
        TRY(stored_length(stored_text, source, &total));
    if (named && stored_text && schedule->total_epochs != total)
        log_info("the schedule was laid out for %g epochs; from here on it is for %g", total,
                 schedule->total_epochs);
    if (named)
        return ST_OK;
    if (epochs > total)
        return FAIL(ST_USAGE,
                    "--epochs %" PRId64 ", but the schedule of %s was laid out for %g: add "
                    "--schedule.total-epochs %" PRId64 " to stretch it from here on, or "
                    "--schedule.total-epochs %g to keep it and go on at its last learning rate",
                    config->epochs, source, total, config->epochs, total);
    schedule->total_epochs = total;
    return ST_OK;
}

/* `at`, in epochs, is a position that the curve should get to. */
static Status check_reached(const RunConfig *config, const char *what, double at, bool reached) {
    const Schedule *schedule = &config->schedule;
    bool follows;
    if (reached)
        return ST_OK;
    TRY(stretches(config, &follows));
    if (follows && schedule->total_epochs > (double)config->epochs) {
        log_warn("the run has %" PRId64 " epochs, its schedule %g: %s at epoch %g is not reached",
                 config->epochs, schedule->total_epochs, what, at);
        return ST_OK;
    }
    return FAIL(ST_USAGE,
                "%s at epoch %g is never reached: the run has %" PRId64 " epochs. Raise --epochs, "
                "give positions as shares (schedule.unit share), or end a run early by --steps",
                what, at, config->epochs);
}

/* What groups do at a position of their own must come, too. */
static Status check_groups(const RunConfig *config, int64_t steps_per_epoch) {
    double epochs = (double)config->epochs;
    ParamGroups groups;
    TRY(read_groups(config, &groups));
    for (int g = 0; g < groups.n; g++) {
        const ParamGroup *group = &groups.group[g];
        double end = param_group_end(group, &config->schedule, steps_per_epoch);
        char what[2 * GROUP_LINE_MAX];
        snprintf(what, sizeof what, "the last point of the group '%s'", group->pattern);
        TRY(check_reached(config, what, end, end <= epochs));
        snprintf(what, sizeof what, "the freezing of the group '%s'", group->pattern);
        TRY(check_reached(config, what, group->frozen_after, group->frozen_after < epochs));
    }
    return ST_OK;
}

/* Slow weights are what such a run is for: they must get to be the weights. */
static void check_lookahead(const RunConfig *config, int64_t steps_per_epoch) {
    int64_t length = lookahead_length(config->schedule.total_epochs, steps_per_epoch);
    int64_t end = config->epochs * steps_per_epoch;
    if (config->steps > 0 && config->steps < end)
        end = config->steps;
    if (config->optimizer.lookahead.every > 0 && end < length)
        log_warn("the run ends at step %" PRId64 ", and its schedule at step %" PRId64
                 ": lookahead does not end with the slow weights",
                 end, length);
}

/* Epochs at the end in which nothing is learned are a mistake as good as always. */
static void warn_of_zero(const RunConfig *config, int64_t steps_per_epoch) {
    const Schedule *schedule = &config->schedule;
    int64_t last = config->epochs * steps_per_epoch - 1;
    double end = schedule_end(schedule, steps_per_epoch);
    if (schedule->lr > 0 && end < (double)config->epochs - 1 &&
        schedule_lr(schedule, NULL, last, steps_per_epoch) == 0)
        log_warn("the learning rate is 0 from epoch %g on, and the run has %" PRId64 " epochs", end,
                 config->epochs);
}

/* A cycle of warm restarts has a step, and a run is to end with a whole one. */
static Status check_cycles(const RunConfig *config, int64_t steps_per_epoch) {
    const Schedule *schedule = &config->schedule;
    double per_epoch = (double)steps_per_epoch, end = (double)config->epochs * per_epoch;
    double first = schedule_end(schedule, steps_per_epoch);
    double length = (first - schedule_warmup_end(schedule, steps_per_epoch)) * per_epoch;
    if (schedule->kind != SCHEDULE_SGDR)
        return ST_OK;
    if (length < 1)
        return FAIL(ST_USAGE,
                    "schedule.cycle %g is shorter than a step, of which an epoch has %" PRId64
                    ": give at least %g %s",
                    schedule->cycle, steps_per_epoch, schedule->cycle / length,
                    schedule_unit_names[schedule->unit]);
    if (config->steps > 0)
        end = fmin(end, (double)config->steps);
    Cycle last = schedule_cycle(schedule, end, steps_per_epoch);
    if (end >= first * per_epoch && last.begin < end - 1)
        log_warn("the run ends at step %g, within a cycle of its learning rate: whole cycles end "
                 "at step %g, epoch %g, and at step %g, epoch %g",
                 end, ceil(last.begin), last.begin / per_epoch, ceil(last.end),
                 last.end / per_epoch);
    return ST_OK;
}

Status config_check_length(const RunConfig *config, int64_t steps_per_epoch) {
    const Schedule *schedule = &config->schedule;
    double epochs = (double)config->epochs;
    double warmup = schedule_warmup_end(schedule, steps_per_epoch);
    double end = schedule_end(schedule, steps_per_epoch);
    /* What happens at a point happens in the step after it; a curve may end with the run. */
    bool reached = schedule->kind == SCHEDULE_STEP ? end < epochs : end <= epochs;
    double cut = (double)config->steps / (double)steps_per_epoch;
    TRY(check_groups(config, steps_per_epoch));
    check_lookahead(config, steps_per_epoch);
    TRY(check_cycles(config, steps_per_epoch));
    if (end == 0)
        return ST_OK;
    TRY(check_reached(config, "the warm-up's end", warmup, warmup <= epochs));
    TRY(check_reached(config,
                      schedule->kind == SCHEDULE_SGDR ? "the end of the first cycle"
                                                      : "the schedule's last point",
                      end, reached || end == warmup));
    if (config->steps > 0 && cut < end && cut < epochs)
        log_warn("--steps %" PRId64 " ends the run before its schedule does: at step %g, epoch %g",
                 config->steps, ceil(end * (double)steps_per_epoch), end);
    warn_of_zero(config, steps_per_epoch);
    return ST_OK;
}
