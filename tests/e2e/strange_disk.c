/* strange_disk: a library for LD_PRELOAD after which every file system is of the kind of $DISK_TYPE
 * (f_type of statfs, hexadecimal). */
#define statfs hidden
#include <sys/statfs.h>
#undef statfs

#include <dlfcn.h>
#include <stdlib.h>

int statfs(const char *path, struct hidden *info);
int statfs(const char *path, struct hidden *info) {
    int (*real)(const char *, struct hidden *) = (__typeof__(real))dlsym(RTLD_NEXT, "statfs");
    int result = real(path, info);
    if (result == 0 && getenv("DISK_TYPE"))
        info->f_type = (__typeof__(info->f_type))strtoul(getenv("DISK_TYPE"), NULL, 16);
    return result;
}
