/* weights: see weights.h. */
#include "lockstep/weights.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "file_util.h"
#include "hdf5_file.h"
#include "hdf5_object.h"

static Status read_group(hid_t file, const char *name, const ParamView *views, int n, float *to) {
    Status status = ST_OK;
    hid_t group = -1;
    int64_t members = 0;
    if (n == 0) /* a network without running statistics: the group may be missing */
        return ST_OK;
    TRY_DONE(hdf5_open_group(file, name, &group));
    for (int i = 0; i < n; i++) {
        const ParamView *view = &views[i];
        TRY_DONE(hdf5_get_array(group, view->name, H5T_IEEE_F32LE, view->spec.ndim, view->spec.dim,
                                to + view->offset));
        for (int64_t e = 0; e < view->count; e++) {
            if (!isfinite(to[view->offset + e])) {
                status = FAIL(ST_CHECKPOINT, "%s has values that are NaN or infinite", view->name);
                goto done;
            }
        }
    }
    TRY_DONE(hdf5_members(group, &members));
    if (members != n)
        status =
            FAIL(ST_CHECKPOINT, "%s has %" PRId64 " arrays, the network has %d", name, members, n);
done:
    if (group >= 0)
        H5Gclose(group);
    return status;
}

Status weights_read(const char *path, const Model *model, float *weight, float *running) {
    Status status = ST_OK;
    hid_t file = -1;
    char *bytes = NULL;
    size_t size = 0;
    TRY(file_load(path, &bytes, &size));
    memset(weight, 0, (size_t)model->flat * sizeof *weight);
    memset(running, 0, (size_t)model->running_flat * sizeof *running);
    TRY_DONE(hdf5_open_image(bytes, size, &file));
    TRY_DONE(read_group(file, "params", model->params, model->n_params, weight));
    TRY_DONE(read_group(file, "running", model->running, model->n_running, running));
done:
    if (file >= 0)
        H5Fclose(file);
    free(bytes);
    if (status != ST_OK)
        status_prefix("%s", path);
    return status;
}
