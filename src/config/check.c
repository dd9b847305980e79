/* What can only be said of several options together. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lockstep/config.h"
#include "lockstep/param_group.h"

static Status check_lanes(const RunConfig *config) {
    int64_t batch = config->batch_size, lanes = config->lanes;
    int64_t below = lanes == 0 ? 0 : batch / lanes * lanes;
    if (lanes == 0 || below == batch)
        return ST_OK;
    if (below == 0) {
        return FAIL(ST_USAGE,
                    "batch-size %" PRId64 " is smaller than lanes %" PRId64
                    ": each lane needs an image, so give at least batch-size %" PRId64,
                    batch, lanes, lanes);
    }
    return FAIL(ST_USAGE,
                "batch-size %" PRId64 " cannot be divided into %" PRId64
                " lanes: the nearest that can are %" PRId64 " and %" PRId64,
                batch, lanes, below, below + lanes);
}

static Status check_points(const Schedule *schedule) {
    bool pairs = schedule->kind == SCHEDULE_PIECEWISE, cycle = schedule->kind == SCHEDULE_ONE_CYCLE;
    const char *name = pairs ? "piecewise" : cycle ? "one-cycle" : "step";
    const char *example = pairs ? "[[0, 0], [5, 1], [24, 0]]" : "[30, 60]";
    if (!pairs && !cycle && schedule->kind != SCHEDULE_STEP)
        return ST_OK;
    if (schedule->n_points == 0)
        return FAIL(ST_USAGE, "schedule.name %s wants schedule.points, as in %s", name, example);
    if (cycle && (schedule->n_points < 2 || schedule->n_points > 3 || schedule->point_at[0] == 0))
        return FAIL(ST_USAGE, "schedule.points: one-cycle wants two or three, above 0: where lr is "
                              "reached, (where it is back,) where lr-end is");
    for (int i = 0; i < schedule->n_points; i++) {
        double at = schedule->point_at[i];
        if (isnan(schedule->point_value[i]) == pairs) {
            return FAIL(ST_USAGE, "schedule.points: %s wants %s, as in %s", name,
                        pairs ? "pairs of position and value" : "positions", example);
        }
        if (i > 0 && at <= schedule->point_at[i - 1]) {
            return FAIL(ST_USAGE, "schedule.points: %g must be larger than %g before it", at,
                        schedule->point_at[i - 1]);
        }
        if (schedule->unit == SCHEDULE_SHARE && at > 1) {
            return FAIL(ST_USAGE,
                        "schedule.points: %g is more than the whole run: shares are 0 to "
                        "1; for epochs give schedule.unit epochs",
                        at);
        }
    }
    return ST_OK;
}

static Status check_cycle(const Schedule *schedule) {
    bool shares = schedule->unit == SCHEDULE_SHARE;
    if (schedule->kind != SCHEDULE_SGDR)
        return ST_OK;
    if (!(schedule->cycle > 0))
        return FAIL(ST_USAGE,
                    "schedule.name sgdr wants schedule.cycle, the length of the "
                    "first cycle in %s, as in %s",
                    schedule_unit_names[schedule->unit], shares ? "1/7" : "10");
    if (shares && schedule->cycle > 1)
        return FAIL(ST_USAGE,
                    "schedule.cycle: %g is more than the whole run: shares are 0 to 1; for epochs "
                    "give schedule.unit epochs",
                    schedule->cycle);
    return ST_OK;
}

static Status check_warmup(const RunConfig *config) {
    const Schedule *schedule = &config->schedule;
    double total = schedule->total_epochs > 0 ? schedule->total_epochs : (double)config->epochs;
    if (schedule->warmup > 0 && schedule->warmup_epochs > 0)
        return FAIL(ST_USAGE, "schedule.warmup and schedule.warmup-epochs say the same thing: give "
                              "one of them");
    if (schedule->unit == SCHEDULE_SHARE && schedule->warmup >= 1)
        return FAIL(ST_USAGE, "schedule.warmup %g: a share of the run must be below 1",
                    schedule->warmup);
    if (schedule->kind == SCHEDULE_COSINE && schedule->warmup_epochs >= total)
        return FAIL(ST_USAGE,
                    "schedule.warmup-epochs %g must be smaller than the %g epochs of the cosine",
                    schedule->warmup_epochs, total);
    return ST_OK;
}

static Status check_reduction(const RunConfig *config) {
    if (config->reduction_type == REDUCTION_FP32 || config->reduction == REDUCTION_NATIVE)
        return ST_OK;
    return FAIL(ST_USAGE, "reduction-type bf16 wants reduction native: exact sums are integers; "
                          "give --reduction native, or leave reduction-type out");
}

static Status check_mixing(const Augment *augment) {
    const double alphas[] = {augment->mixup, augment->cutmix};
    for (int i = 0; i < 2; i++) {
        if (alphas[i] > 0 && alphas[i] < MIX_ALPHA_MIN)
            return FAIL(ST_USAGE, "augment.%s %g: give 0, or %g to 2", i == 0 ? "mixup" : "cutmix",
                        alphas[i], MIX_ALPHA_MIN);
    }
    if (augment->mix_probability < 1 && !augment_mixes(augment))
        return FAIL(ST_USAGE, "augment.mix-probability wants augment.mixup or augment.cutmix "
                              "above 0");
    return ST_OK;
}

/* A mean of another unit than augment.unit would pass for one, and the run for a bad recipe. */
static Status check_augment(const Augment *augment) {
    for (int c = 0; c < IMAGE_CHANNELS_MAX && augment->unit == PIXEL_UNIT_ONE; c++) {
        if (augment->mean[c] > 1)
            return FAIL(ST_USAGE,
                        "augment.mean %g is above 1, but is subtracted from pixel / 255: give "
                        "augment.unit byte for a mean and std of bytes",
                        (double)augment->mean[c]);
    }
    if (augment->area[1] > 0 && augment->area[0] == 0)
        return FAIL(ST_USAGE,
                    "augment.crop-area 0,%g: the smallest share must be above 0, as in "
                    "0.08,1",
                    augment->area[1]);
    if (augment->area[1] > 0 && augment->crop_pad > 0)
        return FAIL(ST_USAGE,
                    "augment.crop-area and augment.crop-pad are two kinds of random crop: "
                    "give one of them");
    if (augment->flip_mode == FLIP_ALTERNATE && augment->flip == 0)
        return FAIL(ST_USAGE, "augment.flip-mode alternate wants augment.flip above 0: the share "
                              "of images that are mirrored first, as 0.5");
    if (augment->erase > 0 && augment->erase_area[0] == 0)
        return FAIL(ST_USAGE,
                    "augment.erase-area 0,%g: the smallest share must be above 0, as in 0.02,0.33",
                    augment->erase_area[1]);
    return check_mixing(augment);
}

