/* parse: PTX text to kernels. Registers are numbered in the order of their declarations; shared
 * variables of the module belong to each kernel that names them. */
#include <ctype.h>
#include <stdlib.h>

#include "code.h"

enum { NAMES_MAX = 64, STATEMENT_MAX = 8192 };

typedef struct RegisterRange { /* `.reg .f32 %f<150>;` or a single name */
    char prefix[48];
    int first, count; /* count 0: a single name */
} RegisterRange;

typedef struct Label {
    char name[64];
    int at; /* instruction, -1 while unknown */
} Label;

/* State of one module, then of one kernel. */
typedef struct Parser {
    Symbol *module_shared; /* names and sizes; `offset` is the alignment */
    int module_shareds;
    PtxKernel *kernel;
    RegisterRange range[NAMES_MAX];
    int ranges;
    Label *label;
    int labels, labels_max;
} Parser;

static PtxKernel **kernels;
static int n_kernels;

static void *grown(void *memory, size_t bytes) {
    memory = realloc(memory, bytes);
    if (!memory)
        sim_report("out of host memory");
    return memory;
}

static char *trim(char *text) {
    while (isspace((unsigned char)*text))
        text++;
    char *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    return text;
}

/* `.align 8 .b8 name[48]`: bytes and alignment of a variable; its name. */
static char *variable(char *text, int *bytes, int *align) {
    char *rest = NULL, *name = NULL;
    Type type = T_NONE;
    *align = 0;
    for (char *word = strtok_r(text, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest)) {
        if (!strcmp(word, ".align"))
            *align = atoi(strtok_r(NULL, " \t\n", &rest));
        else if (*word == '.' && decode_type(word + 1))
            type = decode_type(word + 1);
        else if (*word != '.')
            name = word;
    }
    *bytes = type_bytes(type);
    *align = *align ? *align : *bytes;
    char *bracket = name ? strchr(name, '[') : NULL;
    if (bracket) {
        *bytes *= atoi(bracket + 1); /* `name[]` of dynamic shared memory: 0 */
        *bracket = '\0';
    }
    return name;
}

static int find_register(const Parser *p, const char *name) {
    for (int i = 0; i < p->ranges; i++) {
        const RegisterRange *r = &p->range[i];
        size_t n = strlen(r->prefix);
        if (r->count == 0 && !strcmp(r->prefix, name))
            return r->first;
        if (r->count > 0 && !strncmp(r->prefix, name, n) && isdigit((unsigned char)name[n]))
            return r->first + atoi(name + n);
    }
    return -1;
}

static void declare_registers(Parser *p, char *text) {
    char *rest = NULL;
    strtok_r(text, " \t\n", &rest); /* .reg */
    strtok_r(NULL, " \t\n", &rest); /* its type: the instructions say it again */
    for (char *name = strtok_r(NULL, ", \t\n", &rest); name;
         name = strtok_r(NULL, ", \t\n", &rest)) {
        if (p->ranges == NAMES_MAX)
            sim_report("%s: more than %d register declarations", p->kernel->name, NAMES_MAX);
        RegisterRange *r = &p->range[p->ranges++];
        char *angle = strchr(name, '<');
        r->count = angle ? atoi(angle + 1) : 0;
        if (angle)
            *angle = '\0';
        strncpy(r->prefix, name, sizeof r->prefix - 1);
        r->first = p->kernel->registers;
        p->kernel->registers += r->count ? r->count : 1;
    }
}

static int find_shared(Parser *p, const char *name);

static int add_shared(PtxKernel *k, const char *name, int bytes, int align) {
    k->shared_bytes = (k->shared_bytes + align - 1) / align * align;
    k->shared = grown(k->shared, (size_t)(k->shareds + 1) * sizeof *k->shared);
    k->shared[k->shareds] = (Symbol){strdup(name), k->shared_bytes, bytes};
    k->shared_bytes += bytes;
    return k->shared[k->shareds++].offset;
}

/* Dynamic shared memory lies behind all variables that have a size. */
static int add_dynamic(Parser *p, const char *name) {
    for (int i = 0; i < p->module_shareds; i++) {
        const Symbol *s = &p->module_shared[i];
        if (s->bytes > 0)
            find_shared(p, s->name);
    }
    return add_shared(p->kernel, name, 0, 16);
}

