/* arith: instructions that compute on registers. Each function executes an instruction for the
 * lanes of a mask; the compiler makes a second, faster copy of it for the full mask. */
#include <fenv.h>
#include <math.h>

#include "code.h"

/* Operands and result of an instruction, a lane each. */
#define OPERANDS                                                                                   \
    const uint64_t *a = operand_lanes(warp, &inst->operand[1]);                                    \
    const uint64_t *b = operand_lanes(warp, &inst->operand[2]);                                    \
    const uint64_t *c = operand_lanes(warp, &inst->operand[3]);                                    \
    uint64_t *d = warp->reg[inst->operand[0].reg];                                                 \
    (void)b, (void)c

#define PUT(value)                                                                                 \
    do {                                                                                           \
        for (int l = 0; l < LANES; l++)                                                            \
            if (full || (mask >> l & 1))                                                           \
                d[l] = (uint64_t)(value);                                                          \
    } while (0)

/* `value` with U and S, the unsigned and signed types of the instruction's width. */
#define CASE_WIDTH(bytes, unsigned_type, signed_type, value)                                       \
    case bytes: {                                                                                  \
        typedef unsigned_type U __attribute__((unused));                                           \
        typedef signed_type S __attribute__((unused));                                             \
        PUT(value);                                                                                \
        break;                                                                                     \
    }
#define PUT_INTEGER(value)                                                                         \
    do {                                                                                           \
        switch (type_bytes(inst->type)) {                                                          \
            CASE_WIDTH(1, uint8_t, int8_t, value)                                                  \
            CASE_WIDTH(2, uint16_t, int16_t, value)                                                \
            CASE_WIDTH(4, uint32_t, int32_t, value)                                                \
            CASE_WIDTH(8, uint64_t, int64_t, value)                                                \
        }                                                                                          \
    } while (0)

/* Results from the operands x, y and z in the instruction's type. */
#define CASE_FLOAT(name, real, get, put, value)                                                    \
    case name:                                                                                     \
        for (int l = 0; l < LANES; l++) {                                                          \
            if (full || (mask >> l & 1)) {                                                         \
                real x = get(a[l]), y = get(b[l]), z = get(c[l]);                                  \
                (void)x, (void)y, (void)z;                                                         \
                d[l] = put(value);                                                                 \
            }                                                                                      \
        }                                                                                          \
        break;
#define PUT_FLOAT(single, twofold)                                                                 \
    do {                                                                                           \
        switch (inst->type) {                                                                      \
            CASE_FLOAT(T_F32, float, as_f32, of_f32, saturated(inst, single))                      \
            CASE_FLOAT(T_F64, double, as_f64, of_f64, twofold)                                     \
            CASE_FLOAT(T_BF16, float, as_bf16, of_bf16, single)                                    \
        default:                                                                                   \
            unknown_instruction(inst);                                                             \
        }                                                                                          \
    } while (0)

void unknown_instruction(const Inst *inst) {
    sim_report("the interpreter does not know the PTX instruction `%s`", inst->text);
}

