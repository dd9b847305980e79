/* Reading golden files, and the inputs both sides draw for themselves. */
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_exactly(FILE *file, void *to, size_t bytes) {
    return fread(to, 1, bytes, file) == bytes;
}

/* One record; *more is false at the end of the file. */
static Status read_record(FILE *file, const char *path, Golden *golden, bool *more) {
    uint32_t length;
    uint64_t count;
    char type;
    *more = fread(&length, 1, 1, file) == 1;
    if (!*more)
        return ST_OK;
    if (!read_exactly(file, (char *)&length + 1, sizeof length - 1) ||
        golden->n_records == GOLDEN_RECORDS_MAX || length >= GOLDEN_NAME_MAX)
        return FAIL(ST_DATA, "%s: record %d is damaged", path, golden->n_records);
    GoldenRecord *record = &golden->record[golden->n_records++];
    if (!read_exactly(file, record->name, length) || !read_exactly(file, &type, 1) ||
        !read_exactly(file, &count, sizeof count) || count > UINT64_C(1) << 24)
        return FAIL(ST_DATA, "%s: record '%s' is damaged", path, record->name);
    record->count = (int64_t)count;
    size_t bytes = count * (type == 'd' ? sizeof(double) : 1);
    void *data = calloc(bytes + 1, 1);
    TRY_ALLOC(data);
    if (type == 'd')
        record->value = data;
    else
        record->bytes = data;
    if (!read_exactly(file, data, bytes))
        return FAIL(ST_DATA, "%s: record '%s' ends early", path, record->name);
    return ST_OK;
}

Status golden_read(const char *path, Golden *golden) {
    memset(golden, 0, sizeof *golden);
    FILE *file = fopen(path, "rb");
    if (!file)
        return FAIL(ST_DATA, "%s cannot be opened: run from the root of the source tree", path);
    Status status = ST_OK;
    bool more = true;
    while (more)
        TRY_DONE(read_record(file, path, golden, &more));
done:
    fclose(file);
    return status;
}

void golden_free(Golden *golden) {
    for (int i = 0; i < golden->n_records; i++) {
        free(golden->record[i].value);
        free(golden->record[i].bytes);
    }
    memset(golden, 0, sizeof *golden);
}

const GoldenRecord *golden_find(const Golden *golden, const char *name) {
    for (int i = 0; i < golden->n_records; i++)
        if (strcmp(golden->record[i].name, name) == 0)
            return &golden->record[i];
    return NULL;
}

double golden_unit(uint32_t stream, int64_t index) {
    uint32_t x = (uint32_t)index + stream * 0x9E3779B9u;
    x = (x ^ x >> 16) * 0x7FEB352Du;
    x = (x ^ x >> 15) * 0x846CA68Bu;
    x = x ^ x >> 16;
    return (double)(x >> 8) * 0x1p-24;
}
