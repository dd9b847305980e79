/* convert: cvt and setp, one lane at a time. */
#include <math.h>

#include "code.h"

static inline bool compared(Compare compare, double x, double y) {
    bool unordered = x != x || y != y;
    switch (compare) {
    case EQ:
        return x == y;
    case NE:
        return !unordered && x != y;
    case LT:
        return x < y;
    case LE:
        return x <= y;
    case GT:
        return x > y;
    case GE:
        return x >= y;
    case EQU:
        return unordered || x == y;
    case NEU:
        return unordered || x != y;
    case LTU:
        return unordered || x < y;
    case LEU:
        return unordered || x <= y;
    case GTU:
        return unordered || x > y;
    case GEU:
        return unordered || x >= y;
    case NUM:
        return !unordered;
    default:
        return unordered;
    }
}

#define ORDER(x, y)                                                                                \
    (inst->compare == EQ   ? (x) == (y)                                                            \
     : inst->compare == NE ? (x) != (y)                                                            \
     : inst->compare == LT ? (x) < (y)                                                             \
     : inst->compare == LE ? (x) <= (y)                                                            \
     : inst->compare == GT ? (x) > (y)                                                             \
                           : (x) >= (y))

bool compare_lane(const Inst *inst, uint64_t a, uint64_t b) {
    if (inst->type == T_F32)
        return compared(inst->compare, as_f32(a), as_f32(b));
    if (inst->type == T_F64)
        return compared(inst->compare, as_f64(a), as_f64(b));
    if (inst->type == T_BF16)
        return compared(inst->compare, as_bf16(a), as_bf16(b));
    uint64_t x = extended(a, inst->type), y = extended(b, inst->type);
    return is_signed(inst->type) ? ORDER((int64_t)x, (int64_t)y) : ORDER(x, y);
}

/* A value rounded to an integer that fits `type`, NaN to 0, as cvt does. */
static uint64_t to_integer(double value, Type type, Rounding rounding) {
    if (value != value)
        return 0;
    double whole = rounding == ROUND_ZERO   ? trunc(value)
                   : rounding == ROUND_DOWN ? floor(value)
                   : rounding == ROUND_UP   ? ceil(value)
                                            : nearbyint(value);
    int bits = 8 * type_bytes(type) - is_signed(type);
    double limit = ldexp(1.0, bits), lowest = is_signed(type) ? -limit : 0;
    if (whole >= limit)
        return bits == 64 ? UINT64_MAX : (1ull << bits) - 1;
    if (whole < lowest)
        whole = lowest;
    return is_signed(type) ? (uint64_t)(int64_t)whole : (uint64_t)whole;
}

static double float_of(uint64_t bits, Type type) {
    switch (type) {
    case T_F32:
        return as_f32(bits);
    case T_BF16:
        return as_bf16(bits);
    case T_F16: {
        uint16_t half = (uint16_t)bits;
        _Float16 value;
        memcpy(&value, &half, sizeof value);
        return (double)value;
    }
    default:
        return as_f64(bits);
    }
}

static uint64_t integral(const Inst *inst, double value) {
    double whole = inst->rounding == ROUND_ZERO   ? trunc(value)
                   : inst->rounding == ROUND_DOWN ? floor(value)
                   : inst->rounding == ROUND_UP   ? ceil(value)
                                                  : nearbyint(value);
    return inst->type == T_F32 ? of_f32((float)whole) : of_f64(whole);
}

/* Towards zero from a float: the upper half of its bits; NaN stays NaN. */
static uint64_t truncated_bf16(const Inst *inst, float value) {
    if (inst->rounding != ROUND_ZERO || inst->from != T_F32)
        unknown_instruction(inst);
    return value != value ? of_bf16(value) : of_f32(value) >> 16;
}

uint64_t convert_lane(const Inst *inst, uint64_t bits) {
    Type to = inst->type, from = inst->from;
    if (!is_float(to) && !is_float(from)) {
        uint64_t value = extended(bits, from);
        if (inst->saturate)
            unknown_instruction(inst);
        return extended(value, to);
    }
    if (!is_float(to))
        return to_integer(float_of(bits, from), to, inst->rounding);
    bool nearest = inst->rounding == ROUND_NEAREST;
    if (!nearest && !inst->to_integer && to != T_BF16)
        unknown_instruction(inst);
    if (!is_float(from)) { /* from an integer: one rounding */
        if (!nearest)
            unknown_instruction(inst);
        uint64_t value = extended(bits, from);
        if (to == T_F64)
            return of_f64(is_signed(from) ? (double)(int64_t)value : (double)value);
        float single = is_signed(from) ? (float)(int64_t)value : (float)value;
        return to == T_BF16 ? of_bf16(single) : of_f32(single);
    }
    double value = float_of(bits, from);
    if (inst->to_integer)
        return integral(inst, value);
    switch (to) {
    case T_F32:
        return of_f32(saturated(inst, (float)value));
    case T_F64:
        return of_f64(value);
    case T_BF16:
        return nearest ? of_bf16((float)value) : truncated_bf16(inst, (float)value);
    case T_F16: {
        _Float16 half = (_Float16)value;
        uint16_t result;
        memcpy(&result, &half, sizeof result);
        return result;
    }
    default:
        unknown_instruction(inst);
    }
}
