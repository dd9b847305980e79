/* Hints about cores: which ranks are bound to fewer than they could use, as told from sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/cores.h"

enum { RANKS_MAX = 8 };

#define UNBIND ": start mpirun with --bind-to none, or `. scripts/env.sh` before it"

static CoreShare shares[RANKS_MAX];

/* Cores `first` to `last`. */
static void set_cores(CoreSet *set, int first, int last) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    for (int c = first; c <= last; c++)
        CPU_SET(c, &cores);
    memcpy(set, &cores, sizeof cores);
}

/* Rank `r` on `host`, on cores `first` to `last` of `all` that its launcher has. */
static void rank(int r, const char *host, int threads, bool chosen, int first, int last, int all) {
    memset(&shares[r], 0, sizeof shares[r]);
    snprintf(shares[r].host, sizeof shares[r].host, "%s", host);
    shares[r].threads = shares[r].wanted = threads;
    shares[r].chosen = chosen;
    set_cores(&shares[r].own, first, last);
    set_cores(&shares[r].launcher, 0, all - 1);
}

static void expect(int size, const char *expected) {
    char hint[512] = "";
    int first = cores_hint(shares, size, hint, sizeof hint);
    assert_string_equal(hint, expected ? expected : "");
    assert_true((first >= 0) == (expected != NULL));
}

static void nothing_to_say(void **state) {
    (void)state;
    rank(0, "a", 2, false, 0, 1, 2); /* all cores */
    expect(1, NULL);
    rank(0, "a", 1, false, 0, 0, 2); /* bound, as many threads as it asked for */
    expect(1, NULL);
    rank(0, "a", 1, true, 0, 0, 2); /* each bound to its own */
    rank(1, "a", 1, true, 1, 1, 2);
    expect(2, NULL);
    for (int r = 0; r < 4; r++) /* more ranks than cores, unbound */
        rank(r, "a", 1, true, 0, 1, 2);
    expect(4, NULL);
    rank(0, "a", 2, true, 0, 4, 5); /* shared out with a rest */
    rank(1, "a", 2, true, 0, 4, 5);
    expect(2, NULL);
}

static void bound_with_too_many_threads(void **state) {
    (void)state;
    rank(0, "a", 2, false, 0, 0, 2);
    expect(1, "rank 0 on a is bound to 1 of 2 cores, for 2 threads" UNBIND);
    rank(0, "a", 4, false, 0, 3, 8);
    rank(1, "a", 5, false, 4, 7, 8);
    expect(2, "rank 1 on a is bound to 4 of 8 cores, for 5 threads" UNBIND);
}

static void several_on_one_core(void **state) {
    (void)state;
    rank(0, "a", 1, false, 0, 0, 2);
    rank(1, "b", 1, false, 0, 0, 2);
    expect(2, NULL);
    rank(1, "a", 1, false, 0, 0, 2);
    rank(2, "b", 1, false, 0, 0, 2);
    expect(3, "the 2 ranks on a are bound to 1 of 2 cores, for 2 threads" UNBIND);
    rank(0, "b", 1, false, 1, 1, 2); /* another host is the one */
    rank(1, "a", 1, false, 0, 0, 2);
    rank(2, "a", 1, false, 0, 0, 2);
    expect(3, "the 2 ranks on a are bound to 1 of 2 cores, for 2 threads" UNBIND);
}

static void idle_cores(void **state) {
    (void)state;
    rank(0, "a", 1, true, 0, 0, 2);
    expect(1, "the 1 rank on a is bound, so that --threads auto makes 1 thread of 2 cores" UNBIND);
    for (int r = 0; r < 4; r++) /* to a socket each, whose cores are shared out once more */
        rank(r, "a", 8, true, r % 2 * 32, r % 2 * 32 + 31, 64);
    expect(
        4,
        "the 4 ranks on a are bound, so that --threads auto makes 32 threads of 64 cores" UNBIND);
}

static void more_threads_than_cores(void **state) {
    (void)state;
    rank(0, "a", 3, false, 0, 1, 2);
    expect(1, "rank 0 on a has 3 threads for the 2 cores that it may use: give --threads 2, or "
              "more cores");
    rank(0, "a", 2, false, 0, 0, 1);
    expect(1, "rank 0 on a has 2 threads for the 1 core that it may use: give --threads 1, or "
              "more cores");
}

static void expect_idle(int size, int64_t lanes, int64_t batch, const char *expected) {
    char line[512] = "";
    bool idle = cores_idle(shares, size, lanes, batch, line, sizeof line);
    assert_string_equal(line, expected ? expected : "");
    assert_true(idle == (expected != NULL));
}

/* As if rank `r` had been given `wanted` threads for fewer lanes. */
static void few_lanes(int r, const char *host, int threads, int wanted, int first, int last) {
    rank(r, host, threads, true, first, last, 1);
    shares[r].launcher = shares[r].own;
    shares[r].wanted = wanted;
}

