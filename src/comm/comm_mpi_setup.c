/* comm_mpi_setup: the communicators of a run, and who is where: at its start, and again where ranks
 * were lost. */
#include "comm_mpi_internal.h"

#include <stdlib.h>
#include <string.h>

/* Once; again ranks are fewer. */
static Status make_tables(Comm *comm) {
    Mpi *mpi = comm->control_state;
    size_t size = (size_t)comm->size;
    if (!mpi->hosts) {
        mpi->hosts = calloc(size, sizeof *mpi->hosts);
        mpi->reports = calloc(size, sizeof *mpi->reports);
        mpi->records = calloc(size, sizeof *mpi->records);
    }
    if (!mpi->places && comm->rank == 0)
        mpi->places = calloc(size, sizeof *mpi->places);
    if (!mpi->hosts || !mpi->reports || !mpi->records || (comm->rank == 0 && !mpi->places))
        return FAIL(ST_INTERNAL, "out of memory");
    memset(mpi->reports, 0, size * sizeof *mpi->reports);
    if (mpi->places)
        memset(mpi->places, 0, size * sizeof *mpi->places);
    return ST_OK;
}

/* Dups inherit the error handler of `all`. */
Status mpi_set_up(Comm *comm, MPI_Comm all) {
    Mpi *mpi = comm->control_state;
    MPI_Comm node;
    TRY_MPI(MPI_Comm_rank(all, &comm->rank));
    TRY_MPI(MPI_Comm_size(all, &comm->size));
    TRY_MPI(MPI_Comm_dup(all, &mpi->watch));
    TRY_MPI(MPI_Comm_dup(all, &mpi->control));
    TRY_MPI(MPI_Comm_dup(all, &mpi->data));
    TRY_MPI(
        MPI_Comm_split_type(mpi->control, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &node));
    TRY_MPI(MPI_Comm_rank(node, &comm->local_rank));
    TRY_MPI(MPI_Comm_size(node, &comm->local_size));
    comm->leader = comm->rank;
    TRY_MPI(MPI_Bcast(&comm->leader, 1, MPI_INT, 0, node));
    TRY_MPI(MPI_Comm_split(mpi->data, comm->local_rank == 0 ? 0 : MPI_UNDEFINED, comm->rank,
                           &mpi->leaders));
    TRY(make_tables(comm));
    mpi->watching = true;
    TRY(comm->control->allgather(comm, comm->host, sizeof comm->host, mpi->hosts));
    TRY(mpi_try_memory(comm, node));
    TRY_MPI(MPI_Comm_free(&node));
    return ST_OK;
}
