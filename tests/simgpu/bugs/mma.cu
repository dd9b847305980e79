/* FINDS: mma.sync waits for lanes 80000000, which are not there */
#include <stdint.h>

#include "bug.h"

enum { M = 16, N = 8, K = 16 };

/* d = a b + c of whole numbers, all exact: the bits of a bf16 are the upper half of a float's. */
static __device__ uint32_t pair(float low, float high) {
    return __float_as_uint(low) >> 16 | (__float_as_uint(high) & 0xffff0000u);
}

/* Each lane takes its numbers from where the PTX ISA says (mma.m16n8k16, 16-bit floats). */
__global__ void product(float *d, const float *a, const float *b, const float *c, unsigned lanes) {
    unsigned lane = threadIdx.x, group = lane >> 2, in_group = lane % 4;
    if (lane >= lanes)
        return;
    uint32_t left[4], right[2];
    float sum[4];
    for (unsigned i = 0; i < 8; i += 2) {
        unsigned row = i < 2 || (4 <= i && i < 6) ? group : group + 8;
        unsigned column = in_group * 2 + (i & 1) + (i >= 4 ? 8 : 0);
        left[i / 2] = pair(a[row * K + column], a[row * K + column + 1]);
    }
    for (unsigned i = 0; i < 4; i += 2) {
        unsigned row = in_group * 2 + (i & 1) + (i >= 2 ? 8 : 0);
        right[i / 2] = pair(b[row * N + group], b[(row + 1) * N + group]);
    }
    for (unsigned i = 0; i < 4; i++)
        sum[i] = c[(i < 2 ? group : group + 8) * N + in_group * 2 + (i & 1)];
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right[0]), "r"(right[1]));
    for (unsigned i = 0; i < 4; i++)
        d[(i < 2 ? group : group + 8) * N + in_group * 2 + (i & 1)] = sum[i];
}

static int run(bool planted) {
    float a[M * K], b[K * N], c[M * N], d[M * N];
    for (int i = 0; i < M * K; i++)
        a[i] = (float)(i * 37 % 101 - 50);
    for (int i = 0; i < K * N; i++)
        b[i] = (float)(i * 53 % 97 - 40);
    for (int i = 0; i < M * N; i++)
        c[i] = (float)(i * 29 % 89 - 30);
    float *da = new_floats(M * K), *db = new_floats(K * N), *dc = new_floats(M * N);
    float *dd = new_floats(M * N);
    CUDA(cudaMemcpy(da, a, sizeof a, cudaMemcpyHostToDevice));
    CUDA(cudaMemcpy(db, b, sizeof b, cudaMemcpyHostToDevice));
    CUDA(cudaMemcpy(dc, c, sizeof c, cudaMemcpyHostToDevice));
    product<<<1, 32>>>(dd, da, db, dc, planted ? 31 : 32);
    CUDA(cudaMemcpy(d, dd, sizeof d, cudaMemcpyDeviceToHost));
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            float sum = c[i * N + j];
            for (int k = 0; k < K; k++)
                sum += a[i * K + k] * b[k * N + j];
            EXPECT(d[i * N + j] == sum);
        }
    CUDA(cudaFree(da));
    CUDA(cudaFree(db));
    CUDA(cudaFree(dc));
    CUDA(cudaFree(dd));
    return 0;
}
