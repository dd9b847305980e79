/* hdf5_error: see hdf5_error.h. */
#include "hdf5_error.h"

#include <stdio.h>

void hdf5_silence(void) {
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5Eclear2(H5E_DEFAULT);
}

static herr_t innermost(unsigned n, const H5E_error2_t *error, void *out) {
    char *text = out;
    if (n == 0)
        snprintf(text, 512, "%s", error->desc ? error->desc : "");
    return 0;
}

Status hdf5_fail(const char *file, int line, const char *what) {
    char text[512] = "";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, text);
    H5Eclear2(H5E_DEFAULT);
    return status_fail(ST_CHECKPOINT, file, line, "%s: %s", what,
                       *text ? text : "HDF5 gives no cause");
}
