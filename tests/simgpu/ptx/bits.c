/* bits: the instructions that pick bits apart, one lane at a time. */
#include "code.h"

uint32_t bits_permute(uint64_t a, uint64_t b, uint32_t selector) {
    uint64_t bytes = (uint32_t)a | (uint64_t)(uint32_t)b << 32;
    uint32_t result = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t s = selector >> 4 * i & 15, byte = bytes >> 8 * (s & 7) & 255;
        if (s & 8)
            byte = byte & 128 ? 255 : 0;
        result |= byte << 8 * i;
    }
    return result;
}

uint32_t bits_dot2(uint64_t a, uint64_t b) {
    return (uint32_t)((a & 0xffff) * (b & 0xff) + (a >> 16 & 0xffff) * (b >> 8 & 0xff));
}

uint64_t bits_logic3(uint64_t a, uint64_t b, uint64_t c, unsigned table) {
    uint64_t result = 0;
    for (unsigned i = 0; i < 8; i++) {
        if (table >> i & 1)
            result |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
    }
    return result & 0xffffffffu;
}

uint32_t bits_funnel(const Inst *inst, uint32_t low, uint32_t high, uint32_t by) {
    by = inst->clamp ? (by < 32 ? by : 32) : by & 31;
    uint64_t both = (uint64_t)high << 32 | low;
    return inst->mode == SHIFT_LEFT ? (uint32_t)((both << by) >> 32) : (uint32_t)(both >> by);
}

uint64_t bits_field(const Inst *inst, uint64_t a, uint32_t position, uint32_t length) {
    int bits = 8 * type_bytes(inst->type);
    position &= 255, length &= 255;
    uint64_t value = extended(a, inst->type), result = 0;
    uint64_t sign = 0;
    if (is_signed(inst->type) && length > 0) {
        uint32_t top =
            position + length - 1 < (uint32_t)bits ? position + length - 1 : (uint32_t)bits - 1;
        sign = value >> top & 1;
    }
    for (uint32_t i = 0; i < (uint32_t)bits; i++) {
        uint64_t bit =
            i < length && position + i < (uint32_t)bits ? value >> (position + i) & 1 : sign;
        result |= bit << i;
    }
    return result;
}

uint64_t bits_insert(const Inst *inst, uint64_t a, uint64_t b, uint32_t position, uint32_t length) {
    int bits = 8 * type_bytes(inst->type);
    position &= 255, length &= 255;
    for (uint32_t i = 0; i < length && position + i < (uint32_t)bits; i++) {
        uint64_t bit = 1ull << (position + i);
        b = a >> i & 1 ? b | bit : b & ~bit;
    }
    return b;
}

uint64_t bits_reverse(uint64_t a, int bits) {
    uint64_t result = 0;
    for (int i = 0; i < bits; i++)
        result |= (a >> i & 1) << (bits - 1 - i);
    return result;
}

uint64_t bits_product_high(Type type, uint64_t a, uint64_t b) {
    if (type == T_U32)
        return ((a & 0xffffffffu) * (b & 0xffffffffu)) >> 32;
    if (type == T_S32)
        return (uint32_t)(((int64_t)(int32_t)a * (int32_t)b) >> 32);
    if (type == T_S64)
        return (uint64_t)(((__int128)(int64_t)a * (int64_t)b) >> 64);
    return (uint64_t)(((unsigned __int128)a * b) >> 64);
}
