/* decode: what a mnemonic like `ld.global.v4.f32` says. Parts that change nothing for an
 * interpreter (cache hints, memory order, .uni) are accepted by name; any other makes the
 * instruction unknown, which is reported if it is ever reached. */
#include "code.h"

typedef struct Word {
    const char *text;
    int value;
} Word;

static int lookup(const Word *words, const char *text) {
    for (; words->text; words++) {
        if (!strcmp(words->text, text))
            return words->value;
    }
    return 0;
}

static const Word types[] = {
    {"pred", T_PRED}, {"b8", T_B8},   {"b16", T_B16},       {"b32", T_B32}, {"b64", T_B64},
    {"u8", T_U8},     {"u16", T_U16}, {"u32", T_U32},       {"u64", T_U64}, {"s8", T_S8},
    {"s16", T_S16},   {"s32", T_S32}, {"s64", T_S64},       {"f16", T_F16}, {"bf16", T_BF16},
    {"f32", T_F32},   {"f64", T_F64}, {"bf16x2", T_BF16X2}, {NULL, 0}};

static const Word opcodes[] = {
#define PTX_OP(name, text) {text, OP_##name},
#include "opcodes.def"
#undef PTX_OP
    {NULL, 0}};

static const Word spaces[] = {{"global", SPACE_GLOBAL},
                              {"const", SPACE_GLOBAL},
                              {"shared", SPACE_SHARED},
                              {"shared::cta", SPACE_SHARED},
                              {"param", SPACE_PARAM},
                              {"local", SPACE_LOCAL},
                              {NULL, 0}};

static const Word compares[] = {{"eq", EQ},   {"ne", NE},    {"lt", LT},   {"le", LE},
                                {"gt", GT},   {"ge", GE},    {"lo", LT},   {"ls", LE},
                                {"hi", GT},   {"hs", GE},    {"equ", EQU}, {"neu", NEU},
                                {"ltu", LTU}, {"leu", LEU},  {"gtu", GTU}, {"geu", GEU},
                                {"num", NUM}, {"nan", NAN_}, {NULL, 0}};

static const Word modes[] = {{"wide", MODE_WIDE}, {"up", SHFL_UP},    {"down", SHFL_DOWN},
                             {"bfly", SHFL_BFLY}, {"idx", SHFL_IDX},  {"all", VOTE_ALL},
                             {"any", VOTE_ANY},   {"uni", VOTE_UNI},  {"ballot", VOTE_BALLOT},
                             {"l", SHIFT_LEFT},   {"r", SHIFT_RIGHT}, {NULL, 0}};

static const Word atoms[] = {{"add", ATOM_ADD},   {"min", ATOM_MIN}, {"max", ATOM_MAX},
                             {"and", ATOM_AND},   {"or", ATOM_OR},   {"xor", ATOM_XOR},
                             {"exch", ATOM_EXCH}, {"cas", ATOM_CAS}, {NULL, 0}};

static const Word combines[] = {
    {"and", COMBINE_AND}, {"or", COMBINE_OR}, {"xor", COMBINE_XOR}, {NULL, 0}};

static const char *const harmless[] = {
    "to",          "lo",      "sync", "aligned", "approx", "full",     "ftz",  "nc",      "ca",
    "cg",          "cs",      "lu",   "cv",      "wb",     "wt",       "uni",  "relaxed", "acquire",
    "release",     "acq_rel", "gpu",  "cta",     "sys",    "volatile", "weak", "wrap",    "L1",
    "no_allocate", "noftz",   "gl",   "sc",      "L2",     "unified"};

Type decode_type(const char *text) {
    return (Type)lookup(types, text);
}

int type_bytes(Type type) {
    switch (type) {
    case T_PRED:
    case T_B8:
    case T_U8:
    case T_S8:
        return 1;
    case T_B16:
    case T_U16:
    case T_S16:
    case T_F16:
    case T_BF16:
        return 2;
    case T_B32:
    case T_U32:
    case T_S32:
    case T_F32:
    case T_BF16X2:
        return 4;
    default:
        return 8;
    }
}

static bool rounding_part(const char *part, Inst *inst) {
    static const struct {
        const char *text;
        Rounding rounding;
        bool integer;
    } known[] = {{"rn", ROUND_NEAREST, false}, {"rz", ROUND_ZERO, false},
                 {"rm", ROUND_DOWN, false},    {"rp", ROUND_UP, false},
                 {"rni", ROUND_NEAREST, true}, {"rzi", ROUND_ZERO, true},
                 {"rmi", ROUND_DOWN, true},    {"rpi", ROUND_UP, true}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!strcmp(part, known[i].text)) {
            inst->rounding = known[i].rounding;
            inst->to_integer = known[i].integer;
            return true;
        }
    }
    return false;
}

static bool type_part(const char *part, Inst *inst) {
    Type type = decode_type(part);
    if (!type)
        return false;
    if (!inst->type)
        inst->type = type;
    else
        inst->from = type;
    return true;
}

static bool known_part(const char *part, Inst *inst) {
    if (type_part(part, inst) || rounding_part(part, inst))
        return true;
    bool atomic = inst->op == OP_ATOM || inst->op == OP_RED;
    if (atomic && lookup(atoms, part)) {
        inst->mode = (Mode)lookup(atoms, part);
        return true;
    }
    if (inst->op == OP_SETP && lookup(combines, part)) {
        inst->mode = (Mode)lookup(combines, part);
        return true;
    }
    if (inst->op == OP_SETP && lookup(compares, part)) {
        inst->compare = (Compare)lookup(compares, part);
        return true;
    }
    if ((inst->op == OP_MUL || inst->op == OP_MAD) && !strcmp(part, "hi")) {
        inst->mode = MODE_HI;
        return true;
    }
    if (inst->op != OP_BRA && lookup(modes, part)) {
        inst->mode = (Mode)lookup(modes, part);
        return true;
    }
    if (lookup(spaces, part)) {
        inst->space = (Space)lookup(spaces, part);
        return true;
    }
    if (!strcmp(part, "sat") || !strcmp(part, "clamp")) {
        inst->saturate = part[0] == 's';
        inst->clamp = part[0] == 'c';
        return true;
    }
    if (part[0] == 'v' && (part[1] == '2' || part[1] == '4') && !part[2]) {
        inst->vector = part[1] - '0';
        return true;
    }
    if (inst->op == OP_BAR && !strcmp(part, "warp")) {
        inst->op = OP_FENCE; /* lanes of a warp are in step here */
        return true;
    }
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        if (!strcmp(part, harmless[i]))
            return true;
    }
    return false;
}

void decode_mnemonic(char *mnemonic, Inst *inst) {
    char *rest = NULL, *part = strtok_r(mnemonic, ".", &rest);
    inst->op = (Opcode)lookup(opcodes, part);
    inst->vector = 1;
    if (inst->op == OP_MMA) { /* of its many forms this one alone */
        bool known = !strcmp(rest, "sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32");
        inst->op = known ? OP_MMA : OP_UNKNOWN;
        return;
    }
    while ((part = strtok_r(NULL, ".", &rest))) {
        if (!known_part(part, inst))
            inst->op = OP_UNKNOWN;
    }
}
