/* hash: XXH3 through libxxhash. See hash.h. */
#include "lockstep/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "lockstep/file.h"

enum { READ_BYTES = 1 << 20 };

struct HashState {
    XXH3_state_t *xxh;
};

HashState *hash_new(void) {
    HashState *hash = malloc(sizeof *hash);
    if (!hash)
        return NULL;
    hash->xxh = XXH3_createState();
    if (!hash->xxh) {
        free(hash);
        return NULL;
    }
    XXH3_64bits_reset(hash->xxh);
    return hash;
}

void hash_free(HashState *hash) {
    if (!hash)
        return;
    XXH3_freeState(hash->xxh);
    free(hash);
}

void hash_reset(HashState *hash) {
    XXH3_64bits_reset(hash->xxh);
}

void hash_add(HashState *hash, const void *data, size_t bytes) {
    XXH3_64bits_update(hash->xxh, data, bytes);
}

uint64_t hash_value(const HashState *hash) {
    return XXH3_64bits_digest(hash->xxh);
}

uint64_t hash_bytes(const void *data, size_t bytes) {
    return XXH3_64bits(data, bytes);
}

void hash_hex(uint64_t value, char hex[17]) {
    snprintf(hex, 17, "%016" PRIx64, value);
}

static void print128(XXH128_hash_t value, char hex[33]) {
    snprintf(hex, 33, "%016" PRIx64 "%016" PRIx64, (uint64_t)value.high64, (uint64_t)value.low64);
}

void hash_hex128(const void *data, size_t bytes, char hex[33]) {
    print128(XXH3_128bits(data, bytes), hex);
}

Status hash_file(const char *path, char hex[33]) {
    Status status = ST_OK;
    XXH3_state_t *state = XXH3_createState();
    unsigned char *buffer = malloc(READ_BYTES);
    int fd = file_open(path, O_RDONLY);
    if (!state || !buffer) {
        status = FAIL(ST_INTERNAL, "out of memory");
        goto done;
    }
    if (fd < 0) {
        status = FAIL(ST_CHECKPOINT, "%s: cannot be opened: %s", path, file_cause(errno));
        goto done;
    }
    XXH3_128bits_reset(state);
    for (;;) {
        ssize_t n = read(fd, buffer, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            status = FAIL(ST_CHECKPOINT, "%s: cannot be read: %s", path, strerror(errno));
            goto done;
        }
        if (n == 0)
            break;
        XXH3_128bits_update(state, buffer, (size_t)n);
    }
    print128(XXH3_128bits_digest(state), hex);
done:
    if (fd >= 0)
        close(fd);
    free(buffer);
    XXH3_freeState(state);
    return status;
}
