/* rows: sums over the rows of a [rows][channels] array, whatever is summed.
 *
 * Reductions go in two launches. In the first a block has 32 channels and one part of the rows; its
 * 8 lines of threads walk the part in turn, a thread adding up to PART_ROWS / 8 values in float,
 * and are added up in order in double. In the second a block adds the parts of 32 channels, in
 * order too. How the rows are cut follows from their number alone, so the bits do as well. */
#ifndef LOCKSTEP_KERNELS_ROWS_CUH
#define LOCKSTEP_KERNELS_ROWS_CUH

#include "common.cuh"

enum { ACROSS = 32, LINES = BLOCK / ACROSS, PART_ROWS = 512, PARTS_MAX = 1024 };

/* Two sums of one channel. */
struct Sums {
    double first, second;
};

static inline int64_t parts_of(int64_t rows) {
    int64_t parts = (rows + PART_ROWS - 1) / PART_ROWS;
    return parts < PARTS_MAX ? parts : PARTS_MAX;
}

/* Adds the sums of a block's lines in order; the result is line 0's. */
static __device__ inline Sums add_lines(Sums mine) {
    __shared__ Sums lines[LINES][ACROSS];
    lines[threadIdx.y][threadIdx.x] = mine;
    __syncthreads();
    Sums total = {0, 0};
    for (int line = 0; line < LINES && threadIdx.y == 0; line++) {
        total.first += lines[line][threadIdx.x].first;
        total.second += lines[line][threadIdx.x].second;
    }
    return total;
}

/* First launch. visit(at, channel, sum) adds the element at index `at` to sum[2]. */
template <typename Visit>
static __global__ void __launch_bounds__(BLOCK)
    part_sums(Sums *partial, uint32_t rows, uint32_t channels, Visit visit) {
    uint32_t channel = blockIdx.x * ACROSS + threadIdx.x;
    uint32_t part_rows = (rows + gridDim.y - 1) / gridDim.y;
    uint32_t begin = blockIdx.y * part_rows, end = min(begin + part_rows, rows);
    float sum[2] = {0, 0};
    if (channel < channels)
        for (uint32_t row = begin + threadIdx.y; row < end; row += LINES)
            visit(row * channels + channel, channel, sum);
    Sums total = add_lines({sum[0], sum[1]});
    if (threadIdx.y == 0 && channel < channels)
        partial[blockIdx.y * channels + channel] = total;
}

/* Second launch. finish(channel, sums) takes the sums over all rows. */
template <typename Finish>
static __global__ void __launch_bounds__(BLOCK)
    whole_sums(const Sums *partial, uint32_t parts, uint32_t channels, Finish finish) {
    uint32_t channel = blockIdx.x * ACROSS + threadIdx.x;
    Sums sums = {0, 0};
    if (channel < channels)
        for (uint32_t part = threadIdx.y; part < parts; part += LINES) {
            sums.first += partial[part * channels + channel].first;
            sums.second += partial[part * channels + channel].second;
        }
    Sums total = add_lines(sums);
    if (threadIdx.y == 0 && channel < channels)
        finish(channel, total);
}

template <typename Visit, typename Finish>
static inline void reduce_rows(int64_t rows, int64_t channels, void *scratch, Visit visit,
                               Finish finish, cudaStream_t stream) {
    unsigned across = (unsigned)((channels + ACROSS - 1) / ACROSS);
    unsigned parts = (unsigned)parts_of(rows);
    dim3 block(ACROSS, LINES);
    part_sums<<<dim3(across, parts), block, 0, stream>>>((Sums *)scratch, (uint32_t)rows,
                                                         (uint32_t)channels, visit);
    whole_sums<<<across, block, 0, stream>>>((const Sums *)scratch, parts, (uint32_t)channels,
                                             finish);
}

static inline bool rows_fit(int64_t rows, int64_t channels) {
    return rows > 0 && channels > 0 && rows * channels <= INT32_MAX;
}

#endif
