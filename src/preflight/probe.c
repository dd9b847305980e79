/* probe: what one rank sees of its host, its device, the data and the network. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "lockstep/hash.h"
#include "lockstep/versions.h"
#include "preflight_internal.h"
#include "lockstep/site.h"

enum { READ_RECORDS = 1000 };

static int64_t free_bytes(const char *path) {
    struct statvfs info;
    return statvfs(path, &info) == 0 ? (int64_t)info.f_bavail * (int64_t)info.f_frsize : -1;
}

static void probe_cuda(const Device *device, Probe *probe) {
    CudaVersions versions = {.gpus = 0};
    probe->gpu = true;
    versions_cuda_line(probe->cuda, sizeof probe->cuda);
    if (device_cuda_versions(&versions) == ST_OK)
        memcpy(probe->driver, versions.driver, sizeof probe->driver);
    probe->gpus_seen = versions.gpus;
    snprintf(probe->gpu_address, sizeof probe->gpu_address, "%s", device->address);
    probe->sharing = limits_gpu(device->address);
}

static void probe_device(Session *session, Probe *probe) {
    Device *device = NULL;
    probe->device_status =
        engine_open_device(session->config, comm_local_rank(session->ranks.comm), &device);
    if (probe->device_status != ST_OK) {
        snprintf(probe->device, sizeof probe->device, "%s", status_message());
        status_clear();
        return;
    }
    snprintf(probe->device, sizeof probe->device, "%s", device->description);
    snprintf(probe->instruction_set, sizeof probe->instruction_set, "%s", device->instruction_set);
    if (device->accelerator)
        probe_cuda(device, probe);
    session->device = device;
    session_set_threads(session);
}

static Status hash_part(const Dataset *dataset, DatasetPart part, HashState *hash) {
    int64_t ids[READ_RECORDS], total = dataset->count[part];
    uint16_t *labels = malloc(READ_RECORDS * sizeof *labels);
    uint8_t *pixels = malloc((size_t)(READ_RECORDS * shape_count(dataset->image)));
    Status status = ST_OK;
    if (!labels || !pixels)
        TRY_DONE(FAIL(ST_INTERNAL, "out of memory for %d records", READ_RECORDS));
    for (int64_t first = 0; first < total; first += READ_RECORDS) {
        int64_t n = total - first < READ_RECORDS ? total - first : READ_RECORDS;
        for (int64_t i = 0; i < n; i++)
            ids[i] = first + i;
        TRY_DONE(dataset_read(dataset, part, ids, n, labels, pixels, NULL));
        dataset_hash(dataset, labels, pixels, n, hash);
    }
done:
    free(pixels);
    free(labels);
    return status;
}

/* Every record, on every rank: what one can read another may not. */
static Status read_all(const Session *session, Probe *probe) {
    Dataset dataset;
    Status status = input_dataset(session->config, &dataset);
    if (status != ST_OK) {
        dataset_free(&dataset);
        return status;
    }
    memcpy(probe->records, dataset.count, sizeof probe->records);
    HashState *hash = dataset.synthetic ? NULL : hash_new();
    status = hash || dataset.synthetic ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
    for (int part = 0; hash && status == ST_OK && part < DATASET_PARTS; part++)
        status = hash_part(&dataset, (DatasetPart)part, hash);
    if (hash)
        probe->data_hash = hash_value(hash);
    hash_free(hash);
    dataset_free(&dataset);
    return status;
}

void probe_host(Session *session, Probe *probe) {
    struct utsname system;
    const char *tmp = getenv("TMPDIR");
    int64_t group = limits_cgroup_memory(""), job = limits_slurm_memory();
    const char *hint = getenv("SLURM_HINT");
    memset(probe, 0, sizeof *probe); /* gathered as bytes */
    probe->seconds = (int64_t)time(NULL);
    snprintf(probe->host, sizeof probe->host, "%s", comm_host(session->ranks.comm));
    probe->local_rank = comm_local_rank(session->ranks.comm);
    probe->launcher_local_rank = site_local_rank();
    probe->ranks_here = comm_local_size(session->ranks.comm);
    probe->memory = (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);
    probe->memory_limit = group < 0 || (job >= 0 && job < group) ? job : group;
    snprintf(probe->tmp, sizeof probe->tmp, "%s", tmp && *tmp ? tmp : "/tmp");
    probe->tmp_free = free_bytes(probe->tmp);
    probe->shm_free = free_bytes("/dev/shm");
    if (uname(&system) == 0)
        snprintf(probe->system, sizeof probe->system, "%.20s %.40s", system.sysname,
                 system.release);
    versions_line(probe->libraries, sizeof probe->libraries);
    site_interfaces(probe->interfaces, sizeof probe->interfaces);
    site_network(probe->hints, sizeof probe->hints);
    probe_device(session, probe);
    session_cores(session, &probe->share);
    probe->cores = limits_cores("", &probe->share.own);
    snprintf(probe->hint, sizeof probe->hint, "%s", hint ? hint : "");
    probe->data_status = read_all(session, probe);
    if (probe->data_status != ST_OK) {
        snprintf(probe->data, sizeof probe->data, "%s", status_message());
        status_clear();
    }
}
