/* versions: `lockstep --version`. See versions.h. */
#include "lockstep/versions.h"

#include <cjson/cJSON.h>
#include <dnnl.h>
#include <hdf5.h>
#include <string.h>
#include <xxhash.h>
#include <yaml.h>

#include "lockstep/comm.h"
#include "lockstep/device.h"
#include "version.h"

void versions_line(char *out, size_t room) {
    const dnnl_version_t *dnnl = dnnl_version();
    char mpi[128];
    unsigned major = 0, minor = 0, release = 0;
    comm_mpi_version(mpi, sizeof mpi);
    H5get_libversion(&major, &minor, &release);
    snprintf(out, room, "%s, HDF5 %u.%u.%u, oneDNN %d.%d.%d", mpi, major, minor, release,
             dnnl->major, dnnl->minor, dnnl->patch);
}

void versions_cuda_line(char *out, size_t room) {
    CudaVersions cuda;
    out[0] = '\0';
    if (device_cuda_versions(&cuda) != ST_OK) {
        status_clear();
        return;
    }
    for (int i = 0; i < CUDA_LIBRARIES; i++) {
        size_t used = strlen(out);
        snprintf(out + used, room - used, "%s%s %s", i > 0 ? ", " : "", cuda.name[i],
                 cuda.loaded[i]);
    }
}

static void print_cuda(FILE *out) {
    CudaVersions cuda;
    if (device_cuda_versions(&cuda) != ST_OK) {
        fprintf(out, "CUDA: %s\n", status_message());
        status_clear();
        return;
    }
    for (int i = 0; i < CUDA_LIBRARIES; i++)
        fprintf(out, "%s %s (built with %s)\n", cuda.name[i], cuda.loaded[i], cuda.built[i]);
    fprintf(out, "NVIDIA driver: %s%s\n", cuda.driver[0] ? "for CUDA up to " : "none", cuda.driver);
    if (cuda.driver[0])
        fprintf(out, "GPUs: %d\n", cuda.gpus);
}

void versions_print(FILE *out) {
    const dnnl_version_t *dnnl = dnnl_version();
    char mpi[128];
    unsigned major = 0, minor = 0, release = 0, xxh = XXH_versionNumber();
    comm_mpi_version(mpi, sizeof mpi);
    H5get_libversion(&major, &minor, &release);
    fprintf(out, "lockstep %s (%s)\n", LOCKSTEP_VERSION, LOCKSTEP_GIT);
    fprintf(out, "%s\n", mpi);
    fprintf(out, "HDF5 %u.%u.%u\n", major, minor, release);
    fprintf(out, "oneDNN %d.%d.%d\n", dnnl->major, dnnl->minor, dnnl->patch);
    fprintf(out, "libyaml %s\n", yaml_get_version_string());
    fprintf(out, "cJSON %s\n", cJSON_Version());
    fprintf(out, "xxHash %u.%u.%u\n", xxh / 10000, xxh / 100 % 100, xxh % 100);
    print_cuda(out);
}
