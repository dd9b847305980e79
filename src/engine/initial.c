/* The weights that a run begins with: the model's, from the seed, and those made of images. */
#include <inttypes.h>
#include <stdlib.h>

#include "lockstep/log.h"
#include "lockstep/patches.h"
#include "lockstep/session.h"

/* Of the training set, in the order of its files: as airbench94 has it. */
enum { WHITENING_IMAGES = 5000 };

/* Adds this rank's part of the first `images` training records. */
static void add_patches(const Input *input, int64_t kernel, int64_t images, int64_t *sums) {
    for (int64_t l = 0; l < input->lane_count; l++) {
        const Shard *shard = &input->shards[l];
        int64_t left = images - shard->first, count = left < shard->count ? left : shard->count;
        if (count > 0)
            patch_sums_add(input->dataset.image, kernel, shard->pixels, count, sums);
    }
}

/* Fills the weight of one parameter. Collective. */
static Status whiten(Session *session, const ParamView *view, float *weights) {
    Comm *comm = session->ranks.comm;
    const Input *input = &session->input;
    Shape image = input->dataset.image;
    int64_t kernel = view->spec.dim[2], images = input->sampler.records;
    int64_t d = patch_elements(image, kernel), count = patch_sums_count(image, kernel);
    int64_t *sums = calloc((size_t)count, sizeof *sums);
    double *moments = malloc((size_t)(d * d) * sizeof *moments);
    Status status = comm_agree(comm, sums && moments ? ST_OK : FAIL(ST_INTERNAL, "out of memory"));
    images = images < WHITENING_IMAGES ? images : WHITENING_IMAGES;
    if (status == ST_OK) {
        add_patches(input, kernel, images, sums);
        status = comm_sum_i64(comm, sums, count);
    }
    if (status == ST_OK) {
        PixelScale scale = augment_scale(&session->config->augment);
        patch_moments(image, kernel, &scale, sums, moments);
        status = comm_agree(comm, model_whiten(view, moments, weights));
        log_info("%s: whitening filters of %" PRId64 " patches of %" PRId64 " x %" PRId64
                 ", of the first %" PRId64 " training images",
                 view->name, sums[0], kernel, kernel, images);
    }
    free(sums);
    free(moments);
    return status;
}

Status session_initial_weights(Session *session, float *weights, float *running) {
    const Model *model = &session->model;
    model_init(model, session->config->seed, weights, running);
    for (int i = 0; i < model->n_params; i++) {
        if (model->params[i].spec.init == INIT_WHITENING)
            TRY(whiten(session, &model->params[i], weights));
    }
    return ST_OK;
}
