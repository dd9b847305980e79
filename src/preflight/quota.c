/* limits: quotas. See limits.h.
 *
 * A quota of a project, or of a directory (XFS, CephFS), is in what the file system says is free.
 * Those of users and groups are not: the kernel tells them of local disks alone. For others there
 * is a command of theirs, which is named, for to say nothing would be taken for no quota. */
#include "limits.h"

#include <stdio.h>
#include <string.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lockstep/file.h"

/* By f_type of statfs. */
static const struct {
    long type;
    const char *command;
} elsewhere[] = {
    {0x6969, "quota -s"},                  /* NFS */
    {0x0bd00bd0, "lfs quota -h"},          /* Lustre */
    {0x47504653, "mmlsquota"},             /* GPFS */
    {0x19830326, "beegfs-ctl --getquota"}, /* BeeGFS */
    {0xaad7aaea, "pan_quota"},             /* PanFS */
};

/* The block device that the file system of number `device` is on. */
static bool find_source(const char *root, dev_t device, char source[4096]) {
    char path[4096], line[3 * 4096];
    unsigned major_, minor_;
    bool found = false;
    snprintf(path, sizeof path, "%s/proc/self/mountinfo", root);
    FILE *file = file_open_stream(path);
    while (file && !found && fgets(line, sizeof line, file)) {
        const char *rest = strstr(line, " - ");
        found = rest && sscanf(line, "%*d %*d %u:%u", &major_, &minor_) == 2 &&
                makedev(major_, minor_) == device && sscanf(rest, " - %*s %4095s", source) == 1 &&
                source[0] == '/';
    }
    if (file)
        fclose(file);
    return found;
}

/* What the limits of one user or group leave, -1: none. */
static int64_t room_of(const char *source, int kind, unsigned id) {
    struct dqblk quota = {0};
    /* QCMD without its overflow: it shifts an int beyond its bits. */
    int command = (int)((unsigned)Q_GETQUOTA << SUBCMDSHIFT | ((unsigned)kind & SUBCMDMASK));
    if (quotactl(command, source, (int)id, (caddr_t)&quota) != 0)
        return -1;
    uint64_t blocks = quota.dqb_bhardlimit ? quota.dqb_bhardlimit : quota.dqb_bsoftlimit;
    if (blocks == 0)
        return -1;
    int64_t room = (int64_t)(blocks * 1024) - (int64_t)quota.dqb_curspace;
    return room > 0 ? room : 0;
}

Quota limits_quota(const char *root, const char *folder) {
    Quota quota = {.room = -1};
    struct stat info;
    struct statfs system;
    char source[4096];
    if (stat(folder, &info) != 0 || statfs(folder, &system) != 0)
        return quota;
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        if ((unsigned long)system.f_type == (unsigned long)elsewhere[i].type)
            quota.command = elsewhere[i].command;
    if (!find_source(root, info.st_dev, source))
        return quota;
    /* files get the folder's group where it is marked so, as shared ones are */
    unsigned group = info.st_mode & S_ISGID ? info.st_gid : getegid();
    int64_t user = room_of(source, USRQUOTA, geteuid()), shared = room_of(source, GRPQUOTA, group);
    quota.room = user < 0 || (shared >= 0 && shared < user) ? shared : user;
    return quota;
}
