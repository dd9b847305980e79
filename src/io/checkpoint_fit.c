/* checkpoint_fit: see checkpoint_fit.h.
 *
 * What training and evaluating would trip over is found before a file is called good, so that
 * whoever only looks at it comes to the same judgement. */
#include "checkpoint_fit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint_format.h"
#include "hdf5_object.h"
#include "lockstep/config.h"
#include "lockstep/dataset.h"
#include "lockstep/grouping.h"

/* The shape of one array, of the name that the order of text gives it. */
static Status check_array(hid_t group, const char *of, int64_t index, const ParamView *view) {
    char name[PARAM_NAME_MAX], want[96], have[96];
    int64_t dim[HDF5_DIMS_MAX];
    int ndim;
    TRY(hdf5_member_name(group, index, name, sizeof name));
    if (strcmp(name, view->name) != 0)
        return FAIL(ST_USAGE, "%s has %s where the model has %s", of, name, view->name);
    TRY(hdf5_shape(group, name, sizeof(float), &ndim, dim));
    hdf5_shape_text(view->spec.ndim, view->spec.dim, want, sizeof want);
    hdf5_shape_text(ndim, dim, have, sizeof have);
    return strcmp(want, have) == 0
               ? ST_OK
               : FAIL(ST_USAGE, "%s has shape %s, the model wants %s", name, have, want);
}

/* The arrays of a group are those of the n views that `has` (NULL: all). */
static Status check_views(hid_t parent, const char *name, const ParamView *views, int n,
                          const bool *has) {
    Status status = ST_OK;
    hid_t group = -1;
    int64_t members = 0, at = 0;
    TRY_DONE(hdf5_open_group(parent, name, &group));
    TRY_DONE(hdf5_members(group, &members));
    for (int i = 0; i < n; i++) {
        if (has && !has[i])
            continue;
        if (at < members)
            TRY_DONE(check_array(group, name, at, &views[i]));
        at++;
    }
    if (members != at)
        status =
            FAIL(ST_USAGE, "%s has %" PRId64 " arrays, the model has %" PRId64, name, members, at);
done:
    if (group >= 0)
        H5Gclose(group);
    return status;
}

static bool has_slot(const Checkpoint *meta, const char *name) {
    bool has = false;
    for (int i = 0; i < meta->n_slots; i++)
        has = has || strcmp(meta->slot_name[i], name) == 0;
    return has;
}

/* `slow`: whether there are slow running statistics beside the optimizer's. */
static Status check_slots(hid_t file, const Checkpoint *meta, const Model *model,
                          const Grouping *grouping, bool slow) {
    Status status = ST_OK;
    hid_t optimizer = -1;
    int kept = grouping->n_states + slow;
    TRY_DONE(hdf5_open_group(file, "optimizer", &optimizer));
    for (int s = 0; s < grouping->n_states; s++) {
        const GroupState *state = &grouping->state[s];
        if (!has_slot(meta, state->name)) {
            status = FAIL(ST_USAGE, "it has no %s, which the optimizer keeps", state->name);
            goto done;
        }
        TRY_DONE(check_views(optimizer, state->name, model->params, model->n_params, state->has));
    }
    if (slow)
        TRY_DONE(check_views(optimizer, SLOW_RUNNING, model->running, model->n_running, NULL));
    if (meta->n_slots != kept || slow != has_slot(meta, SLOW_RUNNING))
        status = FAIL(ST_USAGE, "it has %d pieces of optimizer state, the optimizer keeps %d",
                      meta->n_slots, kept);
done:
    if (optimizer >= 0)
        H5Gclose(optimizer);
    return status;
}

