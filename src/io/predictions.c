/* predictions: see predictions.h. */
#include "lockstep/predictions.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "file_util.h"
#include "hdf5_file.h"
#include "hdf5_object.h"

enum { IMAGES_MAX = 100000000 };

Status predictions_open(Predictions *predictions, int64_t images) {
    *predictions = (Predictions){.images = images};
    predictions->label = calloc((size_t)images, sizeof *predictions->label);
    predictions->predicted = calloc((size_t)images, sizeof *predictions->predicted);
    predictions->probability = calloc((size_t)images, sizeof *predictions->probability);
    if (predictions->label && predictions->predicted && predictions->probability)
        return ST_OK;
    predictions_free(predictions);
    return FAIL(ST_INTERNAL, "out of memory for the predictions of %" PRId64 " images", images);
}

void predictions_free(Predictions *predictions) {
    free(predictions->label);
    free(predictions->predicted);
    free(predictions->probability);
    *predictions = (Predictions){0};
}

/* ---- From process to process ---- */

typedef struct Head {
    int64_t step, images;
} Head;

static const char way[] = "predictions on their way";

Status predictions_send(int out, const Predictions *predictions) {
    Head head = {predictions->step, predictions->images};
    size_t images = (size_t)head.images;
    TRY(file_write(out, way, &head, sizeof head));
    TRY(file_write(out, way, predictions->label, images * sizeof *predictions->label));
    TRY(file_write(out, way, predictions->predicted, images * sizeof *predictions->predicted));
    return file_write(out, way, predictions->probability,
                      images * sizeof *predictions->probability);
}

static Status receive(int in, off_t *at, void *to, size_t bytes) {
    while (bytes > 0) {
        ssize_t n = pread(in, to, bytes, *at);
        if (n <= 0)
            return FAIL(ST_CHECKPOINT, "%s: they are not whole", way);
        to = (char *)to + n;
        bytes -= (size_t)n;
        *at += n;
    }
    return ST_OK;
}

Status predictions_receive(int in, Predictions *predictions) {
    Status status = ST_OK;
    off_t at = 0;
    Head head;
    *predictions = (Predictions){0};
    TRY(receive(in, &at, &head, sizeof head));
    if (head.images < 1 || head.images > IMAGES_MAX)
        return FAIL(ST_CHECKPOINT, "%s: there are %" PRId64 " of them", way, head.images);
    TRY(predictions_open(predictions, head.images));
    size_t images = (size_t)head.images;
    predictions->step = head.step;
    TRY_DONE(receive(in, &at, predictions->label, images * sizeof *predictions->label));
    TRY_DONE(receive(in, &at, predictions->predicted, images * sizeof *predictions->predicted));
    TRY_DONE(receive(in, &at, predictions->probability, images * sizeof *predictions->probability));
done:
    if (status != ST_OK)
        predictions_free(predictions);
    return status;
}

/* ---- A file ---- */

static Status put(hid_t file, const Predictions *predictions) {
    const int64_t *images = &predictions->images;
    TRY(hdf5_put_int(file, "step", predictions->step));
    TRY(hdf5_put_text(file, "dataset", predictions->dataset));
    TRY(hdf5_put_array(file, "label", H5T_STD_I32LE, 1, images, predictions->label));
    TRY(hdf5_put_array(file, "predicted", H5T_STD_I32LE, 1, images, predictions->predicted));
    return hdf5_put_array(file, "probability", H5T_IEEE_F32LE, 1, images, predictions->probability);
}

Status predictions_write(const RunDir *dir, const Predictions *predictions) {
    Hdf5Image image;
    hid_t file;
    TRY(hdf5_create(&image, &file));
    Status status = put(file, predictions);
    if (status == ST_OK)
        status = hdf5_finish(file, &image);
    else
        H5Fclose(file);
    if (status == ST_OK)
        status = rundir_replace(dir, "predictions.h5", image.bytes, image.size);
    free(image.bytes);
    return status;
}

/* Labels and outputs count from 0: whoever draws them looks names up by them. */
static Status check(const Predictions *predictions) {
    for (int64_t i = 0; i < predictions->images; i++) {
        if (predictions->label[i] < 0 || predictions->predicted[i] < 0 ||
            !(predictions->probability[i] >= 0 && predictions->probability[i] <= 1))
            return FAIL(ST_CHECKPOINT, "image %" PRId64 " has values that no prediction has", i);
    }
    return ST_OK;
}

static Status get(hid_t file, Predictions *predictions) {
    int64_t step, dim[HDF5_DIMS_MAX];
    int ndim;
    TRY(hdf5_get_int(file, "step", &step));
    TRY(hdf5_shape(file, "label", sizeof *predictions->label, &ndim, dim));
    if (ndim != 1 || dim[0] < 1 || dim[0] > IMAGES_MAX)
        return FAIL(ST_CHECKPOINT, "label is no list of images");
    TRY(predictions_open(predictions, dim[0]));
    predictions->step = step;
    TRY(hdf5_get_array(file, "label", H5T_STD_I32LE, 1, dim, predictions->label));
    TRY(hdf5_get_array(file, "predicted", H5T_STD_I32LE, 1, dim, predictions->predicted));
    TRY(hdf5_get_array(file, "probability", H5T_IEEE_F32LE, 1, dim, predictions->probability));
    return check(predictions);
}

Status predictions_read(const char *folder, Predictions *predictions) {
    Status status;
    char path[4096], *bytes = NULL;
    size_t size;
    hid_t file = -1;
    *predictions = (Predictions){0};
    TRY(file_join(folder, "predictions.h5", path));
    if (access(path, F_OK) != 0)
        return ST_OK;
    TRY(file_load(path, &bytes, &size));
    TRY_DONE(hdf5_open_image(bytes, size, &file));
    TRY_DONE(get(file, predictions));
done:
    if (file >= 0)
        H5Fclose(file);
    free(bytes);
    if (status != ST_OK) {
        predictions_free(predictions);
        status_prefix("%s", path);
    }
    return status;
}

bool predictions_are_of(const RunDir *dir, int64_t step) {
    Predictions predictions;
    bool are = predictions_read(dir->path, &predictions) == ST_OK && predictions.images > 0 &&
               predictions.step == step;
    predictions_free(&predictions);
    status_clear();
    return are;
}
