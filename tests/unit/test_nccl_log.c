/* nccl_log, nccl_told: what NCCL writes of its ways. The lines are those of real logs, one rank's
 * each, from the public threads of github.com named above them; made up is only what says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/preflight/preflight_internal.h"
#include "heard.h"

static void reads(const char *text, int rank, int size, NcclLog *log) {
    nccl_log_read(text, strlen(text), rank, size, log);
}

static void is_route(const NcclLog *log, int i, int to, const char *by, const char *device) {
    assert_int_equal(log->said, NCCL_ROUTES);
    assert_true(i < log->n);
    assert_int_equal(log->route[i].to, to);
    assert_string_equal(log->route[i].by, by);
    assert_string_equal(log->route[i].device, device);
}

/* NVIDIA/nccl #1189 (NCCL 2.19 or later: CUMEM; two hosts of two H20). */
static const char h20[] =
    "H20-GPU-06:4015540:4015653 [1] NCCL INFO Pattern 4, crossNic 1, nChannels 4, bw "
    "24.000000/24.000000, type NVL/PIX, sameChannels 0\n"
    "H20-GPU-06:4015540:4015653 [1] NCCL INFO  0 : NET/3 GPU/0 GPU/1 NET/2\n"
    "H20-GPU-06:4015540:4015653 [1] NCCL INFO Channel 00/0 : 1[1] -> 3[1] [receive] via "
    "NET/IB/2/GDRDMA\n"
    "H20-GPU-06:4015540:4015653 [1] NCCL INFO Channel 01/0 : 3[1] -> 1[1] [send] via "
    "NET/IB/2/GDRDMA\n"
    "H20-GPU-06:4015540:4015653 [1] NCCL INFO Channel 03/0 : 3[1] -> 1[1] [send] via "
    "NET/IB/2/GDRDMA\n"
    "H20-GPU-06:4015540:4015653 [1] NCCL INFO Channel 00/0 : 3[1] -> 2[0] via P2P/CUMEM\n";

static void between_hosts_by_infiniband(void **state) {
    (void)state;
    NcclLog log;
    reads(h20, 3, 4, &log);
    assert_int_equal(log.n, 2);
    is_route(&log, 0, 1, "NET/IB/GDRDMA", "");
    is_route(&log, 1, 2, "P2P/CUMEM", "");
    assert_string_equal(log.ring, "NVL");
    assert_int_equal(log.channels, 4);
    assert_true(log.rate == 24);
}

/* NCCL 2.4: Mellanox/nv_peer_memory #56 (2.4.7), NVIDIA/nccl #226. */
static void of_old(void **state) {
    (void)state;
    NcclLog log;
    reads("master_node:20:289 [0] NCCL INFO NET/Socket : Using [0]ib0:192.168.11.1<0>\n"
          "master_node:20:289 [0] NCCL INFO NET/IB : Using [0]mlx5_0:1/IB ; OOB "
          "ib0:192.168.11.1<0>\n"
          "NCCL version 2.4.7+cuda10.0\n"
          "ip-172-31-10-82:45236:45241 [0] NCCL INFO Ring 00 : 30 -> 28 [send] via NET/Socket/0\n",
          30, 64, &log);
    assert_int_equal(log.n, 1);
    is_route(&log, 0, 28, "NET/Socket", "ib0");
    assert_int_equal(log.channels, 0);
    /* The second adapter is named by a line as of NCCL 2.18's source; made up. */
    reads("n:1:2 [0] NCCL INFO NET/IB : Using [0]mlx5_0:1/IB [1]mlx5_3:2/RoCE [RO]; OOB "
          "ib0:10.0.0.1<0>\n"
          "n:1:2 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[0] [send] via NET/IB/1(4)/GDRDMA(PCI)\n",
          0, 8, &log);
    is_route(&log, 0, 1, "NET/IB/GDRDMA", "mlx5_3/2");
}

/* NVIDIA/nccl #622 (direct shared memory: up to 2.11), #1609 (SHM/direct/direct, later),
 * NVIDIA/nccl-tests #188 (IPC), #213 (direct pointer), #252 (a plugin). */
