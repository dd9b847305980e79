/* cuda/plan_file: see plan_file.h. */
#include "plan_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lockstep/file.h"

enum { FILE_BYTES_MAX = 64 << 20 };

#define BELOW "/lockstep/plans"

/* `folder` with its parents below `base`, which may be missing itself. */
static bool make_folders(char *folder, size_t base) {
    for (char *at = folder + base;; at++) {
        char was = *at;
        if (was != '/' && was != '\0')
            continue;
        *at = '\0';
        bool made = mkdir(folder, 0700) == 0 || errno == EEXIST;
        *at = was;
        if (!made || was == '\0')
            return made;
    }
}

void plan_folder(char folder[PLAN_FOLDER_MAX]) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = 0;
    folder[0] = '\0';
    if (cache && cache[0] == '/')
        length = snprintf(folder, PLAN_FOLDER_MAX, "%s" BELOW, cache);
    else if (home && home[0] == '/')
        length = snprintf(folder, PLAN_FOLDER_MAX, "%s/.cache" BELOW, home);
    if (length >= PLAN_FOLDER_MAX)
        folder[0] = '\0';
}

const char *plan_file_read(const char *path, char **text, size_t *bytes) {
    struct stat info;
    int fd = file_open(path, O_RDONLY);
    const char *wrong = NULL;
    *text = NULL;
    *bytes = 0;
    if (fd < 0)
        return file_cause(errno);
    if (fstat(fd, &info) != 0 || info.st_size > FILE_BYTES_MAX)
        wrong = "it is too large";
    else if (info.st_uid != geteuid() || info.st_mode & (S_IWGRP | S_IWOTH))
        wrong = "others may write it";
    if (!wrong)
        *text = calloc(1, (size_t)info.st_size + 1);
    if (*text) {
        ssize_t n = read(fd, *text, (size_t)info.st_size);
        *bytes = n > 0 ? (size_t)n : 0;
        futimens(fd, NULL); /* used now: plan_folder_trim */
    } else if (!wrong) {
        wrong = "out of memory";
    }
    close(fd);
    return wrong;
}

static int write_whole(const char *folder, const char *path, const char *text, size_t bytes) {
    char temporary[PLAN_PATH_MAX];
    snprintf(temporary, sizeof temporary, "%s/new-XXXXXX", folder);
    int fd = mkstemp(temporary); /* for its owner alone */
    if (fd < 0)
        return errno;
    int error = 0;
    for (size_t done = 0; done < bytes && !error;) {
        ssize_t n = write(fd, text + done, bytes - done);
        if (n < 0 && errno != EINTR)
            error = errno;
        done += n > 0 ? (size_t)n : 0;
    }
    if (close(fd) != 0 && !error)
        error = errno;
    if (!error && rename(temporary, path) != 0)
        error = errno;
    if (error)
        unlink(temporary);
    return error;
}

/* A file of the cache: one plan, or what a process that ended in the middle of one left. */
typedef struct CacheFile {
    struct timespec used;
    off_t bytes;
    char name[64];
} CacheFile;

static int by_use(const void *a, const void *b) {
    const struct timespec *s = &((const CacheFile *)a)->used, *t = &((const CacheFile *)b)->used;
    if (s->tv_sec != t->tv_sec)
        return s->tv_sec < t->tv_sec ? -1 : 1;
    return s->tv_nsec < t->tv_nsec ? -1 : s->tv_nsec > t->tv_nsec;
}

static bool is_ours(const char *name) {
    size_t length = strlen(name);
    return strncmp(name, "new-", 4) == 0 || (length > 5 && strcmp(name + length - 5, ".plan") == 0);
}

/* All of the folder's, by use; the caller frees them. NULL where there are none. */
static CacheFile *list_files(DIR *folder, int *n) {
    CacheFile *files = NULL;
    int room = 0;
    *n = 0;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        struct stat info;
        if (!is_ours(entry->d_name) || strlen(entry->d_name) >= sizeof files->name ||
            fstatat(dirfd(folder), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(info.st_mode))
            continue;
        if (*n == room) {
            room = 2 * room + 64;
            CacheFile *more = realloc(files, (size_t)room * sizeof *files);
            if (!more)
                break;
            files = more;
        }
        CacheFile *file = &files[(*n)++];
        *file = (CacheFile){.used = info.st_mtim, .bytes = info.st_size};
        snprintf(file->name, sizeof file->name, "%s", entry->d_name);
    }
    if (*n > 0)
        qsort(files, (size_t)*n, sizeof *files, by_use);
    return files;
}

int plan_folder_trim(const char *path, size_t most) {
    DIR *folder = opendir(path);
    int n = 0, removed = 0;
    size_t bytes = 0;
    if (!folder)
        return 0;
    CacheFile *files = list_files(folder, &n);
    for (int i = 0; i < n; i++)
        bytes += (size_t)files[i].bytes;
    for (int i = 0; i < n && bytes > most; i++) {
        bytes -= (size_t)files[i].bytes;
        removed += unlinkat(dirfd(folder), files[i].name, 0) == 0;
    }
    free(files);
    closedir(folder);
    return removed;
}

int plan_file_write(const char *folder, const char *path, const char *text, size_t bytes) {
    char own[PLAN_FOLDER_MAX];
    size_t base = strlen(folder) - strlen(BELOW);
    snprintf(own, sizeof own, "%s", folder);
    return make_folders(own, base) ? write_whole(folder, path, text, bytes) : errno;
}