static inline __attribute__((always_inline)) void compute_float(Warp *warp, const Inst *inst,
                                                                uint32_t mask, const bool full) {
    OPERANDS;
    switch (inst->op) {
    case OP_ADD:
        PUT_FLOAT(x + y, x + y);
        break;
    case OP_SUB:
        PUT_FLOAT(x - y, x - y);
        break;
    case OP_MUL:
        PUT_FLOAT(x * y, x * y);
        break;
    case OP_MAD:
    case OP_FMA:
        PUT_FLOAT(fmaf(x, y, z), fma(x, y, z));
        break;
    case OP_DIV:
        PUT_FLOAT(x / y, x / y);
        break;
    case OP_MIN:
        PUT_FLOAT(fminf(x, y), fmin(x, y));
        break;
    case OP_MAX:
        PUT_FLOAT(fmaxf(x, y), fmax(x, y));
        break;
    case OP_NEG:
        PUT_FLOAT(-x, -x);
        break;
    case OP_ABS:
        PUT_FLOAT(fabsf(x), fabs(x));
        break;
    case OP_COPYSIGN: /* the sign of the first operand */
        PUT_FLOAT(copysignf(y, x), copysign(y, x));
        break;
    case OP_EX2:
        PUT_FLOAT(exp2f(x), exp2(x));
        break;
    case OP_LG2:
        PUT_FLOAT(log2f(x), log2(x));
        break;
    case OP_RCP:
        PUT_FLOAT(1 / x, 1 / x);
        break;
    case OP_SQRT:
        PUT_FLOAT(sqrtf(x), sqrt(x));
        break;
    case OP_RSQRT:
        PUT_FLOAT(1 / sqrtf(x), 1 / sqrt(x));
        break;
    case OP_SIN:
        PUT_FLOAT(sinf(x), sin(x));
        break;
    case OP_COS:
        PUT_FLOAT(cosf(x), cos(x));
        break;
    case OP_TANH:
        PUT_FLOAT(tanhf(x), tanh(x));
        break;
    default:
        unknown_instruction(inst);
    }
}

/* Quotient and remainder of the extended operands; -1 apart, which overflows for the lowest. */
static uint64_t divided(Type type, uint64_t a, uint64_t b) {
    if (!is_signed(type))
        return a / b;
    return (int64_t)b == -1 ? 0 - a : (uint64_t)((int64_t)a / (int64_t)b);
}

static uint64_t remainder_of(Type type, uint64_t a, uint64_t b) {
    if (!is_signed(type))
        return a % b;
    return (int64_t)b == -1 ? 0 : (uint64_t)((int64_t)a % (int64_t)b);
}

static void check_divisor(const Inst *inst, const uint64_t *b, uint32_t mask) {
    for (int l = 0; l < LANES; l++) {
        if (mask >> l & 1 && extended(b[l], inst->type) == 0)
            sim_report("integer division by zero: `%s`", inst->text);
    }
}

static inline __attribute__((always_inline)) void compute_integer(Warp *warp, const Inst *inst,
                                                                  uint32_t mask, const bool full) {
    OPERANDS;
    const Type type = inst->type;
    const unsigned bits = 8 * (unsigned)type_bytes(type);
    const bool with_sign = is_signed(type);
    switch (inst->op) {
    case OP_ADD:
        PUT_INTEGER((U)((U)a[l] + (U)b[l]));
        break;
    case OP_SUB:
        PUT_INTEGER((U)((U)a[l] - (U)b[l]));
        break;
    case OP_MUL:
        if (inst->mode == MODE_WIDE)
            PUT(extended(a[l], type) * extended(b[l], type));
        else if (inst->mode == MODE_HI)
            PUT(bits_product_high(type, a[l], b[l]));
        else
            PUT_INTEGER((U)((uint64_t)(U)a[l] * (U)b[l]));
        break;
    case OP_MAD:
        if (inst->mode == MODE_WIDE)
            PUT(extended(a[l], type) * extended(b[l], type) + c[l]);
        else if (inst->mode == MODE_HI)
            PUT(bits_product_high(type, a[l], b[l]) + c[l]);
        else
            PUT_INTEGER((U)((uint64_t)(U)a[l] * (U)b[l] + c[l]));
        break;
    case OP_DIV:
        check_divisor(inst, b, mask);
        PUT(divided(type, extended(a[l], type), extended(b[l], type)));
        break;
    case OP_REM:
        check_divisor(inst, b, mask);
        PUT(remainder_of(type, extended(a[l], type), extended(b[l], type)));
        break;
    case OP_MIN:
        if (with_sign)
            PUT_INTEGER((S)a[l] < (S)b[l] ? (U)a[l] : (U)b[l]);
        else
            PUT_INTEGER((U)a[l] < (U)b[l] ? (U)a[l] : (U)b[l]);
        break;
    case OP_MAX:
        if (with_sign)
            PUT_INTEGER((S)a[l] > (S)b[l] ? (U)a[l] : (U)b[l]);
        else
            PUT_INTEGER((U)a[l] > (U)b[l] ? (U)a[l] : (U)b[l]);
        break;
    case OP_NEG:
        PUT_INTEGER((U)(0 - (U)a[l]));
        break;
    case OP_ABS:
        PUT_INTEGER((S)a[l] < 0 ? (U)(0 - (U)a[l]) : (U)a[l]);
        break;
    case OP_SHL:
        PUT((uint32_t)b[l] < bits ? a[l] << (uint32_t)b[l] : 0);
        break;
    case OP_SHR:
        if (with_sign)
            PUT((int64_t)extended(a[l], type) >> ((uint32_t)b[l] < bits ? (uint32_t)b[l] : 63));
        else
            PUT((uint32_t)b[l] < bits ? extended(a[l], type) >> (uint32_t)b[l] : 0);
        break;
    case OP_BFE:
        PUT(bits_field(inst, a[l], (uint32_t)b[l], (uint32_t)c[l]));
        break;
    case OP_POPC:
        PUT(__builtin_popcountll(extended(a[l], type)));
        break;
    case OP_CLZ:
        PUT(extended(a[l], type) ? (unsigned)__builtin_clzll(extended(a[l], type)) - 64 + bits
                                 : bits);
        break;
    case OP_BREV:
        PUT(bits_reverse(a[l], (int)bits));
        break;
    default:
        unknown_instruction(inst);
    }
}

