/* mma: mma.sync.m16n8k16 of bf16 with sums in f32, D = A B + C. The layouts are those of the PTX
 * ISA: with g = lane / 4 and t = lane % 4, register i of A, a pair of neighbours in a row, has row
 * g
 * + 8 (i % 2), columns 2 t + 8 (i / 2) and the next; register i of B, a pair in a column, rows 2 t
 * + 8 i and the next, column g; register i of C and D row g + 8 (i / 2), column 2 t + i % 2.
 *
 * A sum is made in double and rounded once. Tensor cores round otherwise, each in its own way. */
#include "code.h"

enum { M = 16, N = 8, K = 16 };

static void check_registers(const Block *block, const Inst *inst, uint32_t mask) {
    static const int registers[] = {4, 4, 2, 4};
    if (mask != 0xffffffffu)
        sim_report("%s: mma.sync waits for lanes %08x, which are not there: `%s`",
                   block->kernel->name, ~mask, inst->text);
    for (int i = 0; i < 4; i++) {
        if (inst->operands != 4 || inst->operand[i].kind != VECTOR ||
            inst->operand[i].lanes != registers[i])
            unknown_instruction(inst);
        for (int r = 0; r < registers[i]; r++) {
            if (inst->operand[i].vector[r] < 0)
                unknown_instruction(inst);
        }
    }
}

static uint64_t bits_of(const Warp *warp, const Operand *operand, int i, int lane) {
    return warp->reg[operand->vector[i]][lane];
}

void run_mma(const Block *block, Warp *warp, const Inst *inst, uint32_t mask) {
    const Operand *operand = inst->operand;
    float a[M][K], b[K][N], c[M][N];
    check_registers(block, inst, mask);
    for (int l = 0; l < LANES; l++) {
        int g = l / 4, t = l % 4 * 2;
        for (int i = 0; i < 8; i++)
            a[g + i / 2 % 2 * 8][t + i / 4 * 8 + i % 2] =
                as_bf16(bits_of(warp, &operand[1], i / 2, l) >> i % 2 * 16);
        for (int i = 0; i < 4; i++)
            b[t + i / 2 * 8 + i % 2][g] =
                as_bf16(bits_of(warp, &operand[2], i / 2, l) >> i % 2 * 16);
        for (int i = 0; i < 4; i++)
            c[g + i / 2 * 8][t + i % 2] = as_f32(bits_of(warp, &operand[3], i, l));
    }
    for (int l = 0; l < LANES; l++) {
        for (int i = 0; i < 4; i++) {
            int row = l / 4 + i / 2 * 8, column = l % 4 * 2 + i % 2;
            double sum = c[row][column];
            for (int k = 0; k < K; k++)
                sum += (double)a[row][k] * b[k][column];
            warp->reg[operand[0].vector[i]][l] = of_f32((float)sum);
        }
    }
}