static void other_ways(void **state) {
    (void)state;
    static const struct {
        const char *line, *by;
        int rank, to;
    } cases[] = {
        {"machine2:206466:206505 [2] NCCL INFO Channel 01 : 2[86000] -> 3[af000] via direct shared "
         "memory\n",
         "SHM", 2, 3},
        {"tj5-sc-ai-h800r-dev01:533:1765 [2] NCCL INFO Channel 07 : 2[6] -> 3[7] via "
         "SHM/direct/direct\n",
         "SHM", 2, 3},
        {"user:169127:169179 [2] NCCL INFO Channel 00/0 : 10[51000] -> 11[57000] via "
         "P2P/IPC/read\n",
         "P2P/IPC", 10, 11},
        {"hw14:798:813 [3] NCCL INFO Channel 02/0 : 3[3] -> 4[4] via P2P/direct pointer\n",
         "P2P/direct pointer", 3, 4},
        {"kolyoz1:27225:27907 [3] NCCL INFO Channel 03/0 : 3[3] -> 7[3] [send] via "
         "NET/IBext_v8/3/GDRDMA\n",
         "NET/IBext_v8/GDRDMA", 3, 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        NcclLog log;
        reads(cases[i].line, cases[i].rank, 16, &log);
        assert_int_equal(log.n, 1);
        is_route(&log, 0, cases[i].to, cases[i].by, "");
    }
}

/* Made up: what no NCCL is known to write. */
static void what_is_not_known_is_strange(void **state) {
    (void)state;
    static const char *const lines[] = {
        "n:1:2 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] via WARP/7\n",
        "n:1:2 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] via P2P/WARP\n",
        "n:1:2 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] via SHM\n",
        "n:1:2 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] [send] via NET/IB/0/WARP\n",
        "n:1:2 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] [send] via NET/IB/\n",
        "n:1:2 [0] NCCL INFO Channel 00/0 : 0[0] -> 9[1] via P2P/CUMEM\n",
        "n:1:2 [0] NCCL INFO Channel 00/0 : 1[0] -> 0[1] via P2P/CUMEM\n",
        "n:1:2 [0] NCCL INFO Channel 00/0 : 0[0] => 1[1] via P2P/CUMEM\n",
        "n:1:2 [0] NCCL INFO Channel 00/0 : 0[0] -> 99999999999999999999[1] via P2P/CUMEM\n"};
    char text[512];
    NcclLog log;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        snprintf(text, sizeof text,
                 "n:1:2 [0] NCCL INFO Channel 01/0 : 0[0] -> 1[1] via P2P/CUMEM\n%s", lines[i]);
        reads(text, 0, 2, &log);
        if (log.said != NCCL_STRANGE)
            fail_msg("taken for known: %s", lines[i]);
    }
    reads("n:1:2 [0] NCCL INFO Link 0 => 1 over P2P\n", 0, 2, &log);
    assert_int_equal(log.said, NCCL_NOTHING);
    reads("", 0, 2, &log);
    assert_int_equal(log.said, NCCL_NOTHING);
}

/* Every cut and every changed byte of a log is read, within bounds, without a name that is none. */
static void any_bytes(void **state) {
    (void)state;
    size_t n = sizeof h20 - 1;
    for (size_t at = 0; at < n; at++) {
        static const char bytes[] = {'\0', '/', '[', ':', '9', '\n', (char)0xff, ' '};
        for (size_t b = 0; b <= sizeof bytes; b++) {
            NcclLog log;
            size_t size = b == sizeof bytes ? at : n;
            char *text = malloc(size + 1); /* its end is what a sanitizer watches */
            assert_non_null(text);
            memcpy(text, h20, size);
            if (b < sizeof bytes)
                text[at] = bytes[b];
            nccl_log_read(text, size, 3, 4, &log);
            assert_true(log.n >= 0 && log.n <= NCCL_ROUTES_MAX);
            for (int i = 0; i < log.n; i++)
                assert_true(log.route[i].to >= -1 && log.route[i].to < 4);
            free(text);
        }
    }
}

/* ---- what is said of it ---- */

static NcclTold told(const char *host, int rank, const char *lines) {
    NcclTold one;
    memset(&one, 0, sizeof one);
    one.ours = true;
    snprintf(one.host, sizeof one.host, "%s", host);
    reads(lines, rank, 4, &one.log);
    return one;
}

/* What print_nccl says, warnings included: text[HEARD_MAX]. */
static void said(const NcclTold *all, int n, char *text) {
    ReduceTime times[REDUCE_SIZES] = {{0}};
    Listening listening;
    for (int s = 0; s < REDUCE_SIZES; s++)
        times[s] = (ReduceTime){.bytes = 125000000, .seconds = 0.1};
    listen_to_output(&listening);
    print_nccl(all, n, "NCCL 2.28.9", times);
    heard_output(&listening, text);
}

