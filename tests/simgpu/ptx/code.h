/* code: PTX in the interpreter's form. A warp is 32 lanes; a register holds 64 bits a lane, of
 * which each instruction uses those that its type has. */
#ifndef SIMGPU_PTX_CODE_H
#define SIMGPU_PTX_CODE_H

#include <string.h>

#include "ptx.h"

enum { LANES = 32, OPERANDS_MAX = 6, VECTOR_MAX = 4, SPECIALS = 14 };

typedef enum Type {
    T_NONE,
    T_PRED,
    T_B8,
    T_B16,
    T_B32,
    T_B64,
    T_U8,
    T_U16,
    T_U32,
    T_U64,
    T_S8,
    T_S16,
    T_S32,
    T_S64,
    T_F16,
    T_BF16,
    T_BF16X2,
    T_F32,
    T_F64
} Type;

typedef enum Opcode {
    OP_UNKNOWN,
#define PTX_OP(name, text) OP_##name,
#include "opcodes.def"
#undef PTX_OP
} Opcode;

typedef enum Space { SPACE_GENERIC, SPACE_GLOBAL, SPACE_SHARED, SPACE_PARAM, SPACE_LOCAL } Space;
typedef enum Compare {
    CMP_NONE,
    EQ,
    NE,
    LT,
    LE,
    GT,
    GE,
    EQU,
    NEU,
    LTU,
    LEU,
    GTU,
    GEU,
    NUM,
    NAN_
} Compare;
typedef enum Rounding { ROUND_NEAREST, ROUND_ZERO, ROUND_DOWN, ROUND_UP } Rounding;
typedef enum Mode { /* what else a mnemonic says */
                    MODE_NONE,
                    MODE_WIDE,
                    MODE_HI,
                    SHFL_UP,
                    SHFL_DOWN,
                    SHFL_BFLY,
                    SHFL_IDX,
                    VOTE_ALL,
                    VOTE_ANY,
                    VOTE_UNI,
                    VOTE_BALLOT,
                    ATOM_ADD,
                    ATOM_MIN,
                    ATOM_MAX,
                    ATOM_AND,
                    ATOM_OR,
                    ATOM_XOR,
                    ATOM_EXCH,
                    ATOM_CAS,
                    COMBINE_AND,
                    COMBINE_OR,
                    COMBINE_XOR,
                    SHIFT_LEFT,
                    SHIFT_RIGHT
} Mode;

typedef uint64_t Lanes[LANES];

typedef enum OperandKind { NO_OPERAND, REGISTER, CONSTANT, SPECIAL, VECTOR, LABEL } OperandKind;
typedef struct Operand {
    OperandKind kind;
    int reg;                /* register, special register or label */
    int second;             /* register of `p|q`, or -1 */
    bool negated;           /* !p */
    int64_t offset;         /* of an address */
    int lanes;              /* of a vector */
    int vector[VECTOR_MAX]; /* registers, -1 for one that is not wanted */
    uint64_t *constant;     /* [LANES], owned by the kernel for good */
} Operand;

typedef struct Inst {
    Opcode op;
    Type type, from; /* from: of cvt's source */
    Space space;
    Compare compare;
    Rounding rounding;
    Mode mode;
    bool to_integer; /* cvt to an integral value */
    bool saturate;
    bool clamp; /* shf.clamp */
    int vector; /* elements of a load or store */
    int guard;  /* predicate register, -1 for none */
    bool guard_negated;
    Operand operand[OPERANDS_MAX];
    int operands, target;
    const char *text;
} Inst;

typedef struct Param {
    char *name;
    int offset, bytes;
} Param;

typedef struct Symbol {
    char *name;
    int offset, bytes;
} Symbol;

struct PtxKernel {
    char *symbol; /* as the compiler mangled it */
    char *name;   /* as the source has it */
    Param *param;
    int params, param_bytes;
    Inst *inst;
    int insts, insts_max;
    int registers;
    Symbol *shared;
    int shareds, shared_bytes, shared_align;
    int max_threads; /* .maxntid, or 1024 */
    int local_bytes; /* a thread */
};

/* decode.c: one statement without its semicolon, `text` for messages. Operands as strings. */
void decode_mnemonic(char *mnemonic, Inst *inst);
Type decode_type(const char *text);
int type_bytes(Type type);

