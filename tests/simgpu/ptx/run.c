/* run: grids. Blocks run one after another; the warps of a block one after another, each up to the
 * next barrier; the lanes of a warp in step. Where lanes part, those that are furthest behind run
 * first, so that they meet again where the compiler laid the paths together. */
#include <limits.h>
#include <stdlib.h>

#include "code.h"

static const Lanes zeros;

const uint64_t *operand_lanes(const Warp *warp, const Operand *operand) {
    switch (operand->kind) {
    case REGISTER:
        return warp->reg[operand->reg];
    case CONSTANT:
        return operand->constant;
    case SPECIAL:
        return warp->special[operand->reg];
    default:
        return zeros;
    }
}

static void *allocate(size_t bytes) {
    void *memory = aligned_alloc(64, (bytes + 64) / 64 * 64);
    if (!memory)
        sim_report("out of host memory");
    return memory;
}

static uint32_t guarded(const Warp *warp, const Inst *inst, uint32_t mask) {
    if (inst->guard < 0)
        return mask;
    const uint64_t *p = warp->reg[inst->guard];
    uint32_t on = 0;
    for (int l = 0; l < LANES; l++)
        on |= (uint32_t)((p[l] & 1) != inst->guard_negated) << l;
    return mask & on;
}

static void run_shuffle(const Block *block, Warp *warp, const Inst *inst, uint32_t mask) {
    Lanes old;
    memcpy(old, operand_lanes(warp, &inst->operand[1]), sizeof old);
    const uint64_t *by = operand_lanes(warp, &inst->operand[2]);
    const uint64_t *clamp = operand_lanes(warp, &inst->operand[3]);
    uint32_t members = (uint32_t)operand_lanes(warp, &inst->operand[4])[__builtin_ctz(mask)];
    if (members & ~mask)
        sim_report("%s: shfl.sync waits for lanes %08x, which are not there: `%s`",
                   block->kernel->name, members & ~mask, inst->text);
    for (int l = 0; l < LANES; l++) {
        if (!(mask >> l & 1))
            continue;
        int segment = (int)clamp[l] >> 8 & 31, bound = (int)clamp[l] & 31;
        int low = l & segment, high = low | (bound & ~segment), j = (int)by[l] & 31;
        int from = inst->mode == SHFL_UP     ? l - j
                   : inst->mode == SHFL_DOWN ? l + j
                   : inst->mode == SHFL_BFLY ? l ^ j
                                             : low | (j & ~segment);
        bool inside = inst->mode == SHFL_UP ? from >= high : from <= high;
        from = inside ? from : l;
        if (!(mask >> from & 1))
            sim_report("%s: shfl.sync reads lane %d, which is not there: `%s`", block->kernel->name,
                       from, inst->text);
        warp->reg[inst->operand[0].reg][l] = old[from];
        if (inst->operand[0].second >= 0)
            warp->reg[inst->operand[0].second][l] = inside;
    }
}

static void run_vote(Warp *warp, const Inst *inst, uint32_t mask) {
    const uint64_t *p = operand_lanes(warp, &inst->operand[1]);
    uint32_t yes = 0;
    for (int l = 0; l < LANES; l++)
        yes |= (uint32_t)((p[l] & 1) != inst->operand[1].negated) << l;
    yes &= mask;
    uint64_t result = inst->mode == VOTE_BALLOT ? yes
                      : inst->mode == VOTE_ALL  ? yes == mask
                      : inst->mode == VOTE_ANY  ? yes != 0
                                                : yes == 0 || yes == mask;
    for (int l = 0; l < LANES; l++) {
        if (mask >> l & 1)
            warp->reg[inst->operand[0].reg][l] = result;
    }
}

static void set_pc(Warp *warp, uint32_t mask, int pc) {
    for (int l = 0; l < LANES; l++) {
        if (mask >> l & 1)
            warp->pc[l] = pc;
    }
}

/* An instruction that does not change the flow. */
static void run_plain(Block *block, Warp *warp, const Inst *inst, uint32_t mask) {
    switch (inst->op) {
    case OP_LD:
    case OP_LDU:
    case OP_ST:
    case OP_ATOM:
    case OP_RED:
        run_access(block, warp, inst, mask);
        break;
    case OP_SHFL:
        run_shuffle(block, warp, inst, mask);
        break;
    case OP_MMA:
        run_mma(block, warp, inst, mask);
        break;
    case OP_VOTE:
        run_vote(warp, inst, mask);
        break;
    case OP_ACTIVEMASK:
        for (int l = 0; l < LANES; l++)
            warp->reg[inst->operand[0].reg][l] = mask;
        break;
    case OP_MEMBAR:
    case OP_FENCE:
        break;
    case OP_TRAP:
        sim_report("%s: trap", block->kernel->name);
    default:
        run_arith(warp, inst, mask);
    }
}

/* Runs the lanes of `mask`, all at `pc`, until the flow parts or reaches `limit`, where others are.
 */
