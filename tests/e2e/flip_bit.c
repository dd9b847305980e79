/* flip_bit: a library to preload. On rank $FLIP_RANK what the $FLIP_CALL-th sum of more than 4 KiB
 * gives has one bit wrong, as after a fault of memory or of the network. Each rank is on a host of
 * its own: those of one share a sum. */
#include <mpi.h>
#include <stdint.h>
#include <stdlib.h>

enum { LARGE = 512 };

int MPI_Iallreduce(const void *from, void *to, int count, MPI_Datatype type, MPI_Op op,
                   MPI_Comm comm, MPI_Request *request) {
    static int calls;
    int rank, result = PMPI_Iallreduce(from, to, count, type, op, comm, request);
    PMPI_Comm_rank(comm, &rank);
    if (type != MPI_INT64_T || count < LARGE || rank != atoi(getenv("FLIP_RANK")) ||
        ++calls != atoi(getenv("FLIP_CALL")))
        return result;
    result = PMPI_Wait(request, MPI_STATUS_IGNORE); /* the caller then finds it done */
    ((int64_t *)to)[count / 2] ^= INT64_C(1) << 36;
    return result;
}

int MPI_Comm_split_type(MPI_Comm comm, int type, int key, MPI_Info info, MPI_Comm *out) {
    int rank;
    (void)type;
    (void)info;
    PMPI_Comm_rank(comm, &rank);
    return PMPI_Comm_split(comm, rank, key, out);
}
