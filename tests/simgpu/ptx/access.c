/* access: loads, stores and atomics, each lane's address checked: inside one live allocation,
 * aligned, written before it is read. Shared memory is checked for bytes that two warps use between
 * the same two barriers, one of them writing. */
#include "code.h"
#include "../cudart/cudart.h"

static const char *kind_of(const Inst *inst) {
    switch (inst->op) {
    case OP_ST:
        return "store";
    case OP_ATOM:
    case OP_RED:
        return "atomic";
    default:
        return "load";
    }
}

static void flush(Block *block, Recent *recent, bool write) {
    race_note(block->op, recent->begin, recent->end - recent->begin, write);
    recent->begin = recent->end = 0;
}

/* Notes [at, at + n); neighbours grow into one range. */
static void note(Block *block, Recent *recent, uintptr_t at, size_t n, bool write) {
    if (at == recent->end) {
        recent->end = at + n;
    } else if (at < recent->begin || at + n > recent->end) {
        flush(block, recent, write);
        recent->begin = at;
        recent->end = at + n;
    }
}

void access_finish(Block *block) {
    for (int i = 0; i < block->kernel->insts; i++) {
        const Inst *inst = &block->kernel->inst[i];
        if (block->recent[i].end)
            flush(block, &block->recent[i], inst->op != OP_LD && inst->op != OP_LDU);
    }
}

static uint8_t *global_at(Block *block, const Inst *inst, uintptr_t at, size_t n) {
    bool read = inst->op != OP_ST, write = inst->op != OP_LD && inst->op != OP_LDU;
    Recent *recent = &block->recent[inst - block->kernel->inst];
    if (at % n)
        sim_report("%s: misaligned %s of %zu bytes at %p: `%s`", block->kernel->name, kind_of(inst),
                   n, (void *)at, inst->text);
    if (at < recent->live_begin || at + n > recent->live_end) {
        memory_check(block->op, at, n, kind_of(inst));
        const Allocation *a = memory_find(at);
        recent->live_begin = a->begin;
        recent->live_end = a->begin + a->bytes;
    }
    if (read)
        memory_check_written(block->op, at, n, kind_of(inst));
    note(block, recent, at, n, write);
    if (write)
        memory_mark_written(at, n);
    return memory_alias(at);
}

static void check_shared(Block *block, const Warp *warp, const Inst *inst, size_t at, size_t n) {
    bool write = inst->op == OP_ST, atomic = inst->op == OP_ATOM || inst->op == OP_RED;
    for (size_t i = at; i < at + n; i++) {
        SharedMark *mark = &block->mark[i];
        if (!write && !mark->written)
            sim_report("%s: uninitialised read: byte %zu of shared memory was never written: `%s`",
                       block->kernel->name, i, inst->text);
        bool other_wrote = mark->write_epoch == block->epoch && mark->writer != warp->index;
        bool other_read = mark->read_epoch == block->epoch && mark->reader != warp->index;
        if (!atomic && (other_wrote || (write && other_read)))
            sim_report(
                "%s: race in shared memory: two warps use byte %zu and no barrier is between "
                "them: `%s`",
                block->kernel->name, i, inst->text);
        if (write || atomic) {
            mark->written = true;
            mark->writer = (uint8_t)warp->index;
            mark->write_epoch = atomic ? 0 : block->epoch;
        } else {
            mark->reader = mark->read_epoch == block->epoch && mark->reader != warp->index
                               ? MANY_WARPS
                               : (uint8_t)warp->index;
            mark->read_epoch = block->epoch;
        }
    }
}

static uint8_t *shared_at(Block *block, const Warp *warp, const Inst *inst, uintptr_t at,
                          size_t n) {
    if (at >= block->shared_bytes || n > block->shared_bytes - at)
        sim_report("%s: out of bounds: shared memory [%zu, %zu) of %zu bytes: `%s`",
                   block->kernel->name, (size_t)at, (size_t)at + n, block->shared_bytes,
                   inst->text);
    if (at % n)
        sim_report("%s: misaligned access to shared memory: `%s`", block->kernel->name, inst->text);
    check_shared(block, warp, inst, at, n);
    return block->shared + at;
}

static uint8_t *local_at(Block *block, const Warp *warp, const Inst *inst, int lane, uintptr_t at,
                         size_t n) {
    size_t room = (size_t)block->kernel->local_bytes;
    if (at >= room || n > room - at)
        sim_report("%s: out of bounds: local memory [%zu, %zu) of %zu bytes: `%s`",
                   block->kernel->name, (size_t)at, (size_t)at + n, room, inst->text);
    return warp->local + (size_t)lane * room + at;
}