/* What can be said of them without a model. */
static Status check_groups(const RunConfig *config) {
    ParamGroups groups;
    return param_groups_parse(config->groups, config->file, config->groups_line, &config->optimizer,
                              &config->schedule, &groups);
}

static Status check_board(const RunConfig *config) {
    int64_t every = config->tensorboard_histograms, log_every = config->log_every;
    if (every > 0 && !config->tensorboard)
        return FAIL(ST_USAGE, "tensorboard.histograms %" PRId64 " wants tensorboard.events", every);
    if (every % log_every != 0)
        return FAIL(ST_USAGE,
                    "tensorboard.histograms %" PRId64 ": TensorBoard shows steps that are logged, "
                    "so this must be a multiple of log-every, %" PRId64 "; %" PRId64 " is",
                    every, log_every, (every / log_every + 1) * log_every);
    return ST_OK;
}

/* Where a run goes back to must not depend on a clock. */
static Status check_bad_steps(const RunConfig *config) {
    if (config->bad_steps.policy == BAD_STEPS_ROLLBACK &&
        config->checkpoint_every == CHECKPOINT_EVERY_AUTO)
        return FAIL(ST_USAGE, "bad-steps rollback wants checkpoint-every in steps: with auto the "
                              "step that the run goes back to would follow from the clock");
    return ST_OK;
}

Status config_check(RunConfig *config) {
    if (config->model[0] == '\0') {
        return FAIL(ST_USAGE, "no model: name a configuration file, as in 'lockstep train "
                              "configs/quickstart.yaml'");
    }
    TRY(check_lanes(config));
    TRY(check_reduction(config));
    TRY(check_augment(&config->augment));
    TRY(check_points(&config->schedule));
    TRY(check_cycle(&config->schedule));
    TRY(check_warmup(config));
    if (config->schedule.kind == SCHEDULE_PLATEAU && config->schedule.gamma >= 1)
        return FAIL(ST_USAGE,
                    "schedule.gamma %g: with plateau the learning rate falls, so it must "
                    "be below 1",
                    config->schedule.gamma);
    const Optimizer *optimizer = &config->optimizer;
    if (optimizer_is_nesterov(optimizer) && optimizer->momentum == 0)
        return FAIL(ST_USAGE, "optimizer.nesterov wants optimizer.momentum above 0");
    if (optimizer->lookahead.every > 0 && optimizer->ema_decay > 0)
        return FAIL(ST_USAGE, "lookahead.every and optimizer.ema-decay are two ways to average "
                              "weights: give one of them");
    TRY(check_groups(config));
    TRY(check_bad_steps(config));
    return check_board(config);
}