static void cores_without_a_lane(void **state) {
    (void)state;
    rank(0, "a", 2, true, 0, 1, 2);
    expect_idle(1, 8, 256, NULL);
    rank(0, "a", 1, true, 0, 3, 4); /* as many threads as it asked for */
    expect_idle(1, 8, 256, NULL);
    for (int r = 0; r < 8; r++) /* a node of 64, shared out to 8 ranks of a lane each */
        few_lanes(r, "a", 1, 8, 8 * r, 8 * r + 7);
    expect_idle(8, 8, 512,
                "56 of 64 cores stay idle: 8 lanes, and a lane is one thread's; --lanes 64 would "
                "use 64 (of a new run: lanes decide its bits)");
    for (int r = 0; r < 2; r++) /* two hosts, of the same numbers of cores */
        few_lanes(r, r ? "b" : "a", 4, 24, 0, 23);
    expect_idle(2, 8, 512,
                "40 of 48 cores stay idle: 8 lanes, and a lane is one thread's; --lanes 32 would "
                "use 32 (of a new run: lanes decide its bits)");
    few_lanes(0, "a", 8, 12, 0, 11);
    expect_idle(
        1, 8, 256,
        "4 of 12 cores stay idle: 8 lanes, and a lane is one thread's; no more lanes divide "
        "a batch of 256: --lanes 12 with --batch-size a multiple of it would use 12 (a new "
        "run's)");
    few_lanes(0, "a", 1, 2, 0, 1);
    expect_idle(
        1, 1, 16,
        "1 of 2 cores stays idle: 1 lane, and a lane is one thread's; --lanes 2 would use 2 "
        "(of a new run: lanes decide its bits)");
    few_lanes(0, "a", 2, 8, 0, 1); /* both cores are in use */
    expect_idle(1, 2, 16, NULL);
    memset(&shares[0].own, 0xff, sizeof shares[0].own); /* cores that the system does not tell */
    expect_idle(1, 2, 16, NULL);
}

/* Under srun each rank may have cores of its own, and no launcher says more. */
static void cores_of_all_ranks(void **state) {
    (void)state;
    for (int r = 0; r < 5; r++) {
        rank(r, r < 3 ? "a" : "b", 2, true, 2 * r, 2 * r + 1, 1);
        shares[r].launcher = shares[r].own;
    }
    assert_int_equal(cores_of_host(shares, 5, "a"), 6);
    assert_int_equal(cores_of_host(shares, 5, "b"), 4);
    assert_int_equal(cores_of_host(shares, 5, "c"), 0);
}

/* Without mpirun the process that started this one says nothing of what it could use. */
static void looks_at_this_process(void **state) {
    CoreShare share;
    cpu_set_t own, one;
    (void)state;
    unsetenv("OMPI_COMM_WORLD_SIZE");
    assert_int_equal(sched_getaffinity(0, sizeof own, &own), 0);
    int core = 0;
    while (!CPU_ISSET(core, &own))
        core++;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    cores_look("here", &share);
    assert_string_equal(share.host, "here");
    assert_memory_equal(&share.own, &one, sizeof one);
    assert_int_equal(cores_of_host(&share, 1, "here"), 1);
    setenv("OMPI_COMM_WORLD_SIZE", "1", 1);
    cores_look("here", &share);
    assert_memory_equal(&share.own, &one, sizeof one);
    assert_true(cores_of_host(&share, 1, "here") >=
                CPU_COUNT(&own)); /* the parent is not bound here */
    assert_int_equal(sched_setaffinity(0, sizeof own, &own), 0);
}

/* As many lanes side by side as there are, as cores are, as four, and as 512 images are. */
static void streams_of_an_accelerator(void **state) {
    (void)state;
    assert_int_equal(cores_streams(16, 8, 64), 4);
    assert_int_equal(cores_streams(16, 8, 128), 4);
    assert_int_equal(cores_streams(16, 8, 256), 2);
    assert_int_equal(cores_streams(16, 8, 257), 1);
    assert_int_equal(cores_streams(16, 8, 4096), 1);
    assert_int_equal(cores_streams(16, 3, 64), 3);
    assert_int_equal(cores_streams(16, 1, 512), 1);
    assert_int_equal(cores_streams(2, 8, 64), 2);
    assert_int_equal(cores_streams(0, 8, 64), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_to_say),
        cmocka_unit_test(bound_with_too_many_threads),
        cmocka_unit_test(several_on_one_core),
        cmocka_unit_test(idle_cores),
        cmocka_unit_test(more_threads_than_cores),
        cmocka_unit_test(cores_of_all_ranks),
        cmocka_unit_test(looks_at_this_process),
        cmocka_unit_test(cores_without_a_lane),
        cmocka_unit_test(streams_of_an_accelerator),
    };
    return cmocka_run_group_tests_name("cores", tests, NULL, NULL);
}