#define LINE "n:1:2 [0] NCCL INFO "

static void ways_are_summed_up(void **state) {
    (void)state;
    char text[HEARD_MAX];
    const char *ib = LINE "NET/IB : Using [0]mlx5_0:1/IB [1]mlx5_1:1/IB ; OOB e:1.2.3.4<0>\n";
    char lines[4][400];
    for (int r = 0; r < 4; r++)
        snprintf(lines[r], sizeof lines[r], "%s" LINE "Channel 00/0 : %d[0] -> %d[0]%s\n", ib, r,
                 (r + 1) % 4, r % 2 ? " [send] via NET/IB/1/GDRDMA" : " via P2P/CUMEM/read");
    NcclTold all[] = {told("a", 0, lines[0]), told("a", 1, lines[1]), told("b", 2, lines[2]),
                      told("b", 3, lines[3])};
    said(all, 4, text);
    assert_string_equal(text, "  NCCL 2.28.9 says: 2 links by P2P/CUMEM inside hosts, 2 links by "
                              "NET/IB/GDRDMA (mlx5_1/1) between hosts\n");
    all[2].log.said = NCCL_STRANGE; /* one rank is enough to say nothing of any */
    said(all, 4, text);
    heard(text, "could not be told from what it wrote");
    assert_null(strstr(text, "P2P"));
    all[2].ours = false;
    all[2].users = true;
    said(all, 4, text);
    heard(text, "its own log says, since NCCL_DEBUG is set");
}

static void slow_ways_are_warned_of(void **state) {
    (void)state;
    char text[HEARD_MAX];
    const char *net = LINE "NET/Socket : Using [0]eth0:10.0.0.5<0>\n" LINE
                           "Channel 00/0 : 0[0] -> 1[0] [send] via NET/Socket/0\n";
    const char *back = LINE "Channel 00/0 : 1[0] -> 0[0] [send] via NET/Socket/0\n";
    NcclTold all[] = {told("a", 0, net), told("b", 1, back)};
    said(all, 2, text);
    heard(text, "2 links by NET/Socket (eth0) between hosts\n");
    assert_null(strstr(text, "warning"));
    snprintf(all[1].port, sizeof all[1].port, "mlx5_0/1 (100 Gb/s)");
    said(all, 2, text);
    heard(text, "warning: NCCL takes rank 1's sums over TCP/IP (NET/Socket), though mlx5_0/1 (100 "
                "Gb/s) of b is up");
    NcclTold one[] = {told("a", 0, LINE "Channel 00 : 0[0] -> 1[1] via SHM/direct/direct\n"),
                      told("a", 1, LINE "Channel 00 : 1[1] -> 0[0] via SHM/direct/direct\n")};
    said(one, 2, text);
    assert_string_equal(text, "  NCCL 2.28.9 says: 2 links by SHM inside hosts\n");
    one[1].within_reach = 1;
    said(one, 2, text);
    heard(text, "warning: NCCL takes rank 1's sums to 1 rank of a through the host's memory");
}

/* Two ranks that sum 125 MB in 0.1 s send 10 Gb/s each; 12 channels of 30 GB/s are 2880 Gb/s. */
static void rings_of_one_host(void **state) {
    (void)state;
    char text[HEARD_MAX];
    const char *rings =
        LINE "Pattern 4, crossNic 0, nChannels 12, bw 30.000000/30.000000, type "
             "NVL/PIX, sameChannels 1\n" LINE "Channel 00/0 : 0[0] -> 1[1] via P2P/CUMEM\n" LINE
             "Channel 00/0 : 1[1] -> 0[0] [receive] via NET/IB/0\n";
    NcclTold all[] = {told("a", 0, rings), told("a", 1, rings)};
    all[1] = all[0];
    all[1].log.route[0].to = 0;
    said(all, 2, text);
    heard(text,
          "  its rings take NVLink, by its own reckoning 2880 Gb/s: at best 10.00 Gb/s a rank "
          "went, 0 %\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(between_hosts_by_infiniband),
        cmocka_unit_test(of_old),
        cmocka_unit_test(other_ways),
        cmocka_unit_test(what_is_not_known_is_strange),
        cmocka_unit_test(any_bytes),
        cmocka_unit_test(ways_are_summed_up),
        cmocka_unit_test(slow_ways_are_warned_of),
        cmocka_unit_test(rings_of_one_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
