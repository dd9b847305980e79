/* What a host lets a job use, in trees that stand in for /proc and /sys, and with calls of the
 * system that answer as others' hosts do; and what preflight says of it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/preflight/limits.h"
#include "../../src/preflight/preflight_internal.h"
#include "lockstep/log.h"

static char root[] = "/tmp/lockstep-limits-XXXXXX";

/* What a file of the tree says; the folders above it are made. */
static void put(const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s%s", root, name);
    for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        assert_true(mkdir(path, 0777) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int begin(void **state) {
    (void)state;
    strcpy(root + strlen(root) - 6, "XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int end(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

#define SLURM "/system.slice/slurmstepd.scope/job_41"

static void memory_of_cgroup_2(void **state) {
    (void)state;
    assert_int_equal(limits_cgroup_memory(root), -1); /* no tree at all */
    put("/proc/self/cgroup", "0::" SLURM "/step_0/user/task_1\n");
    put("/proc/self/mountinfo",
        "24 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
        "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
    assert_int_equal(limits_cgroup_memory(root), -1);
    put("/sys/fs/cgroup" SLURM "/step_0/user/task_1/memory.max", "max\n");
    put("/sys/fs/cgroup" SLURM "/step_0/memory.max", "9000000000\n");
    put("/sys/fs/cgroup" SLURM "/memory.max", "8000000000\n"); /* the job has less than its step */
    put("/sys/fs/cgroup/system.slice/memory.max", "max\n");
    assert_int_equal(limits_cgroup_memory(root), 8000000000);
    put("/sys/fs/cgroup/memory.max", "7000000000\n");
    assert_int_equal(limits_cgroup_memory(root), 7000000000);
}

/* A container is shown its own group as the top, and perhaps a way to it that it cannot go. */
static void memory_in_a_container(void **state) {
    (void)state;
    put("/proc/self/mountinfo", "30 24 0:26 /docker/abc /cg ro - cgroup cgroup rw,cpuset,memory\n");
    put("/proc/self/cgroup", "5:cpu,cpuacct:/\n4:cpuset,memory:/docker/abc/run\n0::/\n");
    put("/cg/run/memory.limit_in_bytes", "9223372036854771712\n"); /* none, in version 1's words */
    put("/cg/memory.limit_in_bytes", "2147483648\n");
    put("/cg/docker/abc/memory.limit_in_bytes", "1\n"); /* another's of that name */
    assert_int_equal(limits_cgroup_memory(root), 2147483648);
    put("/proc/self/cgroup", "4:memory:/../../elsewhere\n");
    assert_int_equal(limits_cgroup_memory(root), 2147483648);
    put("/proc/self/cgroup", "4:memory_other:/run\n");
    assert_int_equal(limits_cgroup_memory(root), -1);
}

static void memory_of_slurm(void **state) {
    static const char *const names[] = {"SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU",
                                        "SLURM_CPUS_ON_NODE"};
    (void)state;
    for (int i = 0; i < 3; i++)
        unsetenv(names[i]);
    assert_int_equal(limits_slurm_memory(), -1);
    setenv("SLURM_MEM_PER_CPU", "2048", 1);
    setenv("SLURM_CPUS_ON_NODE", "16", 1);
    assert_int_equal(limits_slurm_memory(), INT64_C(32) << 30);
    setenv("SLURM_MEM_PER_NODE", "0", 1); /* --mem=0: all of the node */
    unsetenv("SLURM_MEM_PER_CPU");
    assert_int_equal(limits_slurm_memory(), -1);
    setenv("SLURM_MEM_PER_NODE", "1024", 1);
    assert_int_equal(limits_slurm_memory(), INT64_C(1) << 30);
    for (int i = 0; i < 3; i++)
        unsetenv(names[i]);
}

/* Four cores of two threads: 0 and 4, 1 and 5, ... */
static void two_threads_a_core(void) {
    char name[128], text[16];
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
                 i);
        snprintf(text, sizeof text, "%d,%d\n", i % 4, i % 4 + 4);
        put(name, text);
    }
}

static void cores_behind_threads(void **state) {
    (void)state;
    CoreSet threads = {{0xff}}, half = {{0x0f}}, upper = {{0xc0}};
    CoreSet cores = limits_cores(root, &threads); /* nothing is known */
    assert_int_equal(cores_count(&cores), 8);
    two_threads_a_core();
    cores = limits_cores(root, &threads);
    assert_int_equal(cores.bits[0], 0x0f);
    cores = limits_cores(root, &half);
    assert_int_equal(cores.bits[0], 0x0f);
    cores = limits_cores(root, &upper);
    assert_int_equal(cores.bits[0], 0x0c);
}

/* ---- quotas: take the place of the C library's ---- */

static long file_system = 0xef53; /* ext4 */
static uint64_t hard[2], soft[2], used[2];
static char asked[64];

int statfs(const char *path, struct statfs *info) {
    (void)path;
    memset(info, 0, sizeof *info);
    info->f_type = (__typeof__(info->f_type))file_system;
    return 0;
}

int quotactl(int command, const char *source, int id, caddr_t out) {
    int kind = command & 0xff;
    (void)id;
    snprintf(asked, sizeof asked, "%s", source);
    unsigned get = (unsigned)Q_GETQUOTA << 8; /* the kind is the low byte */
    if ((unsigned)command != (get | (unsigned)kind) || (!hard[kind] && !soft[kind])) {
        errno = ESRCH;
        return -1;
    }
    memset(out, 0, sizeof(struct dqblk));
    ((struct dqblk *)(void *)out)->dqb_bhardlimit = hard[kind];
    ((struct dqblk *)(void *)out)->dqb_bsoftlimit = soft[kind];
    ((struct dqblk *)(void *)out)->dqb_curspace = used[kind];
    return 0;
}

static void mounted_from(const char *source) {
    char line[256];
    struct stat info;
    assert_int_equal(stat(root, &info), 0);
    snprintf(line, sizeof line,
             "24 1 9999:1 / /other rw - ext4 /dev/other rw\n"
             "25 1 %u:%u / / rw,relatime shared:1 - ext4 %s rw\n",
             major(info.st_dev), minor(info.st_dev), source);
    put("/proc/self/mountinfo", line);
}

static void quotas(void **state) {
    (void)state;
    hard[USRQUOTA] = 1000000; /* KiB */
    used[USRQUOTA] = 24000000;
    assert_int_equal(limits_quota(root, root).room, -1); /* on no device that is known */
    mounted_from("overlay");
    assert_int_equal(limits_quota(root, root).room, -1);
    mounted_from("/dev/home");
    assert_int_equal(limits_quota(root, root).room, 1000000000);
    assert_string_equal(asked, "/dev/home");
    assert_null(limits_quota(root, root).command);
    soft[GRPQUOTA] = 1000; /* the group's is less */
    assert_int_equal(limits_quota(root, root).room, 1024000);
    used[GRPQUOTA] = 5000000; /* and more is used than it allows */
    assert_int_equal(limits_quota(root, root).room, 0);
    soft[GRPQUOTA] = hard[USRQUOTA] = 0;
    assert_int_equal(limits_quota(root, root).room, -1);
    assert_int_equal(limits_quota(root, "/nowhere").room, -1);
    file_system = 0x0bd00bd0; /* Lustre */
    assert_string_equal(limits_quota(root, root).command, "lfs quota -h");
    file_system = 0xef53;
}

/* ---- what is said of it ---- */

static Probe probes[4];

/* A rank of `threads` threads on the CPUs `all`, which are `cores`. */
static Probe *rank(int r, const char *host, int threads, unsigned long all, unsigned long cores) {
    Probe *p = &probes[r];
    memset(p, 0, sizeof *p);
    snprintf(p->host, sizeof p->host, "%s", host);
    p->share.threads = threads;
    p->share.own.bits[0] = all;
    p->cores.bits[0] = cores;
    p->sharing.others = -1;
    return p;
}

/* What `note` says of the first n ranks. */
static void expect(void (*note)(const Probe *probes, int size), int n, const char *line) {
    char path[128], text[2048] = "";
    snprintf(path, sizeof path, "%s/log", root);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
    log_to_file(fd, NULL, NULL);
    note(probes, n);
    log_to_file(-1, NULL, NULL);
    assert_true(pread(fd, text, sizeof text - 1, 0) >= 0);
    close(fd);
    if (line)
        assert_non_null(strstr(text, line));
    else
        assert_string_equal(text, "");
}

static void threads_on_half_cores(void **state) {
    (void)state;
    rank(0, "a", 4, 0xff, 0x0f);
    expect(note_threads, 1, NULL);
    rank(0, "a", 8, 0xff, 0xff); /* no hardware threads */
    expect(note_threads, 1, NULL);
    Probe *p = rank(0, "a", 8, 0xff, 0x0f);
    expect(note_threads, 1, "a computes with 8 threads on 4 cores of 2 hardware threads each");
    expect(note_threads, 1, "--hint=nomultithread, or --threads 4");
    strcpy(p->hint, "multithread"); /* wanted so */
    expect(note_threads, 1, NULL);
    strcpy(p->hint, "nomultithread");
    expect(note_threads, 1, "SLURM_HINT=nomultithread is set, and did not keep them off");
    p = rank(0, "a", 9, 0xff, 0x0f); /* of which note_cores speaks */
    expect(note_threads, 1, NULL);
    rank(0, "a", 4, 0x33, 0x03); /* two ranks, of two cores each */
    rank(1, "a", 4, 0xcc, 0x0c);
    rank(2, "b", 2, 0x0f, 0x0f);
    expect(note_threads, 3, "a computes with 8 threads on 4 cores of 2 hardware threads each");
    expect(note_threads, 3, "or --threads 2");
    for (int r = 0; r < 2; r++)
        probes[r].gpu = true; /* which computes */
    expect(note_threads, 3, NULL);
}

static void gpus_of_others(void **state) {
    (void)state;
    Probe *p = rank(0, "a", 1, 1, 1);
    p->gpu = true;
    expect(note_gpu_sharing, 1, NULL);
    p->sharing.others = 0;
    expect(note_gpu_sharing, 1, NULL);
    p->sharing.others = 2;
    expect(note_gpu_sharing, 1, "rank 0 on a shares its GPU with 2 other processes");
    p->sharing.others = 1;
    expect(note_gpu_sharing, 1, "rank 0 on a shares its GPU with 1 other process that");
    p->sharing.others = 0;
    p->sharing.mig = true;
    expect(note_gpu_sharing, 1, "rank 0 on a has a part of a GPU (MIG)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(memory_of_cgroup_2, begin, end),
        cmocka_unit_test_setup_teardown(memory_in_a_container, begin, end),
        cmocka_unit_test(memory_of_slurm),
        cmocka_unit_test_setup_teardown(cores_behind_threads, begin, end),
        cmocka_unit_test_setup_teardown(quotas, begin, end),
        cmocka_unit_test_setup_teardown(threads_on_half_cores, begin, end),
        cmocka_unit_test_setup_teardown(gpus_of_others, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
