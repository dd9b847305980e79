/* limits: memory and cores. See limits.h. */
#include "limits.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/file.h"

enum { PATH_BYTES = 4096 };

/* ---- memory ---- */

/* A hierarchy of control groups: where it is mounted, what of it, and where in it this process is.
 */
typedef struct Hierarchy {
    char mount[PATH_BYTES], top[PATH_BYTES], group[PATH_BYTES];
} Hierarchy;

static bool has_word(const char *list, const char *word) {
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += length) {
        if ((at == list || at[-1] == ',') && strchr(",\n", at[length]))
            return true;
    }
    return false;
}

/* "4:memory:/job_7" or, of version 2, "0::/job_7". */
static bool find_group(const char *root, bool second, char group[PATH_BYTES]) {
    char path[PATH_BYTES], line[2 * PATH_BYTES];
    bool found = false;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = file_open_stream(path);
    while (file && !found && fgets(line, sizeof line, file)) {
        char *list = strchr(line, ':'), *where = list ? strchr(list + 1, ':') : NULL;
        if (!where)
            continue;
        *where++ = '\0';
        where[strcspn(where, "\n")] = '\0';
        found = second ? strncmp(line, "0:", 2) == 0 && !list[1] : has_word(list + 1, "memory");
        if (found)
            snprintf(group, PATH_BYTES, "%s", where);
    }
    if (file)
        fclose(file);
    return found;
}

/* "36 25 0:31 TOP MOUNT rw,... - cgroup cgroup rw,memory" */
static bool find_mount(const char *root, bool second, Hierarchy *hierarchy) {
    char path[PATH_BYTES], line[3 * PATH_BYTES], type[64], options[PATH_BYTES];
    bool found = false;
    snprintf(path, sizeof path, "%s/proc/self/mountinfo", root);
    FILE *file = file_open_stream(path);
    while (file && !found && fgets(line, sizeof line, file)) {
        const char *rest = strstr(line, " - ");
        found = rest && sscanf(rest, " - %63s %*s %4095s", type, options) == 2 &&
                sscanf(line, "%*d %*d %*s %4095s %4095s", hierarchy->top, hierarchy->mount) == 2 &&
                (second ? strcmp(type, "cgroup2") == 0
                        : strcmp(type, "cgroup") == 0 && has_word(options, "memory"));
    }
    if (file)
        fclose(file);
    return found;
}

/* A number of bytes in a file; -1: there is none, or none that means anything. */
static int64_t read_limit(const char *path) {
    long long bytes = -1;
    FILE *file = file_open_stream(path);
    if (!file)
        return -1;
    int n = fscanf(file, "%lld", &bytes); /* not "max" */
    fclose(file);
    return n == 1 && bytes >= 0 && bytes < INT64_C(1) << 60 ? bytes : -1;
}

static int64_t lesser(int64_t a, int64_t b) {
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* From the process's group up to the top that is mounted. */
static int64_t limit_of(const char *root, bool second) {
    Hierarchy *hierarchy = calloc(1, sizeof *hierarchy);
    int64_t limit = -1;
    if (hierarchy && find_group(root, second, hierarchy->group) &&
        find_mount(root, second, hierarchy)) {
        char path[3 * PATH_BYTES], *group = hierarchy->group;
        size_t above = strcmp(hierarchy->top, "/") == 0 ? 0 : strlen(hierarchy->top);
        if (strncmp(group, hierarchy->top, above) == 0)
            group += above;
        if (strncmp(group, "/..", 3) == 0) /* outside of what a container is shown */
            *group = '\0';
        for (;;) {
            snprintf(path, sizeof path, "%s%s%s/%s", root, hierarchy->mount, group,
                     second ? "memory.max" : "memory.limit_in_bytes");
            limit = lesser(limit, read_limit(path));
            char *last = strrchr(group, '/');
            if (!last)
                break;
            *last = '\0';
        }
    }
    free(hierarchy);
    return limit;
}

int64_t limits_cgroup_memory(const char *root) {
    return lesser(limit_of(root, false), limit_of(root, true));
}

static int64_t number_of(const char *variable) {
    const char *text = getenv(variable);
    return text && *text ? strtoll(text, NULL, 10) : 0;
}

int64_t limits_slurm_memory(void) {
    enum { MIB = 1 << 20 };
    int64_t node = number_of("SLURM_MEM_PER_NODE");
    int64_t all =
        node > 0 ? node : number_of("SLURM_MEM_PER_CPU") * number_of("SLURM_CPUS_ON_NODE");
    return all > 0 ? all * MIB : -1;
}

/* ---- cores ---- */

/* The lowest number in "3,11" or "3-4"; -1: the system does not say. */
static int first_sibling(const char *root, int thread) {
    char path[PATH_BYTES];
    int first;
    snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
             root, thread);
    FILE *file = file_open_stream(path);
    if (!file)
        return -1;
    if (fscanf(file, "%d", &first) != 1 || first >= CPU_SETSIZE)
        first = -1;
    fclose(file);
    return first;
}

CoreSet limits_cores(const char *root, const CoreSet *threads) {
    cpu_set_t all, cores;
    CoreSet out;
    memcpy(&all, threads, sizeof all);
    CPU_ZERO(&cores);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        int first = CPU_ISSET(i, &all) ? first_sibling(root, i) : 0;
        if (CPU_ISSET(i, &all))
            CPU_SET(first < 0 ? i : first, &cores);
    }
    memcpy(&out, &cores, sizeof out);
    return out;
}