/* Offset of a variable in shared memory, or -1. */
static int find_shared(Parser *p, const char *name) {
    PtxKernel *k = p->kernel;
    for (int i = 0; i < k->shareds; i++) {
        if (!strcmp(k->shared[i].name, name))
            return k->shared[i].offset;
    }
    for (int i = 0; i < p->module_shareds; i++) {
        const Symbol *s = &p->module_shared[i];
        if (!strcmp(s->name, name))
            return s->bytes ? add_shared(k, name, s->bytes, s->offset) : add_dynamic(p, name);
    }
    return -1;
}

static int find_label(Parser *p, const char *name) {
    for (int i = 0; i < p->labels; i++) {
        if (!strcmp(p->label[i].name, name))
            return i;
    }
    if (p->labels == p->labels_max) {
        p->labels_max = p->labels_max * 2 + 64;
        p->label = grown(p->label, (size_t)p->labels_max * sizeof *p->label);
    }
    Label *label = &p->label[p->labels];
    *label = (Label){.at = -1};
    strncpy(label->name, name, sizeof label->name - 1);
    return p->labels++;
}

static void constant(Operand *operand, uint64_t value) {
    operand->kind = CONSTANT;
    operand->constant = aligned_alloc(64, sizeof(Lanes));
    if (!operand->constant)
        sim_report("out of host memory");
    for (int l = 0; l < LANES; l++)
        operand->constant[l] = value;
}

static bool special(const char *name, Operand *operand) {
    static const char *const names[SPECIALS] = {
        "%tid.x",   "%tid.y",   "%tid.z",    "%ntid.x",   "%ntid.y",   "%ntid.z", "%ctaid.x",
        "%ctaid.y", "%ctaid.z", "%nctaid.x", "%nctaid.y", "%nctaid.z", "%laneid", "%warpid"};
    for (int i = 0; i < SPECIALS; i++) {
        if (!strcmp(name, names[i])) {
            operand->kind = SPECIAL;
            operand->reg = i;
            return true;
        }
    }
    return false;
}

static bool symbol(Parser *p, const char *name, Operand *operand) {
    const PtxKernel *k = p->kernel;
    for (int i = 0; i < k->params; i++) {
        if (!strcmp(k->param[i].name, name)) {
            constant(operand, (uint64_t)k->param[i].offset);
            return true;
        }
    }
    int offset = find_shared(p, name);
    if (offset >= 0)
        constant(operand, (uint64_t)offset);
    else if (!strncmp(name, "__local_depot", 13))
        constant(operand, 0);
    else
        return false;
    return true;
}

static bool number(const char *text, Operand *operand) {
    if (text[0] == '0' && strchr("fFdD", text[1]) && text[1])
        constant(operand, strtoull(text + 2, NULL, 16));
    else if (*text == '-')
        constant(operand, (uint64_t)strtoll(text, NULL, 0));
    else if (isdigit((unsigned char)*text))
        constant(operand, strtoull(text, NULL, 0));
    else if (!strcmp(text, "WARP_SZ"))
        constant(operand, LANES);
    else
        return false;
    return true;
}

static void vector(Parser *p, char *text, Operand *operand) {
    char *rest = NULL, *close = strchr(text, '}');
    if (close)
        *close = '\0';
    operand->kind = VECTOR;
    for (char *name = strtok_r(text + 1, ", \t", &rest); name;
         name = strtok_r(NULL, ", \t", &rest)) {
        if (operand->lanes < VECTOR_MAX)
            operand->vector[operand->lanes++] = find_register(p, name); /* -1 for `_` */
    }
}

static void parse_operand(Parser *p, char *text, Operand *operand) {
    text = trim(text);
    operand->second = -1;
    if (*text == '{') {
        vector(p, text, operand);
        return;
    }
    if (*text == '[') {
        char *close = strchr(text, ']'), *plus = strchr(text, '+');
        *close = '\0';
        if (plus) {
            operand->offset = strtoll(plus + 1, NULL, 0);
            *plus = '\0';
        }
        text = trim(text + 1);
    }
    if (*text == '!') {
        operand->negated = true;
        text++;
    }
    char *bar = strchr(text, '|');
    if (bar) {
        *bar = '\0';
        operand->second = find_register(p, trim(bar + 1));
    }
    if (special(text, operand) || number(text, operand))
        return;
    operand->reg = find_register(p, text);
    if (operand->reg >= 0) {
        operand->kind = REGISTER;
    } else if (!symbol(p, text, operand)) {
        operand->kind = LABEL;
        operand->reg = find_label(p, text);
    }
}

