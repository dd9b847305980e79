/* comm_mpi_compare: whether ranks that wait have come to the same collectives, seen while they wait
 * and not at the deadline.
 *
 * A rank that has waited for a second tells rank 0 the last collective of each plane that it has
 * come to. Rank 0, when it waits itself, compares them with its own and with each other. A rank has
 * one such message on its way at most (a synchronous send), so they cannot pile up where rank 0
 * never waits; what a message tells stays true however late it is read. */
#include "comm_mpi_internal.h"

#include <string.h>

#include "lockstep/clock.h"

static Whereabouts whereabouts(const Comm *comm) {
    Whereabouts here = {0};
    for (int plane = 0; plane < FLIGHT_PLANES; plane++)
        flight_recent(comm->flight, (FlightPlane)plane, &here.last[plane], 1);
    return here;
}

static bool is_sent(const Whereabouts *a, const Whereabouts *b) {
    for (int plane = 0; plane < FLIGHT_PLANES; plane++)
        if (a->last[plane].sequence != b->last[plane].sequence)
            return false;
    return true;
}

/* MPI errors are left to the wait itself. */
static void send(Comm *comm) {
    Mpi *mpi = comm->control_state;
    int done = 0;
    Whereabouts here = whereabouts(comm);
    if (MPI_Test(&mpi->sending, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS || !done ||
        is_sent(&here, &mpi->place))
        return;
    mpi->place = here;
    if (MPI_Issend(&mpi->place, sizeof mpi->place, MPI_BYTE, 0, TAG_PLACE, mpi->watch,
                   &mpi->sending) == MPI_SUCCESS)
        mpi->sent++;
}

static void receive(Comm *comm) {
    Mpi *mpi = comm->control_state;
    int found = 0;
    MPI_Status from;
    while (MPI_Iprobe(MPI_ANY_SOURCE, TAG_PLACE, mpi->watch, &found, &from) == MPI_SUCCESS &&
           found) {
        Whereabouts there;
        if (MPI_Recv(&there, sizeof there, MPI_BYTE, from.MPI_SOURCE, TAG_PLACE, mpi->watch,
                     MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return;
        mpi->places[from.MPI_SOURCE] = there;
        mpi->received++;
    }
}

/* This rank's collectives beside what the others have told. */
static bool differ(Comm *comm) {
    Mpi *mpi = comm->control_state;
    FlightEntry own[FLIGHT_PLANES * REPORT_CALLS];
    char text[STATUS_MESSAGE_MAX];
    int n = 0;
    for (int plane = 0; plane < FLIGHT_PLANES; plane++)
        n += flight_recent(comm->flight, (FlightPlane)plane, &own[n], REPORT_CALLS);
    for (int r = 0; r < comm->size; r++)
        mpi->records[r] = (FlightRecord){
            .present = true, .rank = r, .entry = mpi->places[r].last, .n = FLIGHT_PLANES};
    mpi->records[0].entry = own;
    mpi->records[0].n = n;
    return flight_mismatch(mpi->records, comm->size, text, sizeof text);
}

bool mpi_compare(Comm *comm) {
    const Mpi *mpi = comm->control_state;
    if (!mpi->watching)
        return false;
    if (comm->rank != 0) {
        send(comm);
        return false;
    }
    receive(comm);
    return differ(comm);
}

Status mpi_end_comparing(Comm *comm) {
    Mpi *mpi = comm->control_state;
    int64_t messages = mpi->sent;
    TRY(comm->control->allreduce(comm, &messages, 1, DT_I64, REDUCE_SUM));
    Pause pause = {.start = clock_running()};
    for (;;) {
        int done = comm->rank == 0 && mpi->received >= messages;
        if (comm->rank == 0)
            receive(comm);
        else
            TRY_WAIT(comm, MPI_Test(&mpi->sending, &done, MPI_STATUS_IGNORE));
        if (done)
            return ST_OK;
        comm_pause(comm, &pause, -1);
    }
}
