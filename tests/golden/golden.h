/* golden: reads the files that make_golden.py writes. Local. */
#ifndef TESTS_GOLDEN_GOLDEN_H
#define TESTS_GOLDEN_GOLDEN_H

#include <stddef.h>
#include <stdint.h>

#include "lockstep/status.h"

enum { GOLDEN_RECORDS_MAX = 2048, GOLDEN_NAME_MAX = 64 };

typedef struct GoldenRecord {
    char name[GOLDEN_NAME_MAX];
    int64_t count;
    double *value; /* [count], NULL of bytes; owned */
    char *bytes;   /* [count], and a 0 behind; NULL of values; owned */
} GoldenRecord;

typedef struct Golden {
    int n_records;
    GoldenRecord record[GOLDEN_RECORDS_MAX];
} Golden;

/* Reads a whole file. ST_DATA where it is missing or damaged. */
Status golden_read(const char *path, Golden *golden);
void golden_free(Golden *golden);

/* The record of that name, or NULL. Borrowed. */
const GoldenRecord *golden_find(const Golden *golden, const char *name);

/* Element `index` of stream `stream` in [0, 1): what make_golden.py calls unit. */
double golden_unit(uint32_t stream, int64_t index);

#endif