/* cvta: between generic addresses and those of one space. */
static uint64_t window(const Inst *inst) {
    return inst->space == SPACE_SHARED  ? SHARED_WINDOW
           : inst->space == SPACE_LOCAL ? LOCAL_WINDOW
                                        : 0;
}

/* Instructions that treat all types alike. */
static inline __attribute__((always_inline)) bool compute_bits(Warp *warp, const Inst *inst,
                                                               uint32_t mask, const bool full) {
    OPERANDS;
    const bool not_a = inst->operand[1].negated, not_b = inst->operand[2].negated;
    const uint64_t *e = operand_lanes(warp, &inst->operand[4]);
    switch (inst->op) {
    case OP_MOV:
        PUT(not_a ? !a[l] : a[l]);
        return true;
    case OP_CVTA:
        if (strstr(inst->text, ".to."))
            PUT(a[l] & ~window(inst));
        else
            PUT(a[l] | window(inst));
        return true;
    case OP_AND:
        PUT((not_a ? !a[l] : a[l]) & (not_b ? !b[l] : b[l]));
        return true;
    case OP_OR:
        PUT((not_a ? !a[l] : a[l]) | (not_b ? !b[l] : b[l]));
        return true;
    case OP_XOR:
        PUT((not_a ? !a[l] : a[l]) ^ (not_b ? !b[l] : b[l]));
        return true;
    case OP_NOT:
        if (inst->type == T_PRED)
            PUT(!(a[l] & 1));
        else
            PUT(~a[l]);
        return true;
    case OP_SELP:
        PUT((c[l] & 1) != inst->operand[3].negated ? a[l] : b[l]);
        return true;
    case OP_SHF:
        PUT(bits_funnel(inst, (uint32_t)a[l], (uint32_t)b[l], (uint32_t)c[l]));
        return true;
    case OP_LOP3:
        PUT(bits_logic3(a[l], b[l], c[l], (unsigned)e[0]));
        return true;
    case OP_PRMT:
        PUT(bits_permute(a[l], b[l], (uint32_t)c[l]));
        return true;
    case OP_DP2A:
        if (inst->type != T_U32 || inst->from != T_U32)
            return false;
        PUT((uint32_t)(bits_dot2(a[l], b[l]) + c[l]));
        return true;
    case OP_BFI:
        PUT(bits_insert(inst, a[l], b[l], (uint32_t)c[l], (uint32_t)e[l]));
        return true;
    case OP_CVT:
        if (inst->type == T_U64 && inst->from == T_U32)
            PUT((uint32_t)a[l]);
        else if (inst->type == T_BF16X2)
            PUT(of_bf16(as_f32(a[l])) << 16 | of_bf16(as_f32(b[l])));
        else
            PUT(convert_lane(inst, a[l]));
        return true;
    default:
        return false;
    }
}