/* Where the engine finds the n bytes that lane `lane` accesses at `at`. */
static uint8_t *resolve(Block *block, const Warp *warp, const Inst *inst, int lane, uintptr_t at,
                        size_t n) {
    Space space = inst->space;
    if (space == SPACE_GENERIC && (at & WINDOW_MASK) == SHARED_WINDOW)
        space = SPACE_SHARED;
    if (space == SPACE_GENERIC && (at & WINDOW_MASK) == LOCAL_WINDOW)
        space = SPACE_LOCAL;
    switch (space) {
    case SPACE_PARAM:
        if (at + n > (size_t)block->kernel->param_bytes)
            sim_report("%s: a read behind the parameters: `%s`", block->kernel->name, inst->text);
        return (uint8_t *)(uintptr_t)block->params + at;
    case SPACE_SHARED:
        return shared_at(block, warp, inst, at & ~WINDOW_MASK, n);
    case SPACE_LOCAL:
        return local_at(block, warp, inst, lane, at & ~WINDOW_MASK, n);
    default:
        return global_at(block, inst, at, n);
    }
}

static uint64_t load(const uint8_t *at, Type type) {
    switch (type) {
    case T_S8:
        return (uint64_t) * (const int8_t *)at;
    case T_S16:
        return (uint64_t) * (const int16_t *)at;
    case T_S32:
        return (uint64_t) * (const int32_t *)at;
    default: {
        uint64_t value = 0;
        memcpy(&value, at, (size_t)type_bytes(type));
        return value;
    }
    }
}

static uint64_t modified(const Inst *inst, uint64_t old, uint64_t by, uint64_t other) {
    switch (inst->mode) {
    case ATOM_ADD:
        if (inst->type == T_F32)
            return of_f32(as_f32(old) + as_f32(by));
        if (inst->type == T_F64)
            return of_f64(as_f64(old) + as_f64(by));
        return old + by;
    case ATOM_MIN:
        return is_signed(inst->type) ? ((int64_t)old < (int64_t)by ? old : by)
                                     : (old < by ? old : by);
    case ATOM_MAX:
        return is_signed(inst->type) ? ((int64_t)old > (int64_t)by ? old : by)
                                     : (old > by ? old : by);
    case ATOM_AND:
        return old & by;
    case ATOM_OR:
        return old | by;
    case ATOM_XOR:
        return old ^ by;
    case ATOM_EXCH:
        return by;
    case ATOM_CAS:
        return old == by ? other : old;
    default:
        unknown_instruction(inst);
    }
}

static void run_atomic(Warp *warp, const Inst *inst, int lane, uint8_t *at) {
    int first = inst->op == OP_ATOM ? 2 : 1; /* operand of the value */
    size_t n = (size_t)type_bytes(inst->type);
    uint64_t old = load(at, inst->type);
    uint64_t raw = operand_lanes(warp, &inst->operand[first])[lane], by;
    uint8_t bytes[8];
    memcpy(bytes, &raw, sizeof bytes);
    by = load(bytes, inst->type);
    uint64_t other = operand_lanes(warp, &inst->operand[first + 1])[lane];
    uint64_t result = modified(inst, old, by, other);
    memcpy(at, &result, n);
    if (inst->op == OP_ATOM && inst->operand[0].reg >= 0)
        warp->reg[inst->operand[0].reg][lane] = old;
}

void run_access(Block *block, Warp *warp, const Inst *inst, uint32_t mask) {
    bool to_memory = inst->op == OP_ST || inst->op == OP_RED;
    const Operand *address = &inst->operand[to_memory ? 0 : 1];
    const Operand *value = &inst->operand[to_memory ? 1 : 0];
    const uint64_t *base = operand_lanes(warp, address);
    size_t each = (size_t)type_bytes(inst->type), n = each * (size_t)inst->vector;
    for (int l = 0; l < LANES; l++) {
        if (!(mask >> l & 1))
            continue;
        uint8_t *at = resolve(block, warp, inst, l, base[l] + (uint64_t)address->offset, n);
        if (inst->op == OP_ATOM || inst->op == OP_RED) {
            run_atomic(warp, inst, l, at);
            continue;
        }
        for (int i = 0; i < inst->vector; i++) {
            int reg = value->kind == VECTOR ? value->vector[i] : value->reg;
            if (inst->op != OP_ST) {
                if (reg >= 0)
                    warp->reg[reg][l] = load(at + (size_t)i * each, inst->type);
            } else {
                uint64_t bits =
                    value->kind == VECTOR ? warp->reg[reg][l] : operand_lanes(warp, value)[l];
                memcpy(at + (size_t)i * each, &bits, each);
            }
        }
    }
}
