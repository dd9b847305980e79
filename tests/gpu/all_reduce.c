/* all_reduce: speed and sums of the data plane over GPUs: mpirun -np N all_reduce
 *
 * For each size and type it sums over ranks as a step does (comm_reduce), checks the sum, and
 * prints one line: bytes, type, milliseconds (median), and bus bandwidth as nccl-tests define it:
 * 2 (n - 1) / n bytes / seconds, what one link of a ring must carry. */
#include <cuda_runtime_api.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lockstep/clock.h"
#include "lockstep/comm.h"

enum { TIMES = 21, WARM = 5, SIZES = 5 };

/* From a small bucket to the whole gradient of resnet9. */
static const size_t sizes[SIZES] = {1 << 16, 1 << 20, 4 << 20, 16 << 20, 52584960};

static Status check_cuda(cudaError_t error) {
    return error == cudaSuccess ? ST_OK : FAIL(ST_DEVICE, "CUDA: %s", cudaGetErrorString(error));
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The i-th value of a rank: small, so that sums are exact in fp32 too. */
static int64_t value_of(int64_t i, int rank) {
    return (i % 97 - 48) * (rank + 1);
}

static void fill(void *host, int64_t count, DType dtype, int rank) {
    for (int64_t i = 0; i < count; i++) {
        if (dtype == DT_I64)
            ((int64_t *)host)[i] = value_of(i, rank);
        else
            ((float *)host)[i] = (float)value_of(i, rank);
    }
}

static Status check_sum(const void *host, int64_t count, DType dtype, int ranks) {
    int64_t factor = (int64_t)ranks * (ranks + 1) / 2;
    for (int64_t i = 0; i < count; i++) {
        int64_t expected = value_of(i, 0) * factor;
        int64_t found =
            dtype == DT_I64 ? ((const int64_t *)host)[i] : (int64_t)((const float *)host)[i];
        if (found != expected)
            return FAIL(ST_COMM, "element %" PRId64 " is %" PRId64 ", not %" PRId64, i, found,
                        expected);
    }
    return ST_OK;
}

static Status measure(Comm *comm, size_t bytes, DType dtype, void *host, void *memory) {
    int64_t count = (int64_t)(bytes / dtype_size(dtype));
    double seconds[TIMES];
    int ranks = comm_size(comm);
    fill(host, count, dtype, comm_rank(comm));
    TRY(check_cuda(cudaMemcpy(memory, host, bytes, cudaMemcpyHostToDevice)));
    TRY(comm_reduce(comm, memory, count, dtype, NULL, 0));
    TRY(check_cuda(cudaMemcpy(host, memory, bytes, cudaMemcpyDeviceToHost)));
    TRY(check_sum(host, count, dtype, ranks));
    TRY(check_cuda(cudaMemset(memory, 0, bytes)));
    TRY(check_cuda(cudaDeviceSynchronize()));
    for (int i = -WARM; i < TIMES; i++) {
        TRY(comm_barrier(comm));
        double start = clock_now();
        TRY(comm_reduce(comm, memory, count, dtype, NULL, 0));
        if (i >= 0)
            seconds[i] = clock_now() - start;
    }
    TRY(comm_max_f64(comm, seconds, TIMES));
    qsort(seconds, TIMES, sizeof *seconds, ascending);
    double median = seconds[TIMES / 2];
    if (comm_rank(comm) == 0)
        printf("%zu bytes of %s over %d GPUs: %.3f ms, bus %.1f GB/s\n", bytes,
               dtype == DT_I64 ? "int64" : "fp32", ranks, 1e3 * median,
               2e-9 * (ranks - 1) / ranks * (double)bytes / median);
    return ST_OK;
}

static Status run(Comm *comm) {
    void *host = malloc(sizes[SIZES - 1]), *memory = NULL;
    int devices = 0;
    Status status = host ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
    if (status == ST_OK)
        status = check_cuda(cudaGetDeviceCount(&devices));
    if (status == ST_OK)
        status = check_cuda(cudaSetDevice(comm_local_rank(comm) % devices));
    if (status == ST_OK)
        status = check_cuda(cudaMalloc(&memory, sizes[SIZES - 1]));
    TRY_DONE(comm_agree(comm, status));
    TRY_DONE(comm_open_nccl(comm));
    for (int i = 0; i < SIZES; i++) {
        TRY_DONE(measure(comm, sizes[i], DT_I64, host, memory));
        TRY_DONE(measure(comm, sizes[i], DT_F32, host, memory));
    }
done:
    cudaFree(memory);
    free(host);
    return status;
}

int main(int argc, char **argv) {
    Comm *comm = NULL;
    Status status = comm_open_mpi(&argc, &argv, 60, &comm);
    if (status != ST_OK) {
        fprintf(stderr, "%s\n", status_message());
        return (int)status;
    }
    status = run(comm);
    if (status != ST_OK && status_message()[0])
        comm_abort(comm, status);
    comm_close(comm);
    return (int)status;
}
