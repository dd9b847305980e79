/* crc32: CRC-32 of IEEE 802.3, which Python's zlib.crc32 is, for sums that scripts have made. */
#ifndef TESTS_UNIT_CRC32_H
#define TESTS_UNIT_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Continued from `crc`, which begins as 0. */
static inline uint32_t crc32_of(uint32_t crc, const void *bytes, size_t count) {
    crc = ~crc;
    for (size_t i = 0; i < count; i++) {
        crc ^= ((const uint8_t *)bytes)[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

#endif
