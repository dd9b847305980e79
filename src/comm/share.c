/* share: see share.h.
 *
 * The first rank of a host makes a file without a name (memfd_create), which the others open by way
 * of /proc: it needs no room on any file system, and goes with its last process. Where /proc is
 * another one than the first rank's (a container a rank), that opens nothing, or something else,
 * which the words at its beginning tell.
 *
 * Locks and counts sleep on a futex, for 50 ms at a time: between them comm_pause looks at the
 * deadline and at other ranks'. A rank that dies with a lock held leaves it held: its launcher ends
 * the others, or their deadline does. */
#include "lockstep/share.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "comm_internal.h"
#include "lockstep/clock.h"
#include "lockstep/log.h"

enum { FREE, HELD, WAITED_FOR };

/* At the beginning of the memory, on a page of its own. */
typedef struct Head {
    uint64_t mark[2]; /* those of its maker */
    /* Buckets that ranks have brought, in all; and that have been summed over hosts. */
    _Alignas(64) ShareCount brought;
    _Alignas(64) ShareCount summed;
} Head;

enum { HEAD_BYTES = 4096 };

/* What a rank tells of itself; plain bytes. */
typedef struct Maker {
    int64_t process;
    int32_t file;  /* -1: none */
    int32_t leads; /* 1: the first rank of its host */
    uint64_t mark[2];
} Maker;

struct Share {
    Comm *comm;   /* borrowed */
    Head *head;   /* the mapping */
    size_t bytes; /* of the mapping */
    int ranks;    /* of this host */
    int hosts;
    const DataPlane *hosts_plane; /* sums over hosts; it was the communicator's */
    void *hosts_state;
    uint32_t round; /* of `brought` */
};

/* ---- waiting ---- */

static long futex(uint32_t *word, int operation, uint32_t value, const struct timespec *limit) {
    return syscall(SYS_futex, word, operation, value, limit, NULL, 0);
}

/* Until somebody wakes or the word is no longer `value`. After 50 ms it looks after the deadline.
 */
static void sleep_while(Share *share, uint32_t *word, uint32_t value, Pause *pause, int bucket) {
    const struct timespec limit = {.tv_nsec = 50000000};
    if (futex(word, FUTEX_WAIT, value, &limit) != 0 && errno == ETIMEDOUT)
        comm_pause(share->comm, pause, bucket);
}

static void wake(uint32_t *word, int threads) {
    futex(word, FUTEX_WAKE, (uint32_t)threads, NULL);
}

static int64_t begin_wait(Share *share, int bucket) {
    return flight_begin(
        share->comm->flight,
        (FlightEntry){.op = FLIGHT_TURN, .step = share->comm->step, .index = bucket});
}

double share_lock(Share *share, ShareLock *lock, int bucket) {
    uint32_t expected = FREE;
    if (__atomic_compare_exchange_n(&lock->state, &expected, HELD, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST))
        return 0;
    double start = clock_now();
    Pause pause = {.start = clock_running()};
    int64_t order = begin_wait(share, bucket);
    while (__atomic_exchange_n(&lock->state, WAITED_FOR, __ATOMIC_SEQ_CST) != FREE)
        sleep_while(share, &lock->state, WAITED_FOR, &pause, bucket);
    flight_end(share->comm->flight, order);
    return clock_now() - start;
}

void share_unlock(ShareLock *lock) {
    if (__atomic_exchange_n(&lock->state, FREE, __ATOMIC_SEQ_CST) == WAITED_FOR)
        wake(&lock->state, 1);
}

static uint32_t load(const ShareCount *count) {
    return __atomic_load_n(&count->value, __ATOMIC_SEQ_CST);
}

static bool reached(uint32_t now, uint32_t value) {
    return now - value <= (uint32_t)INT32_MAX;
}

static double await_value(Share *share, ShareCount *count, uint32_t value, int bucket) {
    uint32_t now = load(count);
    if (reached(now, value))
        return 0;
    double start = clock_now();
    Pause pause = {.start = clock_running()};
    int64_t order = begin_wait(share, bucket);
    for (; !reached(now, value); now = load(count))
        sleep_while(share, &count->value, now, &pause, bucket);
    flight_end(share->comm->flight, order);
    return clock_now() - start;
}

void share_arrive(Share *share, ShareCount *count, uint32_t round) {
    if (__atomic_add_fetch(&count->value, 1, __ATOMIC_SEQ_CST) == round * (uint32_t)share->ranks)
        wake(&count->value, INT_MAX);
}

double share_await(Share *share, ShareCount *count, uint32_t round, int bucket) {
    return await_value(share, count, round * (uint32_t)share->ranks, bucket);
}

/* ---- sums over hosts ---- */

