/* make_cifar DIR TRAIN_PER_FILE [TEST [SEED]]: writes a small data set in CIFAR-10's format.
 *
 * The records are those of --data synthetic, so a network can learn from them. TEST defaults to
 * TRAIN_PER_FILE, SEED to 1. DIR is made if it is not there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../src/data/cifar10_format.h"
#include "lockstep/dataset.h"

/* Records first..first+n) of a part as one file; 0 on success. */
static int write_file(const Dataset *dataset, DatasetPart part, int64_t first, int64_t n,
                      const char *path) {
    uint8_t record[CIFAR10_RECORD];
    uint16_t label;
    FILE *file = fopen(path, "wb");
    int failed = !file;
    for (int64_t id = first; !failed && id < first + n; id++) {
        failed = dataset_read(dataset, part, &id, 1, &label, record + 1, NULL) != ST_OK;
        record[0] = (uint8_t)label;
        failed = failed || fwrite(record, sizeof record, 1, file) != 1;
    }
    if (file && fclose(file) != 0)
        failed = 1;
    if (failed)
        fprintf(stderr, "make_cifar: %s: %s\n", path, strerror(errno));
    return failed;
}

int main(int argc, char **argv) {
    long long train = argc > 2 ? atoll(argv[2]) : 0;
    long long test = argc > 3 ? atoll(argv[3]) : train;
    if (argc < 3 || argc > 5 || train < 1 || train > CIFAR10_TRAIN / 5 || test < 1 ||
        test > CIFAR10_TEST) {
        fprintf(stderr, "usage: make_cifar DIR TRAIN_PER_FILE [TEST [SEED]]: 1 to 10000 records\n");
        return 2;
    }
    Dataset dataset;
    char path[4096];
    if (mkdir(argv[1], 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "make_cifar: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    if (dataset_open("synthetic", argc > 4 ? strtoull(argv[4], NULL, 10) : 1, &dataset) != ST_OK)
        return 1;
    for (int file = 0; file < 5; file++) {
        snprintf(path, sizeof path, "%s/data_batch_%d.bin", argv[1], file + 1);
        if (write_file(&dataset, DATASET_PART_TRAIN, file * train, train, path) != 0)
            return 1;
    }
    snprintf(path, sizeof path, "%s/test_batch.bin", argv[1]);
    return write_file(&dataset, DATASET_PART_TEST, 0, test, path);
}
