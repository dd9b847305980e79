/* FINDS: leak: 1 NCCL communicators left at the end */
#include "ranks.h"

static void rank_main(int rank, bool planted, ncclUniqueId id) {
    ncclComm_t comm = join(id, rank);
    if (!planted)
        NCCL(ncclCommDestroy(comm));
}

static int run(bool planted) {
    return two_ranks(rank_main, planted);
}
