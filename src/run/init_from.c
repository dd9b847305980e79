/* init_from: see init_from.h.
 *
 * The file is a checkpoint, and judged as one. Rank 0 reads it and sends its bytes to all: one
 * file, whatever else has its name on other nodes. */
#include "init_from.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/checkpoint.h"
#include "lockstep/log.h"

/* The other run's network, with its weights. */
typedef struct Source {
    const char *path; /* borrowed */
    Checkpoint checkpoint;
    RunConfig *config;
    Dataset dataset;
    Model model;
    float *weight, *running;
} Source;

static Status receive_bytes(const Ranks *ranks, const char *path, char **bytes, size_t *size) {
    Comm *comm = ranks->comm;
    TRY(comm_agree(comm, ranks->rank == 0 ? checkpoint_load(path, bytes, size) : ST_OK));
    uint64_t length = *size;
    TRY(comm_bcast(comm, &length, sizeof length, 0));
    if (ranks->rank != 0) {
        *size = length;
        *bytes = malloc(*size);
    }
    TRY(comm_agree(comm, *bytes ? ST_OK : FAIL(ST_INTERNAL, "out of memory")));
    return comm_bcast(comm, *bytes, *size, 0);
}

static Status read_source(Source *source, const char *bytes, size_t size) {
    Checkpoint *checkpoint = &source->checkpoint;
    const Model *model = &source->model;
    TRY(checkpoint_parse_meta(bytes, size, source->path, checkpoint));
    source->config = malloc(sizeof *source->config);
    TRY_ALLOC(source->config);
    TRY(config_from_text(checkpoint->config, source->path, source->config));
    if (checkpoint->image.c == 0)
        dataset_cifar10(&source->dataset);
    else
        TRY(dataset_known(checkpoint->dataset, checkpoint->image, checkpoint->classes,
                          checkpoint->class_names, &source->dataset));
    TRY(session_parse_model(source->config, &source->dataset, &source->model));
    source->weight = malloc((size_t)model->flat * sizeof(float));
    source->running = malloc((size_t)model->running_flat * sizeof(float) + 1);
    TRY_ALLOC(source->weight);
    TRY_ALLOC(source->running);
    checkpoint->model = model;
    checkpoint->running = source->running;
    if (checkpoint->has_ema)
        checkpoint->ema = source->weight;
    else
        checkpoint->weight = source->weight;
    return checkpoint_parse_arrays(bytes, size, source->path, checkpoint);
}

static void free_source(Source *source) {
    free(source->running);
    free(source->weight);
    model_free(&source->model);
    dataset_free(&source->dataset);
    free(source->config);
    checkpoint_meta_free(&source->checkpoint);
}

static const ParamView *find(const ParamView *views, int n, const char *name) {
    for (int i = 0; i < n; i++) {
        if (strcmp(views[i].name, name) == 0)
            return &views[i];
    }
    return NULL;
}

static bool is_alike(const ParamSpec *a, const ParamSpec *b) {
    bool alike = a->ndim == b->ndim;
    for (int d = 0; alike && d < a->ndim; d++)
        alike = a->dim[d] == b->dim[d];
    return alike;
}

static const char *shape_text(const ParamSpec *spec, char text[96]) {
    size_t used = 0;
    text[0] = '\0';
    for (int d = 0; d < spec->ndim && used < 90; d++)
        used += (size_t)snprintf(text + used, 96 - used, "%s%" PRId64, d > 0 ? " x " : "",
                                 spec->dim[d]);
    return text;
}

/* Copies views of one network to those of the same name and shape of another; those of layer `anew`
 * (-1: none) stay as they are. Both must have the same names. */
static Status copy_views(const Source *source, const ParamView *from, int n_from,
                         const float *old_base, const ParamView *to, int n_to, float *base,
                         int anew) {
    char here[96], there[96];
    for (int i = 0; i < n_to; i++) {
        const ParamView *old = find(from, n_from, to[i].name);
        if (to[i].layer == anew)
            continue;
        if (!old)
            return FAIL(ST_USAGE,
                        "--init-from %s: it has no %s, which the network has; layers go by name",
                        source->path, to[i].name);
        if (!is_alike(&old->spec, &to[i].spec))
            return FAIL(ST_USAGE,
                        "--init-from %s: its %s has shape %s, the network's %s; only the last "
                        "layer with weights may differ",
                        source->path, to[i].name, shape_text(&old->spec, there),
                        shape_text(&to[i].spec, here));
        memcpy(base + to[i].offset, old_base + old->offset, (size_t)old->count * sizeof *base);
    }
    for (int i = 0; i < n_from; i++) {
        if (!find(to, n_to, from[i].name))
            return FAIL(ST_USAGE,
                        "--init-from %s: the network has no %s, which it has; layers go "
                        "by name",
                        source->path, from[i].name);
    }
    return ST_OK;
}

/* The last layer with weights where it is in both networks with other shapes, else -1. */
static int changed_head(const Source *source, const Model *model) {
    char here[96], there[96];
    int head = model->n_params > 0 ? model->params[model->n_params - 1].layer : -1;
    for (int i = 0; i < model->n_params; i++) {
        const ParamView *view = &model->params[i];
        const ParamView *old = find(source->model.params, source->model.n_params, view->name);
        if (view->layer != head || !old || is_alike(&old->spec, &view->spec))
            continue;
        log_info("--init-from: layer %s begins anew: its weight is %s in %s, and %s here",
                 model->layers[head].name, shape_text(&old->spec, there), source->path,
                 shape_text(&view->spec, here));
        return head;
    }
    return -1;
}

static void compare_pixels(const Source *source, const RunConfig *config, int64_t channels) {
    const Augment *a = &source->config->augment, *b = &config->augment;
    double unit_a = a->unit == PIXEL_UNIT_BYTE ? 255 : 1;
    double unit_b = b->unit == PIXEL_UNIT_BYTE ? 255 : 1;
    bool alike = true;
    for (int64_t c = 0; c < channels; c++)
        alike = alike && fabs(a->mean[c] / unit_a - b->mean[c] / unit_b) < 1e-3 &&
                fabs(a->std[c] / unit_a - b->std[c] / unit_b) < 1e-3;
    if (!alike)
        log_warn("--init-from %s: its images had another augment.mean or augment.std than these",
                 source->path);
}

static Status copy(const Session *session, const Source *source, HostState *host) {
    const Model *model = &session->model, *old = &source->model;
    const Checkpoint *checkpoint = &source->checkpoint;
    int head = changed_head(source, model);
    TRY(copy_views(source, old->params, old->n_params, source->weight, model->params,
                   model->n_params, host->weight, head));
    TRY(copy_views(source, old->running, old->n_running, source->running, model->running,
                   model->n_running, host->running, -1));
    if (old->image.c == model->image.c)
        compare_pixels(source, session->config, model->image.c);
    log_info("--init-from: weights%s of step %" PRId64 " in %s; all else begins anew",
             checkpoint->has_ema ? " (their moving average)" : "", checkpoint->state.step,
             source->path);
    return ST_OK;
}

Status init_from_file(Session *session, HostState *host) {
    Source source = {.path = session->config->init_from};
    char *bytes = NULL;
    size_t size = 0;
    if (source.path[0] == '\0')
        return ST_OK;
    Status status = receive_bytes(&session->ranks, source.path, &bytes, &size);
    if (status == ST_OK) {
        Status mine = read_source(&source, bytes, size);
        if (mine == ST_OK)
            mine = copy(session, &source, host);
        status = comm_agree(session->ranks.comm, mine);
    }
    free_source(&source);
    free(bytes);
    return status;
}
