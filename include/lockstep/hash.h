/* hash: XXH3 over memory and files. Local.
 *
 * HashState accumulates ranges in order: hashing [a, b) then [b, c) equals hashing [a, c). */
#ifndef LOCKSTEP_HASH_H
#define LOCKSTEP_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct HashState HashState; /* XXH3-64 in progress; heap-allocated */

/* NULL when out of memory. */
HashState *hash_new(void);
void hash_free(HashState *hash);
void hash_reset(HashState *hash); /* as new */
void hash_add(HashState *hash, const void *data, size_t bytes);
uint64_t hash_value(const HashState *hash);

/* XXH3-64 of one range. */
uint64_t hash_bytes(const void *data, size_t bytes);

/* XXH3-128 of one range, or of a whole file, as 32 lower-case hex digits. ST_CHECKPOINT with the
 * path where the file cannot be read. */
void hash_hex128(const void *data, size_t bytes, char hex[33]);
Status hash_file(const char *path, char hex[33]);

/* 16 lower-case hex digits. */
void hash_hex(uint64_t value, char hex[17]);

#ifdef __cplusplus
}
#endif
#endif
