/* versions: `lockstep --version`. See versions.h. */
#include "lockstep/versions.h"

#include <cjson/cJSON.h>
#include <dnnl.h>
#include <hdf5.h>
#include <mpi.h>
#include <string.h>
#include <xxhash.h>
#include <yaml.h>

#include "version.h"

void versions_line(char *out, size_t room) {
    const dnnl_version_t *dnnl = dnnl_version();
    char mpi[MPI_MAX_LIBRARY_VERSION_STRING];
    unsigned major = 0, minor = 0, release = 0;
    int length = 0;
    MPI_Get_library_version(mpi, &length); /* allowed before MPI_Init */
    H5get_libversion(&major, &minor, &release);
    snprintf(out, room, "%.*s, HDF5 %u.%u.%u, oneDNN %d.%d.%d", (int)strcspn(mpi, ",\n"), mpi,
             major, minor, release, dnnl->major, dnnl->minor, dnnl->patch);
}

void versions_print(FILE *out) {
    const dnnl_version_t *dnnl = dnnl_version();
    char mpi[MPI_MAX_LIBRARY_VERSION_STRING];
    unsigned major = 0, minor = 0, release = 0, xxh = XXH_versionNumber();
    int length = 0;
    MPI_Get_library_version(mpi, &length); /* allowed before MPI_Init */
    mpi[strcspn(mpi, ",\n")] = '\0';
    H5get_libversion(&major, &minor, &release);
    fprintf(out, "lockstep %s (%s)\n", LOCKSTEP_VERSION, LOCKSTEP_GIT);
    fprintf(out, "%s\n", mpi);
    fprintf(out, "HDF5 %u.%u.%u\n", major, minor, release);
    fprintf(out, "oneDNN %d.%d.%d\n", dnnl->major, dnnl->minor, dnnl->patch);
    fprintf(out, "libyaml %s\n", yaml_get_version_string());
    fprintf(out, "cJSON %s\n", cJSON_Version());
    fprintf(out, "xxHash %u.%u.%u\n", xxh / 10000, xxh / 100 % 100, xxh % 100);
}
