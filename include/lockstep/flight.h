/* flight: the flight recorder: what a rank has done last, in a ring of fixed size.
 *
 * Written without locks and system calls by any thread: an entry when something begins, its end
 * when that ends, so what a rank hangs in stands there without an end. Collectives carry a number
 * that is the same on all ranks: the n-th one of its plane. That, and not the time of day, is what
 * the records of ranks are laid beside each other by.
 *
 * Everything here is Local. Comm owns a rank's Flight (comm_flight); a rank that ends badly leaves
 * it as a file (comm_record), and `lockstep flight` reads all of a run's. */
#ifndef LOCKSTEP_FLIGHT_H
#define LOCKSTEP_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "lockstep/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { FLIGHT_ENTRIES = 1024, FLIGHT_HOST_MAX = 64, FLIGHT_REASON_MAX = 128 };

typedef enum FlightOp {
    FLIGHT_NOTHING,
    /* collectives of the control plane */
    FLIGHT_BARRIER,
    FLIGHT_BROADCAST,
    FLIGHT_GATHER,
    FLIGHT_SUM,
    FLIGHT_MAXIMUM,
    FLIGHT_AGREEMENT,
    /* of the data plane: the sum of a bucket; and a mark between these, at which no rank waits */
    FLIGHT_BUCKET,
    FLIGHT_STEP,
    /* of one rank */
    FLIGHT_STAGE,
    FLIGHT_FORWARD, /* of a lane */
    FLIGHT_BACKWARD,
    FLIGHT_TURN, /* a wait for the other ranks of the host (share.h) */
    FLIGHT_OPS
} FlightOp;

typedef enum FlightPlane { FLIGHT_CONTROL, FLIGHT_DATA, FLIGHT_PLANES } FlightPlane;

/* Plain bytes: it travels between ranks. */
typedef struct FlightEntry {
    int64_t order;     /* among this rank's entries, from 1; 0: no entry */
    int64_t sequence;  /* of a collective: its number on its plane, from 1; else 0 */
    int64_t step;      /* -1: none */
    int64_t bytes;     /* that a collective is of; else 0 */
    double start, end; /* s, clock_now of the rank; end 0: it has not ended */
    int32_t op, index; /* FlightOp; bucket, lane, or the Stage (comm.h) that the rank was in */
} FlightEntry;

typedef struct Flight Flight;

Status flight_open(Flight **flight);
void flight_close(Flight *flight); /* accepts NULL */

/* Something begins; what is returned is for flight_end. Thread-safe. */
int64_t flight_begin(Flight *flight, FlightEntry entry);
void flight_end(Flight *flight, int64_t order);

/* The entries that are there, oldest first; returns how many. Any thread, any time: an entry that
 * is being written is left out. */
int flight_entries(const Flight *flight, FlightEntry entries[FLIGHT_ENTRIES]);

/* The last `room` collectives of a plane, oldest first; returns how many. */
int flight_recent(const Flight *flight, FlightPlane plane, FlightEntry *entries, int room);

/* Whether the op is a collective, and of which plane. */
bool flight_is_collective(int op, FlightPlane *plane);

/* ---- Records: what a rank left. ---- */

typedef struct FlightRecord {
    bool present; /* else only rank, size and host (if known) are set */
    int rank, size;
    char host[FLIGHT_HOST_MAX];
    char reason[FLIGHT_REASON_MAX]; /* why it was written */
    double now;                     /* clock_now of the rank then */
    /* The longest time of late in which the process did not run at all (SIGSTOP, a suspended
     * machine), and when that ended; 0: none. */
    double stood_s, stood_until;
    FlightEntry *entry; /* [n], oldest first */
    int n;
} FlightRecord;

/* Where ranks have made different collectives under one number, the first such, or wait for each
 * other, one in a sum and one in what comes after it: true, and one sentence that names who
 * differs, how, and from whom. */
bool flight_mismatch(const FlightRecord *records, int n, char *text, size_t room);

/* One sentence: the first divergence of the ranks, as far as their records tell: a collective that
 * differs, else a process that did not run, else who is behind where others wait. */
void flight_verdict(const FlightRecord *records, int n, char *text, size_t room);

/* What a rank does, by its record: "waits in bucket 2 of step 812", "forward of step 812 (lane 5)".
 * *since: s for which it has. */
void flight_doing(const FlightRecord *record, char *text, size_t room, double *since);

/* What it does by itself: the newest that has not ended, but for its stage; else that. NULL:
 * nothing. */
const FlightEntry *flight_works_on(const FlightRecord *record);

/* "2", "0-3, 7": the ranks whose `member` is true. */
void flight_ranks(const bool *member, int n, char *text, size_t room);

/* ---- Files: RUN/flight/START/rank-N, one START for all ranks of a start. ---- */

/* Writes the record as text: a file that is there is replaced. ST_CHECKPOINT. `hosts`: of all
 * ranks, or NULL. */
Status flight_write(const char *path, const FlightRecord *record, const char *start,
                    const char (*hosts)[FLIGHT_HOST_MAX]);

/* What flight_write has written; the caller frees record->entry. `hosts` (may be NULL) is as long
 * as record->size then, and the caller's to free; both also after a failure. ST_CHECKPOINT names
 * path and line. */
Status flight_read(const char *path, FlightRecord *record, char (**hosts)[FLIGHT_HOST_MAX]);

#ifdef __cplusplus
}
#endif
#endif
