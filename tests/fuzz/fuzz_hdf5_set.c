/* A data set of one's own in HDF5: any file is read or refused. What was accepted has labels of its
 * classes, in every record that is read. */
#include "lockstep/dataset.h"
#include "scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS_READ = 8 };

static void read_part(const Dataset *set, DatasetPart part) {
    int64_t ids[RECORDS_READ], bytes = 0;
    int64_t n = set->count[part] < RECORDS_READ ? set->count[part] : RECORDS_READ;
    Shard shard;
    for (int64_t i = 0; i < n; i++)
        ids[i] = set->count[part] - n + i;
    Status status = shard_read(set, part, ids, 0, n, &shard, &bytes);
    if (status == ST_OK) {
        for (int64_t i = 0; i < n; i++)
            MUST(shard.labels[i] < set->classes);
        shard_free(&shard);
    }
    scratch_judge(status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Dataset set;
    Status status = dataset_open(scratch_write("set.h5", data, size), 1, &set);
    if (status == ST_OK) {
        MUST(set.classes > 0 && set.classes <= CLASSES_MAX && set.image.c > 0);
        for (int part = 0; part < DATASET_PARTS; part++)
            read_part(&set, (DatasetPart)part);
    }
    dataset_free(&set);
    scratch_judge(status);
    return 0;
}