static void run_straight(Block *block, Warp *warp, uint32_t mask, int pc, int limit) {
    while (pc < limit) {
        if (pc >= block->kernel->insts) { /* fell off the end */
            warp->live &= ~mask;
            return;
        }
        const Inst *inst = &block->kernel->inst[pc];
        uint32_t on = guarded(warp, inst, mask);
        if (inst->op == OP_BRA) {
            if (on != 0 && on != mask) {
                set_pc(warp, on, inst->target);
                set_pc(warp, mask & ~on, pc + 1);
                return;
            }
            int next = on ? inst->target : pc + 1;
            if (next <= pc || next > limit) { /* backwards, or past others: choose anew */
                set_pc(warp, mask, next);
                return;
            }
            pc = next;
            continue;
        }
        if (inst->op == OP_RET || inst->op == OP_EXIT) {
            warp->live &= ~on;
            set_pc(warp, mask & ~on, pc + 1);
            return;
        }
        if (inst->op == OP_BAR || inst->op == OP_BARRIER) {
            if (inst->operands != 1 || operand_lanes(warp, &inst->operand[0])[0] != 0)
                sim_report("%s: a barrier of some warps is not simulated: `%s`",
                           block->kernel->name, inst->text);
            set_pc(warp, mask, pc + 1);
            warp->waiting |= on;
            return;
        }
        if (on)
            run_plain(block, warp, inst, on);
        pc++;
    }
    set_pc(warp, mask, pc);
}

/* Until all lanes are at a barrier or done. */
static void run_warp(Block *block, Warp *warp) {
    for (;;) {
        uint32_t ready = warp->live & ~warp->waiting, mask = 0;
        if (!ready)
            return;
        int first = INT_MAX, limit = INT_MAX;
        for (int l = 0; l < LANES; l++) {
            if (ready >> l & 1 && warp->pc[l] < first)
                first = warp->pc[l];
        }
        for (int l = 0; l < LANES; l++) {
            if (!(ready >> l & 1))
                continue;
            if (warp->pc[l] == first)
                mask |= 1u << l;
            else if (warp->pc[l] < limit)
                limit = warp->pc[l];
        }
        run_straight(block, warp, mask, first, limit);
    }
}

static void start_warp(const Block *block, Warp *warp, const unsigned at[3], int threads) {
    const unsigned *size = block->shape->block, *grid = block->shape->grid;
    int count = threads - warp->index * LANES;
    warp->live = count >= LANES ? 0xffffffffu : (1u << count) - 1;
    warp->waiting = 0;
    memset(warp->reg, 0xff, sizeof(Lanes) * (size_t)block->kernel->registers);
    for (int l = 0; l < LANES; l++) {
        unsigned t = (unsigned)(warp->index * LANES + l);
        const unsigned values[SPECIALS] = {t % size[0],
                                           t / size[0] % size[1],
                                           t / (size[0] * size[1]),
                                           size[0],
                                           size[1],
                                           size[2],
                                           at[0],
                                           at[1],
                                           at[2],
                                           grid[0],
                                           grid[1],
                                           grid[2],
                                           (unsigned)l,
                                           (unsigned)warp->index};
        for (int i = 0; i < SPECIALS; i++)
            warp->special[i][l] = values[i];
        warp->pc[l] = 0;
    }
}

/* Runs one block; `warps` are those of the block before, used again. */
static void run_block(Block *block, Warp *warps, int n_warps, int threads, const unsigned at[3]) {
    memset(block->shared, 0xff, block->shared_bytes);
    memset(block->mark, 0, block->shared_bytes * sizeof *block->mark);
    block->epoch = 1;
    for (int w = 0; w < n_warps; w++)
        start_warp(block, &warps[w], at, threads);
    for (;;) {
        int alive = 0, waiting = 0;
        for (int w = 0; w < n_warps; w++) {
            run_warp(block, &warps[w]);
            alive += __builtin_popcount(warps[w].live);
            waiting += __builtin_popcount(warps[w].waiting & warps[w].live);
        }
        if (alive == 0)
            return;
        if (waiting < alive || alive < threads)
            sim_report("%s: %d threads wait at a barrier that %d never reach", block->kernel->name,
                       waiting, threads - waiting);
        for (int w = 0; w < n_warps; w++)
            warps[w].waiting = 0;
        block->epoch++;
    }
}

void ptx_run(SimOp *op, const PtxKernel *kernel, const PtxShape *shape,
             const unsigned char *params) {
    int threads = (int)(shape->block[0] * shape->block[1] * shape->block[2]);
    int n_warps = (threads + LANES - 1) / LANES;
    if (threads > kernel->max_threads)
        sim_report("%s: %d threads a block, compiled for %d", kernel->name, threads,
                   kernel->max_threads);
    Block block = {.op = op,
                   .kernel = kernel,
                   .shape = shape,
                   .params = params,
                   .shared_bytes = (size_t)kernel->shared_bytes + shape->shared};
    block.shared = allocate(block.shared_bytes);
    block.mark = allocate(block.shared_bytes * sizeof *block.mark);
    block.recent = allocate((size_t)kernel->insts * sizeof *block.recent);
    memset(block.recent, 0, (size_t)kernel->insts * sizeof *block.recent);
    Warp *warps = allocate((size_t)n_warps * sizeof *warps);
    for (int w = 0; w < n_warps; w++) {
        warps[w].index = w;
        warps[w].reg = allocate(sizeof(Lanes) * (size_t)(kernel->registers + 1));
        warps[w].local = allocate((size_t)kernel->local_bytes * LANES);
    }
    unsigned at[3];
    for (at[2] = 0; at[2] < shape->grid[2]; at[2]++)
        for (at[1] = 0; at[1] < shape->grid[1]; at[1]++)
            for (at[0] = 0; at[0] < shape->grid[0]; at[0]++)
                run_block(&block, warps, n_warps, threads, at);
    access_finish(&block);
    for (int w = 0; w < n_warps; w++) {
        free(warps[w].reg);
        free(warps[w].local);
    }
    free(warps);
    free(block.recent);
    free(block.mark);
    free(block.shared);
}