/* Where shared and local memory lie among generic addresses. */
#define SHARED_WINDOW 0x0100000000000000u
#define LOCAL_WINDOW  0x0200000000000000u
#define WINDOW_MASK   0xff00000000000000u

typedef struct Warp {
    int index;
    Lanes *reg;
    Lanes special[SPECIALS];
    int pc[LANES];
    uint32_t live, waiting; /* waiting: at the barrier */
    uint8_t *local;         /* [LANES][local_bytes] */
} Warp;

/* A byte of shared memory: who used it since the last barrier. */
typedef struct SharedMark {
    uint32_t write_epoch, read_epoch;
    uint8_t writer, reader; /* warps; reader MANY_WARPS: several */
    bool written;
} SharedMark;
enum { MANY_WARPS = 255 };

/* The last bytes that an instruction touched: neighbours are noted as one range. */
typedef struct Recent {
    uintptr_t begin, end;           /* not noted yet */
    uintptr_t live_begin, live_end; /* of the allocation */
} Recent;

typedef struct Block {
    SimOp *op;
    const PtxKernel *kernel;
    const PtxShape *shape;
    const unsigned char *params;
    uint8_t *shared;
    SharedMark *mark;
    size_t shared_bytes;
    uint32_t epoch; /* barriers passed */
    Recent *recent; /* [insts] */
} Block;

/* arith.c and access.c: one instruction for the lanes of `mask`. */
void run_arith(Warp *warp, const Inst *inst, uint32_t mask);
void run_access(Block *block, Warp *warp, const Inst *inst, uint32_t mask);
void access_finish(Block *block); /* notes what is left in block->recent */
const uint64_t *operand_lanes(const Warp *warp, const Operand *operand);

/* mma.c: products of small matrices, which all lanes of a warp hold together. */
void run_mma(const Block *block, Warp *warp, const Inst *inst, uint32_t mask);

/* convert.c: cvt of one lane, setp of one lane. */
uint64_t convert_lane(const Inst *inst, uint64_t bits);
bool compare_lane(const Inst *inst, uint64_t a, uint64_t b);

/* bits.c: one lane each. */
uint32_t bits_dot2(uint64_t a, uint64_t b); /* dp2a.lo.u32.u32 without its third operand */
uint32_t bits_permute(uint64_t a, uint64_t b, uint32_t selector);
uint64_t bits_logic3(uint64_t a, uint64_t b, uint64_t c, unsigned table);
uint32_t bits_funnel(const Inst *inst, uint32_t low, uint32_t high, uint32_t by);
uint64_t bits_field(const Inst *inst, uint64_t a, uint32_t position, uint32_t length);
uint64_t bits_insert(const Inst *inst, uint64_t a, uint64_t b, uint32_t position, uint32_t length);
uint64_t bits_reverse(uint64_t a, int bits);
uint64_t bits_product_high(Type type, uint64_t a, uint64_t b);

/* Reports an instruction that this interpreter does not have. */
void unknown_instruction(const Inst *inst) __attribute__((noreturn));

static inline bool is_signed(Type type) {
    return type >= T_S8 && type <= T_S64;
}

static inline bool is_float(Type type) {
    return type >= T_F16;
}

/* A register's value as `type` has it, in 64 bits. */
static inline uint64_t extended(uint64_t bits, Type type) {
    switch (type) {
    case T_S8:
        return (uint64_t)(int8_t)bits;
    case T_S16:
        return (uint64_t)(int16_t)bits;
    case T_S32:
        return (uint64_t)(int32_t)bits;
    case T_B8:
    case T_U8:
        return (uint8_t)bits;
    case T_B16:
    case T_U16:
        return (uint16_t)bits;
    case T_B32:
    case T_U32:
        return (uint32_t)bits;
    default:
        return bits;
    }
}

static inline float as_f32(uint64_t bits) {
    uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof value);
    return value;
}
static inline uint64_t of_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}
static inline double as_f64(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline uint64_t of_f64(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}
static inline float as_bf16(uint64_t bits) {
    return as_f32((bits & 0xffff) << 16);
}
/* What .sat makes of a result. */
static inline float saturated(const Inst *inst, float value) {
    if (!inst->saturate)
        return value;
    return value > 0 ? value < 1 ? value : 1 : 0; /* NaN becomes 0 */
}
static inline uint64_t of_bf16(float value) {
    uint32_t bits = (uint32_t)of_f32(value);
    if (value != value)
        return 0x7fff;
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16 & 0xffff;
}

#endif
