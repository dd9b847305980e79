/* ranks: see ranks.h. */
#include "lockstep/ranks.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/log.h"

int cores_available(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? n : 1;
}

int ranks_threads(const Ranks *ranks, const Device *device, int64_t wanted) {
    int cores = cores_available() / comm_local_size(ranks->comm);
    if (wanted > 0)
        return (int)wanted;
    return (device && device->accelerator) || cores < 1 ? 1 : cores;
}

void ranks_follow(Ranks *ranks) {
    ranks->rank = comm_rank(ranks->comm);
    ranks->size = comm_size(ranks->comm);
}

Status ranks_open(Ranks *ranks, const RunConfig *config, Status status) {
    StatusRecord record;
    Status opened;
    double deadline = config->deadline > 0 ? config->deadline : 300;
    status_take(&record);
    if (comm_launched())
        opened = comm_open_mpi(NULL, NULL, deadline, &ranks->comm);
    else
        opened = comm_open_self(deadline, &ranks->comm);
    if (opened != ST_OK) {
        log_fatal(-1, status_message());
        return opened;
    }
    ranks_follow(ranks);
    if (status != ST_OK)
        status_put(&record);
    return comm_agree(ranks->comm, status);
}

/* A failure that was agreed on has been printed and left an empty message. */
void ranks_judge(const Ranks *ranks, Status status) {
    if (status != ST_OK && status != ST_STOPPED && ranks->comm && status_message()[0])
        comm_abort(ranks->comm, status);
}

void ranks_close(Ranks *ranks) {
    comm_close(ranks->comm);
    *ranks = (Ranks){0};
}

/* Where two texts differ: the first differing line of each, cut to `room`. */
static void first_difference(const char *a, const char *b, char *line_a, char *line_b, int room) {
    for (;;) {
        int la = (int)strcspn(a, "\n"), lb = (int)strcspn(b, "\n");
        if (la != lb || memcmp(a, b, (size_t)la) != 0 || (!a[la] && !b[lb])) {
            snprintf(line_a, (size_t)room, "%.*s", la, a);
            snprintf(line_b, (size_t)room, "%.*s", lb, b);
            return;
        }
        a += la + (a[la] == '\n');
        b += lb + (b[lb] == '\n');
    }
}

Status ranks_share_text(const Ranks *ranks, char **text) {
    uint64_t bytes = ranks->rank == 0 && *text ? strlen(*text) + 1 : 0;
    TRY(comm_bcast(ranks->comm, &bytes, sizeof bytes, 0));
    if (ranks->rank != 0) {
        free(*text);
        *text = bytes > 0 ? calloc(1, bytes) : NULL;
    }
    if (bytes == 0)
        return ST_OK;
    TRY(comm_agree(ranks->comm, *text ? ST_OK : FAIL(ST_INTERNAL, "out of memory")));
    return comm_bcast(ranks->comm, *text, bytes, 0);
}

Status ranks_compare_config(const Ranks *ranks, const RunConfig *config) {
    enum { ROOM = 200 };
    char *mine = NULL, *root = NULL;
    char mine_line[ROOM], root_line[ROOM];
    Status status = config_text(config, false, &mine);
    TRY(comm_agree(ranks->comm, status));
    root = ranks->rank == 0 ? strdup(mine) : NULL;
    TRY_DONE(ranks_share_text(ranks, &root));
    if (strcmp(mine, root) != 0) {
        first_difference(mine, root, mine_line, root_line, ROOM);
        status = FAIL(ST_USAGE,
                      "the configuration of rank %d differs from that of rank 0: `%s` against "
                      "`%s`; start all ranks with the same file, flags and environment",
                      ranks->rank, mine_line, root_line);
    }
    TRY_DONE(comm_agree(ranks->comm, status));
done:
    free(mine);
    free(root);
    return status;
}
