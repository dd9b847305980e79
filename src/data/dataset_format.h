/* dataset_format: how the records of a set are stored. Private to src/data. */
#ifndef LOCKSTEP_DATA_DATASET_FORMAT_H
#define LOCKSTEP_DATA_DATASET_FORMAT_H

#include "lockstep/dataset.h"

typedef struct DatasetFormat {
    int train_files;
    const char *const *files; /* [train_files + 1] of equal size, but for the last: the test set */
    /* dataset_read; the ids are in range and ascend. */
    Status (*read)(const Dataset *dataset, DatasetPart part, const int64_t *ids, int64_t n,
                   uint16_t *labels, uint8_t *pixels, int64_t *bytes);
} DatasetFormat;

extern const DatasetFormat hdf5_format;

/* The six files in a folder, whose name has room. `dataset` is as dataset_cifar10 has it. */
Status cifar10_open(const char *folder, Dataset *dataset);

/* The same of CIFAR-100's two, with fine labels. */
Status cifar100_open(const char *folder, Dataset *dataset);

/* An HDF5 file, whose name has room. `dataset` is zeroed. */
Status hdf5_set_open(const char *path, Dataset *dataset);

#endif
