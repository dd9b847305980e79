/* reduce: sums of two buffers, by type. */
#include <string.h>

#include "group.h"

size_t reduce_size(ncclDataType_t type) {
    switch (type) {
    case ncclInt8:
    case ncclUint8:
        return 1;
    case ncclBfloat16:
    case ncclFloat16:
        return 2;
    case ncclInt64:
    case ncclUint64:
    case ncclFloat64:
        return 8;
    default:
        return 4;
    }
}

const char *reduce_name(ncclDataType_t type) {
    switch (type) {
    case ncclInt32:
    case ncclUint32:
        return "all-reduce of int32";
    case ncclInt64:
    case ncclUint64:
        return "all-reduce of int64";
    case ncclFloat32:
        return "all-reduce of float32";
    case ncclFloat64:
        return "all-reduce of float64";
    default:
        return "all-reduce of bfloat16";
    }
}

bool reduce_supports(ncclDataType_t type, ncclRedOp_t op) {
    return op == ncclSum &&
           (type == ncclInt32 || type == ncclUint32 || type == ncclInt64 || type == ncclUint64 ||
            type == ncclFloat32 || type == ncclFloat64 || type == ncclBfloat16);
}

static float of_bf16(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

static uint16_t to_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return value != value ? 0x7fff : (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#define ADD(T)                                                                                     \
    do {                                                                                           \
        T *t = to;                                                                                 \
        const T *f = from;                                                                         \
        for (size_t i = 0; i < count; i++)                                                         \
            t[i] = t[i] + f[i];                                                                    \
    } while (0)

void reduce_add(void *to, const void *from, size_t count, ncclDataType_t type) {
    switch (type) {
    case ncclInt32:
    case ncclUint32:
        ADD(uint32_t);
        break;
    case ncclInt64:
    case ncclUint64:
        ADD(uint64_t);
        break;
    case ncclFloat32:
        ADD(float);
        break;
    case ncclFloat64:
        ADD(double);
        break;
    default: {
        uint16_t *t = to;
        const uint16_t *f = from;
        for (size_t i = 0; i < count; i++)
            t[i] = to_bf16(of_bf16(t[i]) + of_bf16(f[i]));
    }
    }
}