/* Splits at commas outside of brackets. */
static void parse_operands(Parser *p, char *text, Inst *inst) {
    int depth = 0;
    char *start = text;
    for (char *at = text;; at++) {
        depth += *at == '{' || *at == '[';
        depth -= *at == '}' || *at == ']';
        if (*at && !(*at == ',' && depth == 0))
            continue;
        bool last = *at == '\0';
        *at = '\0';
        if (*trim(start) && inst->operands < OPERANDS_MAX)
            parse_operand(p, start, &inst->operand[inst->operands++]);
        if (last)
            return;
        start = at + 1;
    }
}

static void parse_instruction(Parser *p, char *text) {
    PtxKernel *k = p->kernel;
    if (k->insts == k->insts_max) {
        k->insts_max = k->insts_max * 2 + 256;
        k->inst = grown(k->inst, (size_t)k->insts_max * sizeof *k->inst);
    }
    Inst *inst = &k->inst[k->insts++];
    *inst = (Inst){.guard = -1, .text = strdup(text)};
    if (*text == '@') {
        inst->guard_negated = text[1] == '!';
        char *name = text + 1 + inst->guard_negated, *end = name + strcspn(name, " \t");
        text = trim(end + (*end != '\0'));
        *end = '\0';
        inst->guard = find_register(p, name);
    }
    char *operands = text + strcspn(text, " \t");
    if (*operands)
        *operands++ = '\0';
    decode_mnemonic(text, inst);
    parse_operands(p, operands, inst);
}

static void parse_statement(Parser *p, char *text) {
    int bytes, align;
    if (!strncmp(text, ".reg", 4)) {
        declare_registers(p, text);
    } else if (!strncmp(text, ".shared", 7)) {
        char *name = variable(text + 7, &bytes, &align);
        add_shared(p->kernel, name, bytes, align);
    } else if (!strncmp(text, ".local", 6)) {
        variable(text + 6, &bytes, &align);
        p->kernel->local_bytes += bytes;
    } else if (*text != '.' && *text) {
        parse_instruction(p, text);
    }
}

/* From behind the opening brace to behind the closing one. */
static const char *parse_body(Parser *p, const char *at) {
    char statement[STATEMENT_MAX];
    int depth = 1;
    size_t n = 0;
    for (; *at && depth > 0; at++) {
        if (n == 0 && (isspace((unsigned char)*at) || *at == '{' || *at == '}')) {
            depth += (*at == '{') - (*at == '}');
        } else if (*at == ':' && !memchr(statement, ' ', n) && at[1] != ':') {
            statement[n] = '\0';
            int label = find_label(p, statement); /* may move p->label */
            p->label[label].at = p->kernel->insts;
            n = 0;
        } else if (*at == ';') {
            statement[n] = '\0';
            parse_statement(p, trim(statement));
            n = 0;
        } else if (n + 1 < sizeof statement) {
            statement[n++] = *at == '\t' || *at == '\n' ? ' ' : *at;
        }
    }
    return at;
}