/* mov between a register and a vector of parts of it. */
static bool move_parts(Warp *warp, const Inst *inst, uint32_t mask) {
    const Operand *to = &inst->operand[0], *from = &inst->operand[1];
    if (to->kind != VECTOR && from->kind != VECTOR)
        return false;
    int parts = to->kind == VECTOR ? to->lanes : from->lanes;
    int bits = 8 * type_bytes(inst->type) / parts;
    uint64_t low = bits == 64 ? ~0ull : (1ull << bits) - 1;
    const uint64_t *whole = to->kind == VECTOR ? operand_lanes(warp, from) : NULL;
    for (int l = 0; l < LANES; l++) {
        if (!(mask >> l & 1))
            continue;
        uint64_t packed = whole ? whole[l] : 0;
        for (int i = 0; i < parts; i++) {
            int reg = whole ? to->vector[i] : from->vector[i];
            if (reg < 0)
                continue;
            if (whole)
                warp->reg[reg][l] = packed >> i * bits & low;
            else
                packed |= (warp->reg[reg][l] & low) << i * bits;
        }
        if (!whole)
            warp->reg[to->reg][l] = packed;
    }
    return true;
}

static void set_predicate(Warp *warp, const Inst *inst, uint32_t mask) {
    const Operand *to = &inst->operand[0];
    const uint64_t *a = operand_lanes(warp, &inst->operand[1]);
    const uint64_t *b = operand_lanes(warp, &inst->operand[2]);
    const uint64_t *c = operand_lanes(warp, &inst->operand[3]);
    for (int l = 0; l < LANES; l++) {
        if (!(mask >> l & 1))
            continue;
        bool result = compare_lane(inst, a[l], b[l]), other = !result;
        bool with = (c[l] & 1) != inst->operand[3].negated;
        if (inst->mode == COMBINE_AND)
            result = result && with, other = other && with;
        else if (inst->mode == COMBINE_OR)
            result = result || with, other = other || with;
        else if (inst->mode == COMBINE_XOR)
            result = result != with, other = other != with;
        if (to->reg >= 0)
            warp->reg[to->reg][l] = result;
        if (to->second >= 0)
            warp->reg[to->second][l] = other;
    }
}

static inline __attribute__((always_inline)) void compute(Warp *warp, const Inst *inst,
                                                          uint32_t mask, const bool full) {
    if (compute_bits(warp, inst, mask, full))
        return;
    if (is_float(inst->type))
        compute_float(warp, inst, mask, full);
    else
        compute_integer(warp, inst, mask, full);
}

static void __attribute__((noinline)) compute_full(Warp *warp, const Inst *inst) {
    compute(warp, inst, 0xffffffffu, true);
}

static void __attribute__((noinline)) compute_some(Warp *warp, const Inst *inst, uint32_t mask) {
    compute(warp, inst, mask, false);
}

void run_arith(Warp *warp, const Inst *inst, uint32_t mask) {
    static const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
    if (inst->op == OP_MOV && move_parts(warp, inst, mask))
        return;
    if (inst->op == OP_SETP) {
        set_predicate(warp, inst, mask);
        return;
    }
    bool rounds = inst->rounding != ROUND_NEAREST && inst->op != OP_CVT;
    if (rounds)
        fesetround(modes[inst->rounding]);
    if (mask == 0xffffffffu)
        compute_full(warp, inst);
    else
        compute_some(warp, inst, mask);
    if (rounds)
        fesetround(FE_TONEAREST);
}
