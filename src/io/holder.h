/* holder: the process that an owner file names, as text and as far as this host can see it. Private
 * to src/io. Local.
 *
 *   host n1  pid 123  job 7  restart 0  since 2026-01-01T00:00:00Z  boot ID  space pid:[ID]
 *   started 4567       a word and its value a line: who it is, which never changes
 *   beat 12 every 10   its heartbeat: a number that grows, and after how many seconds it does
 *   ended              once it has left */
#ifndef LOCKSTEP_IO_HOLDER_H
#define LOCKSTEP_IO_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lockstep/job.h"

enum { OWNER_TEXT_MAX = 512, HOLDER_NAME_MAX = 384 };

/* A zeroed one: nobody. */
typedef struct Holder {
    char host[64];
    long pid;
    Job job;
    char since[32];
    char boot[64], space[64]; /* this boot of the kernel; the pid namespace */
    int64_t started;          /* clock ticks between boot and the start of the process */
    double beats_every;       /* seconds */
    bool ended;
} Holder;

/* This process. */
Holder holder_self(void);

/* Who it is, into text[OWNER_TEXT_MAX]; its heartbeat, which stands behind that, into
 * line[OWNER_TEXT_MAX]: as long for each number. The length. */
int holder_write(const Holder *holder, char *text);
int holder_write_beat(int64_t beat, double every, char *line);

/* False for a text that names nobody: a new or torn file. */
bool holder_read(const char *text, Holder *holder);

/* "process 123 on node2 since 2026-01-01T00:00:00Z (job 7, restart 1)" */
void holder_describe(const Holder *holder, char out[HOLDER_NAME_MAX]);

/* Whether both texts name the same process. */
bool holder_same(const char *a, const char *b);

typedef enum Life {
    LIFE_UNSEEN, /* of another kernel, another namespace of processes, or one that is ending */
    LIFE_DEAD,
    LIFE_ALIVE
} Life;

/* What this kernel knows of it, as seen by `me`. */
Life holder_life(const Holder *holder, const Holder *me);

/* Whether both are of one kernel, whose locks both would see; of one namespace as well. */
bool holder_same_kernel(const Holder *a, const Holder *b);
bool holder_same_system(const Holder *a, const Holder *b);

/* Whether the same process has started both; they are of one system. */
bool holder_is_twin(const Holder *holder, const Holder *me);

#endif