static void parse_params(PtxKernel *k, const char *at, const char *end) {
    char *text = strndup(at, (size_t)(end - at)), *rest = NULL;
    for (char *one = strtok_r(text, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
        int bytes, align;
        char *word = strstr(one, ".param");
        if (!word)
            continue;
        char *name = variable(word + 6, &bytes, &align);
        k->param_bytes = (k->param_bytes + align - 1) / align * align;
        k->param = grown(k->param, (size_t)(k->params + 1) * sizeof *k->param);
        k->param[k->params++] = (Param){strdup(name), k->param_bytes, bytes};
        k->param_bytes += bytes;
    }
    free(text);
}

static void resolve_labels(const Parser *p) {
    PtxKernel *k = p->kernel;
    for (int i = 0; i < k->insts; i++) {
        Inst *inst = &k->inst[i];
        if (inst->op == OP_BRA && inst->operands == 1 && inst->operand[0].kind == LABEL)
            inst->target = p->label[inst->operand[0].reg].at;
        else if (inst->op == OP_BRA)
            inst->op = OP_UNKNOWN;
    }
}

/* The last name of a mangled one: `_ZN4bugs8add_one...` is add_one. */
static char *source_name(const char *symbol) {
    const char *at = strncmp(symbol, "_Z", 2) ? NULL : symbol + 2;
    char *name = strdup(symbol);
    at = at && *at == 'N' ? at + 1 : at;
    while (at && isdigit((unsigned char)*at)) {
        char *rest;
        size_t n = strtoul(at, &rest, 10);
        if (n > strlen(rest))
            break;
        free(name);
        name = strndup(rest, n);
        at = rest + n;
    }
    return name;
}

/* From behind `.entry`. */
static const char *parse_entry(Parser *p, const char *at) {
    while (isspace((unsigned char)*at))
        at++;
    size_t n = strcspn(at, "( \t\n");
    PtxKernel *k = grown(NULL, sizeof *k);
    *k = (PtxKernel){.symbol = strndup(at, n), .max_threads = 1024};
    k->name = source_name(k->symbol);
    p->kernel = k;
    p->ranges = p->labels = 0;
    const char *open = at + strcspn(at, "({"), *body = strchr(at, '{');
    if (*open == '(')
        parse_params(k, open + 1, strchr(open, ')'));
    const char *limit = strstr(at, ".maxntid");
    if (limit && limit < body) {
        char *end;
        k->max_threads = 1;
        for (limit += 8; limit < body; limit = end + strspn(end, ", ")) {
            int value = (int)strtol(limit, &end, 10);
            if (end == limit)
                break;
            k->max_threads *= value;
        }
    }
    at = parse_body(p, body + 1);
    resolve_labels(p);
    kernels = grown(kernels, (size_t)(n_kernels + 1) * sizeof *kernels);
    kernels[n_kernels++] = k;
    return at;
}

/* Comments, and lines that debuggers want, become blanks. */
static void blank(char *text) {
    for (char *at = text; *at; at++) {
        bool line = (at[0] == '/' && at[1] == '/') ||
                    ((at == text || at[-1] == '\n') &&
                     (!strncmp(at + strspn(at, " \t"), ".loc", 4) || !strncmp(at, ".file", 5)));
        while (line && *at && *at != '\n')
            *at++ = ' ';
        if (at[0] == '/' && at[1] == '*') {
            char *end = strstr(at, "*/");
            for (; end && at < end + 2; at++)
                *at = ' ';
        }
        if (!*at)
            return;
    }
}

PtxModule ptx_load(const char *source) {
    PtxModule module = {n_kernels, n_kernels};
    char *text = strdup(source);
    Parser *p = calloc(1, sizeof *p);
    if (!text || !p)
        sim_report("out of host memory");
    blank(text);
    for (const char *at = text; *at;) {
        if (!strncmp(at, ".entry", 6)) {
            at = parse_entry(p, at + 6);
        } else if (!strncmp(at, ".shared", 7)) {
            int bytes, align;
            char *line = strndup(at + 7, strcspn(at + 7, ";"));
            char *name = variable(line, &bytes, &align);
            p->module_shared =
                grown(p->module_shared, (size_t)(p->module_shareds + 1) * sizeof(Symbol));
            p->module_shared[p->module_shareds++] = (Symbol){strdup(name), align, bytes};
            free(line);
            at += 7;
        } else {
            at++;
        }
    }
    free(p->label);
    free(p->module_shared);
    free(p);
    free(text);
    module.end = n_kernels;
    return module;
}

const PtxKernel *ptx_find(PtxModule module, const char *symbol) {
    for (int i = module.first; i < module.end; i++) {
        if (!strcmp(kernels[i]->symbol, symbol))
            return kernels[i];
    }
    return NULL;
}

const char *ptx_name(const PtxKernel *kernel) {
    return kernel->name;
}

size_t ptx_shared_bytes(const PtxKernel *kernel) {
    return (size_t)kernel->shared_bytes;
}

size_t ptx_param_bytes(const PtxKernel *kernel) {
    return (size_t)kernel->param_bytes;
}

void ptx_pack_params(const PtxKernel *kernel, void **args, unsigned char *params) {
    for (int i = 0; i < kernel->params; i++)
        memcpy(params + kernel->param[i].offset, args[i], (size_t)kernel->param[i].bytes);
}
