/* Preloaded into ranks: kills one (SIGKILL) at a call that it makes.
 *
 * KILLS is a list of RANK@PLACE, with blanks between; RANK as the launcher numbers them, PLACE one
 * of
 *   collective:N    before the Nth collective of MPI that the rank begins
 *   begun:N         right after it has begun that one
 *   count:N         before a sum of N elements
 *   rename:TEXT     before a file is renamed whose new name has TEXT in it
 *   open:TEXT       before a file is opened for reading whose name has TEXT in it */
#include <dlfcn.h>
#include <fcntl.h>
#include <mpi.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_long collectives;

static int own_rank(void) {
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    return rank ? atoi(rank) : -1;
}

/* Whether KILLS has WHAT:VALUE for this rank; of a file VALUE may be a part of its name. */
static bool is_due(const char *what, const char *value) {
    char list[512], *rest = NULL;
    snprintf(list, sizeof list, "%s", getenv("KILLS") ? getenv("KILLS") : "");
    for (char *word = strtok_r(list, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *place = strchr(word, '@'), *text = place ? strchr(place, ':') : NULL;
        if (!text || atoi(word) != own_rank())
            continue;
        *text++ = '\0';
        bool part = strcmp(what, "rename") == 0 || strcmp(what, "open") == 0;
        if (strcmp(place + 1, what) == 0 &&
            (part ? strstr(value, text) != NULL : strcmp(value, text) == 0))
            return true;
    }
    return false;
}

static void die_if_due(const char *what, const char *value) {
    if (is_due(what, value))
        raise(SIGKILL);
}

static void before(long *number, int count) {
    char text[32];
    *number = atomic_fetch_add(&collectives, 1) + 1;
    snprintf(text, sizeof text, "%ld", *number);
    die_if_due("collective", text);
    snprintf(text, sizeof text, "%d", count);
    die_if_due("count", text);
}

static int after(long number, int result) {
    char text[32];
    snprintf(text, sizeof text, "%ld", number);
    die_if_due("begun", text);
    return result;
}

int MPI_Ibarrier(MPI_Comm comm, MPI_Request *request) {
    long number;
    before(&number, -1);
    return after(number, PMPI_Ibarrier(comm, request));
}

int MPI_Ibcast(void *data, int count, MPI_Datatype type, int root, MPI_Comm comm,
               MPI_Request *request) {
    long number;
    before(&number, -1);
    return after(number, PMPI_Ibcast(data, count, type, root, comm, request));
}

int MPI_Iallgather(const void *from, int count, MPI_Datatype type, void *to, int to_count,
                   MPI_Datatype to_type, MPI_Comm comm, MPI_Request *request) {
    long number;
    before(&number, -1);
    return after(number, PMPI_Iallgather(from, count, type, to, to_count, to_type, comm, request));
}

int MPI_Iallreduce(const void *from, void *to, int count, MPI_Datatype type, MPI_Op op,
                   MPI_Comm comm, MPI_Request *request) {
    long number;
    before(&number, count);
    return after(number, PMPI_Iallreduce(from, to, count, type, op, comm, request));
}

int rename(const char *from, const char *to) {
    int (*next)(const char *, const char *) =
        (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    die_if_due("rename", to);
    return next(from, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to,
              unsigned int flags) {
    int (*next)(int, const char *, int, const char *, unsigned int) =
        (int (*)(int, const char *, int, const char *, unsigned int))dlsym(RTLD_NEXT, "renameat2");
    die_if_due("rename", to);
    return next(from_folder, from, to_folder, to, flags);
}

int open(const char *path, int flags, ...) {
    int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if ((flags & O_ACCMODE) == O_RDONLY)
        die_if_due("open", path);
    return next(path, flags, mode);
}
