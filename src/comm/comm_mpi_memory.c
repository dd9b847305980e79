/* comm_mpi_memory: whether ranks of a host may read each other's memory.
 *
 * Open MPI 4 lets a rank copy a long message right out of another's memory (process_vm_readv, in
 * its transport "vader"). Containers often forbid that; each long message is then refused by the
 * kernel, with a line of Open MPI's own, and sent again otherwise. So it is tried once, on a word,
 * with the next rank of the host, and said once. */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "comm_mpi_internal.h"
#include "lockstep/clock.h"
#include "lockstep/log.h"

/* A word of a rank's memory, where it stands, and what stands there. */
typedef struct Word {
    int64_t process;
    uint64_t address, value;
} Word;

enum { VADER_CMA = 1 }; /* of btl_vader_single_copy_mechanism */

/* Whether this rank's MPI means to: false where it has no such transport, or was told not to. */
static bool mpi_reads_memory(void) {
    MPI_T_cvar_handle handle;
    int provided, index, count, mechanism = 0;
    if (MPI_T_init_thread(MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS)
        return false;
    if (MPI_T_cvar_get_index("btl_vader_single_copy_mechanism", &index) == MPI_SUCCESS &&
        MPI_T_cvar_handle_alloc(index, NULL, &handle, &count) == MPI_SUCCESS) {
        if (count != 1 || MPI_T_cvar_read(handle, &mechanism) != MPI_SUCCESS)
            mechanism = 0;
        MPI_T_cvar_handle_free(&handle);
    }
    MPI_T_finalize();
    return mechanism == VADER_CMA;
}

/* 0, or errno. */
static int try_read(const Word *word) {
    uint64_t value = 0;
    struct iovec here = {&value, sizeof value};
    struct iovec there = {(void *)(uintptr_t)word->address, sizeof value};
    if (process_vm_readv((pid_t)word->process, &here, 1, &there, 1, 0) != (ssize_t)sizeof value)
        return errno;
    return value == word->value ? 0 : ESRCH; /* another process of that number */
}

Status mpi_try_memory(Comm *comm, MPI_Comm node) {
    enum { ERROR_BITS = 16 };
    static uint64_t value;
    const Mpi *mpi = comm->control_state;
    value = (uint64_t)(clock_now() * 1e9) + (uint64_t)comm->rank;
    Word mine = {(int64_t)getpid(), (uint64_t)(uintptr_t)&value, value}, next;
    int error = 0, local = comm->local_rank, size = comm->local_size;
    TRY_MPI(MPI_Sendrecv(&mine, sizeof mine, MPI_BYTE, (local + size - 1) % size, 0, &next,
                         sizeof next, MPI_BYTE, (local + 1) % size, 0, node, MPI_STATUS_IGNORE));
    if (size > 1 && mpi_reads_memory())
        error = try_read(&next);
    int64_t key = error == 0 ? INT64_MAX : ((int64_t)comm->rank << ERROR_BITS) + error;
    TRY(comm->control->allreduce(comm, &key, 1, DT_I64, REDUCE_MIN));
    if (key == INT64_MAX)
        return ST_OK;
    int64_t rank = key >> ERROR_BITS;
    log_warn("rank %d on %s may not read the memory of another rank there (process_vm_readv: %s), "
             "as Open MPI does with long messages: set OMPI_MCA_btl_vader_single_copy_mechanism="
             "none",
             (int)rank, mpi->hosts[rank], strerror((int)(key & ((1 << ERROR_BITS) - 1))));
    return ST_OK;
}