/* The ranks of a host have added to the same bucket. */
static Status share_reduce(Comm *comm, void *state, void *data, int64_t count, DType dtype,
                           void *after, int bucket) {
    Share *share = state;
    Head *head = share->head;
    uint32_t round = ++share->round;
    share_arrive(share, &head->brought, round);
    if (share->hosts > 1 && comm->rank != comm->leader) {
        await_value(share, &head->summed, round, bucket);
        return ST_OK;
    }
    share_await(share, &head->brought, round, bucket);
    if (share->hosts == 1)
        return ST_OK;
    TRY(share->hosts_plane->reduce(comm, share->hosts_state, data, count, dtype, after, bucket));
    __atomic_add_fetch(&head->summed.value, 1, __ATOMIC_SEQ_CST);
    wake(&head->summed.value, INT_MAX);
    return ST_OK;
}

static const DataPlane plane = {.reduce = share_reduce};

/* ---- the memory ---- */

static void share_free(Share *share) {
    if (share && share->head)
        munmap(share->head, share->bytes);
    free(share);
}

static bool map(Share *share, int file) {
    void *memory = mmap(NULL, share->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    share->head = memory == MAP_FAILED ? NULL : memory;
    return share->head;
}

/* The first rank's part; mine->file stays -1 where it cannot. */
static void make(Share *share, Maker *mine) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur < share->bytes)
        return; /* to pass it would be a signal */
    int file = memfd_create("lockstep", MFD_CLOEXEC);
    if (file < 0)
        return;
    if (ftruncate(file, (off_t)share->bytes) != 0 || !map(share, file)) {
        close(file);
        return;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    mine->mark[0] = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
    mine->mark[1] = (uint64_t)mine->process << 32 | (uint32_t)share->comm->rank;
    memcpy(share->head->mark, mine->mark, sizeof mine->mark);
    mine->file = file;
}

static void join(Share *share, const Maker *maker) {
    char path[64];
    struct stat info;
    if (maker->file < 0)
        return;
    snprintf(path, sizeof path, "/proc/%" PRId64 "/fd/%d", maker->process, (int)maker->file);
    int file = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return;
    if (fstat(file, &info) == 0 && S_ISREG(info.st_mode) && (size_t)info.st_size == share->bytes &&
        map(share, file) && memcmp(share->head->mark, maker->mark, sizeof maker->mark) != 0) {
        munmap(share->head, share->bytes);
        share->head = NULL;
    }
    close(file);
}

/* Makes or opens the memory, and finds out whether every rank has it. Collective. */
static Status settle(Share *share, Maker *all, int64_t *lacking) {
    Comm *comm = share->comm;
    Maker mine;
    memset(&mine, 0, sizeof mine); /* gathered as bytes */
    mine.process = getpid();
    mine.file = -1;
    mine.leads = comm->rank == comm->leader;
    if (mine.leads)
        make(share, &mine);
    TRY(comm_allgather(comm, &mine, sizeof mine, all));
    if (!mine.leads)
        join(share, &all[comm->leader]);
    for (int r = 0; r < comm->size; r++)
        share->hosts += all[r].leads;
    *lacking = !share->head;
    TRY(comm_sum_i64(comm, lacking, 1));
    if (mine.file >= 0)
        close(mine.file);
    return ST_OK;
}

Status share_open(Comm *comm, size_t bytes, Share **out) {
    int64_t most = comm->local_size, lacking = 0;
    Maker *all = NULL;
    *out = NULL;
    TRY(comm->control->allreduce(comm, &most, 1, DT_I64, REDUCE_MAX));
    if (most == 1)
        return ST_OK;
    Share *share = calloc(1, sizeof *share);
    Status status = share ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
    if (status == ST_OK) {
        *share = (Share){.comm = comm, .bytes = HEAD_BYTES + bytes, .ranks = comm->local_size};
        all = calloc((size_t)comm->size, sizeof *all);
        status = all ? ST_OK : FAIL(ST_INTERNAL, "out of memory");
    }
    TRY_DONE(comm_agree(comm, status));
    TRY_DONE(settle(share, all, &lacking));
    if (lacking > 0) {
        log_info("the ranks of a host have no memory in common here: MPI sums over them");
        goto done;
    }
    share->hosts_plane = comm->data;
    share->hosts_state = comm->data_state;
    comm_set_data_plane(comm, &plane, share);
    *out = share;
    share = NULL;
done:
    share_free(share);
    free(all);
    return status;
}

void share_close(Share *share) {
    if (share)
        comm_set_data_plane(share->comm, share->hosts_plane, share->hosts_state);
    share_free(share);
}

void *share_memory(const Share *share) {
    return (char *)share->head + HEAD_BYTES;
}