/* `follows`: whether the configuration is one whose sums go by it. */
static Status check_peak(hid_t file, const Model *model, bool follows) {
    Status status = ST_OK;
    hid_t group = -1;
    bool has = false;
    int64_t *peak = NULL;
    TRY_DONE(hdf5_open_group(file, "state", &group));
    TRY_DONE(hdf5_has_member(group, GRADIENT_PEAK, &has));
    if (has != follows) {
        status = FAIL(ST_USAGE, "it has %s " GRADIENT_PEAK ", its configuration %s",
                      has ? "a" : "no", has ? "wants none" : "wants one");
        goto done;
    }
    if (!follows)
        goto done;
    peak = calloc((size_t)model->n_params + 1, sizeof *peak);
    status = peak ? checkpoint_read_peak(file, model->n_params, peak)
                  : FAIL(ST_INTERNAL, "out of memory");
done:
    free(peak);
    if (group >= 0)
        H5Gclose(group);
    return status;
}

static Status check_arrays(hid_t file, const Checkpoint *meta, const RunConfig *config,
                           const Model *model, const Grouping *grouping) {
    TRY(check_views(file, "params", model->params, model->n_params, NULL));
    TRY(check_views(file, "running", model->running, model->n_running, NULL));
    if (meta->has_ema != (config->optimizer.ema_decay > 0))
        return FAIL(ST_USAGE, "it has %s moving average of the weights, its configuration %s",
                    meta->has_ema ? "a" : "no", meta->has_ema ? "none" : "has one");
    if (meta->has_ema)
        TRY(check_views(file, "ema", model->params, model->n_params, NULL));
    TRY(check_peak(file, model, config->reduction == REDUCTION_EXACT32));
    return check_slots(file, meta, model, grouping, config->optimizer.lookahead.every > 0);
}

static Status check_values(const Checkpoint *meta, const RunConfig *config) {
    if (meta->seed != config->seed)
        return FAIL(ST_USAGE, "its seed %" PRIu64 " is %" PRIu64 " in its configuration",
                    meta->seed, config->seed);
    if (config->lanes > 0 && meta->lanes != config->lanes)
        return FAIL(ST_USAGE, "its %" PRId64 " lanes are %" PRId64 " in its configuration",
                    meta->lanes, config->lanes);
    if (meta->state.has_plateau != (config->schedule.kind == SCHEDULE_PLATEAU))
        return FAIL(ST_USAGE, "it has %s plateau of the learning rate, its configuration %s",
                    meta->state.has_plateau ? "a" : "no",
                    meta->state.has_plateau ? "none" : "has one");
    return ST_OK;
}

/* Its configuration, and the model of that for the images and classes that it says. */
static Status parse(const Checkpoint *meta, RunConfig *config, Model *model, Grouping *grouping) {
    Dataset dataset = {0};
    Status status = ST_OK;
    if (meta->image.c != 0)
        status =
            dataset_known(meta->dataset, meta->image, meta->classes, meta->class_names, &dataset);
    else
        dataset_cifar10(&dataset);
    if (status == ST_OK)
        status = config_from_text(meta->config, "configuration", config);
    if (status == ST_OK)
        status = model_parse(config->model, config->file, config->model_line, dataset.image,
                             dataset.classes, config->label_smoothing, model);
    if (status == ST_OK)
        status = grouping_open(model, config->groups, config->file, config->groups_line,
                               &config->optimizer, &config->schedule, grouping);
    if (status != ST_OK)
        status_prefix("this program cannot read what run it is of");
    dataset_free(&dataset);
    return status;
}

Status checkpoint_fit(hid_t file, const Checkpoint *meta) {
    Model model = {0};
    Grouping grouping = {0};
    RunConfig *config = malloc(sizeof *config);
    TRY_ALLOC(config);
    Status status = parse(meta, config, &model, &grouping);
    if (status == ST_OK)
        status = check_values(meta, config);
    if (status == ST_OK)
        status = check_arrays(file, meta, config, &model, &grouping);
    if (status == ST_CHECKPOINT) /* a group or an array that is not there */
        status = ST_USAGE;
    grouping_free(&grouping);
    model_free(&model);
    free(config);
    return status;
}
