/* Fuzzes the CIFAR-10 reader: no folder may crash it, and what it accepts must be what is there.
 *
 * An input describes one odd file among good ones, since only names, sizes and labels can go wrong:
 * byte 0 is the file (6: all of them, 7: it is missing), bytes 1 and 2 its size (little-endian),
 * the others the labels of its records, over and over. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/data/cifar10_format.h"
#include "lockstep/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES = 6, GOOD_RECORDS = 2, SIZE_MAX_BYTES = 65536 };

static char folder[] = "/tmp/lockstep-fuzz-XXXXXX";

static void path_of(int file, char path[64]) {
    if (file < FILES - 1)
        snprintf(path, 64, "%s/data_batch_%d.bin", folder, file + 1);
    else
        snprintf(path, 64, "%s/test_batch.bin", folder);
}

static void remove_folder(void) {
    char path[64];
    for (int file = 0; file < FILES; file++) {
        path_of(file, path);
        unlink(path);
    }
    rmdir(folder);
}

static void write_file(int file, size_t size, const uint8_t *labels, size_t label_count) {
    static uint8_t content[SIZE_MAX_BYTES];
    char path[64];
    memset(content, 200, size);
    for (size_t record = 0; record * CIFAR10_RECORD < size; record++)
        content[record * CIFAR10_RECORD] = label_count ? labels[record % label_count] : 0;
    path_of(file, path);
    FILE *out = fopen(path, "wb");
    if (!out || fwrite(content, 1, size, out) != size || fclose(out) != 0)
        abort();
}

/* Reads a whole part; aborts if what was accepted is not what the files hold. */
static void read_part(const Dataset *dataset, DatasetPart part) {
    Shard shard;
    int64_t count = dataset->count[part], bytes = 0;
    int64_t *ids = malloc((size_t)count * sizeof *ids);
    if (!ids)
        abort();
    for (int64_t i = 0; i < count; i++)
        ids[i] = i;
    if (shard_read(dataset, part, ids, 0, count, &shard, &bytes) == ST_OK) {
        if (bytes != count * CIFAR10_RECORD)
            abort();
        for (int64_t i = 0; i < count; i++) {
            if (shard.labels[i] >= CIFAR10_CLASSES || shard.pixels[i * CIFAR10_PIXELS] != 200)
                abort();
        }
        shard_free(&shard);
    } else if (!strstr(status_message(), "has label")) {
        abort();
    }
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool dirty[FILES]; /* files that are not good ones now */
    static bool started;
    Dataset dataset;
    char path[64];
    if (size < 3)
        return 0;
    if (!started) {
        if (!mkdtemp(folder))
            abort();
        atexit(remove_folder);
        memset(dirty, true, sizeof dirty);
        started = true;
    }
    int odd = data[0] % 8;
    size_t bytes = data[1] + 256u * data[2];
    for (int file = 0; file < FILES; file++) {
        bool good = file != odd && odd != FILES;
        if (!good)
            write_file(file, bytes, data + 3, size - 3);
        else if (dirty[file])
            write_file(file, GOOD_RECORDS * CIFAR10_RECORD, NULL, 0);
        dirty[file] = !good;
    }
    if (odd == FILES + 1) {
        path_of(data[1] % FILES, path);
        unlink(path);
        dirty[data[1] % FILES] = true;
    }
    status_clear();
    if (dataset_open(folder, 1, &dataset) == ST_OK) {
        read_part(&dataset, DATASET_PART_TRAIN);
        status_clear();
        read_part(&dataset, DATASET_PART_TEST);
    } else if (strlen(status_message()) == 0) {
        abort();
    }
    return 0;
}
