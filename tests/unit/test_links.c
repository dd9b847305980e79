/* links.h on a stand-in of sysfs: an Ethernet interface for management, InfiniBand with IP over it,
 * a second port that is down, a bridge of containers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lockstep/links.h"

static char root[128], table[160];

static void put(const char *file, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, file);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        (void)mkdir(path, 0777);
        *at = '/';
    }
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0 && fclose(out) == 0);
}

static int make(void **state) {
    (void)state;
    snprintf(root, sizeof root, "%s/test_links.XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(root))
        return -1;
    snprintf(table, sizeof table, "%s/dev", root);
    put("class/net/eno1/operstate", "up\n");
    put("class/net/eno1/speed", "1000\n");
    put("class/net/eno2/operstate", "down\n");
    put("class/net/eno2/speed", "25000\n");
    put("class/net/ib0/operstate", "up\n");
    put("class/net/ib0/speed", "100000\n");
    put("class/net/veth1/operstate", "up\n");
    put("class/net/veth1/speed", "-1\n");
    put("class/net/docker0/bridge/name", "docker0\n");
    put("class/infiniband/mlx5_0/ports/1/rate", "100 Gb/sec (4X EDR)\n");
    put("class/infiniband/mlx5_0/ports/1/state", "4: ACTIVE\n");
    put("class/infiniband/mlx5_1/ports/1/rate", "200 Gb/sec (4X HDR)\n");
    put("class/infiniband/mlx5_1/ports/1/state", "1: DOWN\n");
    put("class/infiniband/mlx5_1/ports/1/counters/port_xmit_data", "7\n");
    return 0;
}

static int delete (void **state) {
    (void)state;
    char command[192];
    snprintf(command, sizeof command, "rm -r '%s'", root);
    return system(command);
}

/* What interfaces and the port have sent, in bytes and words. */
static void sent(int eno1, int ib0, int docker0, int port, Links *links) {
    char text[1024];
    snprintf(text, sizeof text,
             "Inter-|   Receive                                                |  Transmit\n"
             " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n"
             "    lo: 99 1 0 0 0 0 0 0 99999999 1 0 0 0 0 0 0\n"
             "  eno1: 5 1 0 0 0 0 0 0 %d 1 0 0 0 0 0 0\n"
             "  eno2: 5 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0\n"
             "   ib0: 5 1 0 0 0 0 0 0 %d 1 0 0 0 0 0 0\n"
             " veth1: 5 1 0 0 0 0 0 0 3 1 0 0 0 0 0 0\n"
             "docker0:5 1 0 0 0 0 0 0 %d 1 0 0 0 0 0 0\n",
             eno1, ib0, docker0);
    put("dev", text);
    snprintf(text, sizeof text, "%d\n", port);
    put("class/infiniband/mlx5_0/ports/1/counters/port_xmit_data", text);
    links_read(root, table, links);
}

static const Link *named(const Links *links, const char *name) {
    for (int i = 0; i < links->n; i++) {
        if (strcmp(links->link[i].name, name) == 0)
            return &links->link[i];
    }
    return NULL;
}

static void speeds_and_counters_are_the_kernels(void **state) {
    (void)state;
    Links links;
    sent(100, 200, 300, 400, &links);
    assert_int_equal(links.n, 6);
    assert_null(named(&links, "lo"));
    assert_null(named(&links, "docker0"));
    assert_int_equal(named(&links, "eno1")->speed, 1000);
    assert_int_equal(named(&links, "eno1")->sent, 100);
    assert_int_equal(named(&links, "eno2")->speed, 0);
    assert_int_equal(named(&links, "veth1")->speed, 0);
    assert_int_equal(named(&links, "mlx5_0/1")->speed, 100000);
    assert_int_equal(named(&links, "mlx5_0/1")->sent, 1600);
    assert_true(named(&links, "mlx5_0/1")->port);
    assert_int_equal(named(&links, "mlx5_1/1")->speed, 0);
    assert_string_equal(links_fastest(&links)->name, "mlx5_0/1");
}

static void the_carrier_is_what_sent_most(void **state) {
    (void)state;
    Links before, now;
    sent(5000, 5000, 5000, 5000, &before);
    sent(1005000, 5500, 99995000, 5010, &now);
    assert_string_equal(links_carrier(&before, &now, 1000000)->name, "eno1");
    assert_null(links_carrier(&before, &now, 1000001));
    /* IP over InfiniBand counts twice, with the port's headers; what the port carries by itself,
     * once. */
    sent(5100, 1005000, 5000, 5000 + 275000, &now);
    assert_string_equal(links_carrier(&before, &now, 1000)->name, "ib0");
    sent(5100, 6000, 5000, 5000 + 250000, &now);
    assert_string_equal(links_carrier(&before, &now, 1000)->name, "mlx5_0/1");
}

static void nothing_to_read_is_no_link(void **state) {
    (void)state;
    Links links;
    links_read("/nowhere", "/nowhere", &links);
    assert_int_equal(links.n, 0);
    assert_null(links_fastest(&links));
    assert_null(links_carrier(&links, &links, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speeds_and_counters_are_the_kernels),
        cmocka_unit_test(the_carrier_is_what_sent_most),
        cmocka_unit_test(nothing_to_read_is_no_link),
    };
    return cmocka_run_group_tests(tests, make, delete);
}
