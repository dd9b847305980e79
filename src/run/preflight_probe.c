/* preflight_probe: what one rank sees of its host, its device, the data and the network. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "lockstep/clock.h"
#include "lockstep/hash.h"
#include "lockstep/versions.h"
#include "preflight.h"
#include "setup.h"
#include "site.h"

enum { READ_RECORDS = 1000, REPEATS = 7 };

static int64_t free_bytes(const char *path) {
    struct statvfs info;
    return statvfs(path, &info) == 0 ? (int64_t)info.f_bavail * (int64_t)info.f_frsize : -1;
}

static void probe_device(const Run *run, Probe *probe) {
    Device *device = NULL;
    probe->device_status = engine_open_device(run->config, comm_local_rank(run->comm), &device);
    if (probe->device_status != ST_OK) {
        snprintf(probe->device, sizeof probe->device, "%s", status_message());
        status_clear();
        return;
    }
    snprintf(probe->device, sizeof probe->device, "%s", device->description);
    snprintf(probe->instruction_set, sizeof probe->instruction_set, "%s", device->instruction_set);
    device->ops->close(device);
}

static Status hash_part(const Dataset *dataset, DatasetPart part, HashState *hash) {
    int64_t ids[READ_RECORDS], total = dataset->count[part];
    uint8_t *labels = malloc(READ_RECORDS * (size_t)DATASET_RECORD);
    uint8_t *pixels = labels + READ_RECORDS;
    Status status = ST_OK;
    TRY_ALLOC(labels);
    for (int64_t first = 0; first < total; first += READ_RECORDS) {
        int64_t n = total - first < READ_RECORDS ? total - first : READ_RECORDS;
        for (int64_t i = 0; i < n; i++)
            ids[i] = first + i;
        TRY_DONE(dataset_read(dataset, part, ids, n, labels, pixels, NULL));
        hash_add(hash, labels, (size_t)n);
        hash_add(hash, pixels, (size_t)n * DATASET_PIXELS);
    }
done:
    free(labels);
    return status;
}

/* Every record, on every rank: what one can read another may not. */
static Status read_all(const Run *run, Probe *probe) {
    Dataset dataset;
    TRY(dataset_open(input_folder(run->config), run->config->seed, &dataset));
    memcpy(probe->records, dataset.count, sizeof probe->records);
    if (dataset.synthetic)
        return ST_OK;
    HashState *hash = hash_new();
    TRY_ALLOC(hash);
    Status status = hash_part(&dataset, DATASET_PART_TRAIN, hash);
    if (status == ST_OK)
        status = hash_part(&dataset, DATASET_PART_TEST, hash);
    probe->data_hash = hash_value(hash);
    hash_free(hash);
    return status;
}

void probe_host(Run *run, Probe *probe) {
    struct utsname system;
    const char *tmp = getenv("TMPDIR");
    memset(probe, 0, sizeof *probe); /* gathered as bytes */
    probe->seconds = (int64_t)time(NULL);
    snprintf(probe->host, sizeof probe->host, "%s", comm_host(run->comm));
    probe->local_rank = comm_local_rank(run->comm);
    probe->launcher_local_rank = site_local_rank();
    probe->ranks_here = comm_local_size(run->comm);
    probe->threads = run->threads;
    probe->cores = cores_available();
    probe->memory = (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);
    snprintf(probe->tmp, sizeof probe->tmp, "%s", tmp && *tmp ? tmp : "/tmp");
    probe->tmp_free = free_bytes(probe->tmp);
    probe->shm_free = free_bytes("/dev/shm");
    if (uname(&system) == 0)
        snprintf(probe->system, sizeof probe->system, "%.20s %.40s", system.sysname,
                 system.release);
    versions_line(probe->libraries, sizeof probe->libraries);
    site_interfaces(probe->interfaces, sizeof probe->interfaces);
    site_network(probe->hints, sizeof probe->hints);
    probe_device(run, probe);
    probe->data_status = read_all(run, probe);
    if (probe->data_status != ST_OK) {
        snprintf(probe->data, sizeof probe->data, "%s", status_message());
        status_clear();
    }
}

/* Element i of rank r; the sum over ranks is known. */
static int64_t term(int64_t i, int64_t rank) {
    return (i % 1000003 + 1) * (rank + 1) - (i % 7) * (INT64_C(1) << 40);
}

static int64_t whole(int64_t i, int64_t size) {
    return (i % 1000003 + 1) * (size * (size + 1) / 2) - size * (i % 7) * (INT64_C(1) << 40);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One size: each repeat sums fresh numbers. *wrong: the first element that is, -1 if none. */
static Status time_size(Run *run, int64_t *data, int64_t count, double *seconds, int64_t *wrong) {
    double took[REPEATS];
    *wrong = -1;
    for (int k = 0; k < REPEATS; k++) {
        for (int64_t i = 0; i < count; i++)
            data[i] = term(i + k, run->rank);
        TRY(comm_barrier(run->comm));
        double start = clock_now();
        TRY(comm_reduce(run->comm, data, count, DT_I64, NULL, 0));
        took[k] = clock_now() - start;
        for (int64_t i = 0; i < count && *wrong < 0; i++) {
            if (data[i] != whole(i + k, run->size))
                *wrong = i;
        }
    }
    TRY(comm_max_f64(run->comm, took, REPEATS));
    qsort(took, REPEATS, sizeof *took, ascending);
    *seconds = took[REPEATS / 2];
    return ST_OK;
}

Status probe_reduce(Run *run, ReduceTime *times) {
    const int64_t bytes[REDUCE_SIZES] = {8, 65536, run->config->bucket_bytes, 8 * run->model.flat};
    int64_t largest = bytes[2] > bytes[3] ? bytes[2] : bytes[3], wrong;
    int64_t *data = malloc((size_t)largest);
    Status status = comm_agree(run->comm, data ? ST_OK : FAIL(ST_INTERNAL, "out of memory"));
    for (int s = 0; s < REDUCE_SIZES && status == ST_OK; s++) {
        times[s].bytes = bytes[s];
        status = time_size(run, data, bytes[s] / 8, &times[s].seconds, &wrong);
        if (status != ST_OK) /* MPI itself failed: not agreed on */
            break;
        if (wrong >= 0)
            status = FAIL(ST_COMM,
                          "an all-reduce of %" PRId64 " bytes over %d ranks gave a wrong sum at "
                          "element %" PRId64 ": the network or its library is broken; try another "
                          "one (OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,vader,tcp)",
                          bytes[s], run->size, wrong);
        status = comm_agree(run->comm, status);
    }
    free(data);
    return status;
}
