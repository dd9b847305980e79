/* reduce: sums over ranks whose result is known, checked and timed. */
#include <inttypes.h>
#include <stdlib.h>

#include "lockstep/clock.h"
#include "preflight_internal.h"

/* Where the numbers are: on the host, and where they are summed in a GPU's memory, there too. */
typedef struct Numbers {
    int64_t *host;
    Device *device; /* NULL: on the host alone, as the rest */
    Stream *stream;
    void *memory;
} Numbers;

/* Element i of rank r; the sum over ranks is known. */
static int64_t term(int64_t i, int64_t rank) {
    return (i % 1000003 + 1) * (rank + 1) - (i % 7) * (INT64_C(1) << 40);
}

static int64_t whole(int64_t i, int64_t size) {
    return (i % 1000003 + 1) * (size * (size + 1) / 2) - size * (i % 7) * (INT64_C(1) << 40);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static Status allocate(Numbers *numbers, size_t bytes) {
    numbers->host = malloc(bytes);
    TRY_ALLOC(numbers->host);
    if (!numbers->device)
        return ST_OK;
    TRY(numbers->device->ops->stream_open(numbers->device, &numbers->stream));
    return numbers->device->ops->alloc(numbers->device, bytes, &numbers->memory);
}

static void release(Numbers *numbers) {
    free(numbers->host);
    if (!numbers->device)
        return;
    if (numbers->stream)
        numbers->device->ops->stream_close(numbers->stream);
    numbers->device->ops->release(numbers->device, numbers->memory);
}

/* To the GPU, or back. */
static Status move(const Numbers *numbers, int64_t count, bool back) {
    size_t bytes = (size_t)count * sizeof *numbers->host;
    if (!numbers->device)
        return ST_OK;
    const DeviceOps *ops = numbers->device->ops;
    if (back)
        TRY(ops->download(numbers->stream, numbers->host, numbers->memory, bytes));
    else
        TRY(ops->upload(numbers->stream, numbers->memory, numbers->host, bytes));
    return ops->sync(numbers->stream, SYNC_SECONDS);
}

/* One size: each repeat sums fresh numbers. *wrong: the first element that is, -1 if none. */
static Status time_size(Session *session, const Numbers *numbers, int64_t count, double *seconds,
                        int64_t *wrong) {
    double took[REDUCE_REPEATS];
    *wrong = -1;
    for (int k = 0; k < REDUCE_REPEATS; k++) {
        for (int64_t i = 0; i < count; i++)
            numbers->host[i] = term(i + k, session->ranks.rank);
        TRY(move(numbers, count, false));
        TRY(comm_barrier(session->ranks.comm));
        double start = clock_now();
        TRY(comm_reduce(session->ranks.comm, numbers->device ? numbers->memory : numbers->host,
                        count, DT_I64, NULL, 0));
        took[k] = clock_now() - start;
        TRY(move(numbers, count, true));
        for (int64_t i = 0; i < count && *wrong < 0; i++) {
            if (numbers->host[i] != whole(i + k, session->ranks.size))
                *wrong = i;
        }
    }
    TRY(comm_max_f64(session->ranks.comm, took, REDUCE_REPEATS));
    qsort(took, REDUCE_REPEATS, sizeof *took, ascending);
    *seconds = took[REDUCE_REPEATS / 2];
    return ST_OK;
}

Status probe_reduce(Session *session, Device *device, ReduceTime *times) {
    const int64_t bytes[REDUCE_SIZES] = {8, 65536, session->config->bucket_bytes,
                                         8 * session->model.flat};
    int64_t largest = bytes[2] > bytes[3] ? bytes[2] : bytes[3], wrong;
    Numbers numbers = {.device = device};
    Status status = comm_agree(session->ranks.comm, allocate(&numbers, (size_t)largest));
    for (int s = 0; s < REDUCE_SIZES && status == ST_OK; s++) {
        times[s].bytes = bytes[s];
        status = time_size(session, &numbers, bytes[s] / 8, &times[s].seconds, &wrong);
        if (status != ST_OK) /* MPI, NCCL or the GPU itself failed: not agreed on */
            break;
        if (wrong >= 0)
            status =
                FAIL(ST_COMM,
                     "an all-reduce of %" PRId64 " bytes over %d ranks gave a wrong sum at element "
                     "%" PRId64 ": the network or its library is broken; try another one (%s)",
                     bytes[s], session->ranks.size, wrong,
                     device ? "NCCL_P2P_DISABLE=1, NCCL_IB_DISABLE=1"
                            : "OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,vader,tcp");
        status = comm_agree(session->ranks.comm, status);
    }
    release(&numbers);
    return status;
}
