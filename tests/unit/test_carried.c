/* carried: what preflight says of the links that the sums went over, for each kind of host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/preflight/preflight_internal.h"
#include "heard.h"

static Link tcp(const char *name, int64_t speed) {
    Link link = {.speed = speed};
    snprintf(link.name, sizeof link.name, "%s", name);
    return link;
}

static Link port(const char *name, int64_t speed) {
    Link link = tcp(name, speed);
    link.port = true;
    return link;
}

static Carried on(const char *host, Link carrier, Link fastest) {
    Carried carried = {.carrier = carrier, .fastest = fastest};
    snprintf(carried.host, sizeof carried.host, "%s", host);
    return carried;
}

/* What print_carried says of `n` ranks, warnings included: text[HEARD_MAX]. 125 MB a rank in a
 * tenth of a second are 10 Gb/s. */
static void said(const Carried *all, int n, char *text) {
    ReduceTime times[REDUCE_SIZES] = {{.bytes = 8, .seconds = 1}};
    Session session = {.ranks = {.size = n}};
    Listening listening;
    for (int s = 1; s < REDUCE_SIZES; s++)
        times[s] = times[0];
    times[1] = (ReduceTime){.bytes = 125000000, .seconds = 0.1};
    listen_to_output(&listening);
    print_carried(&session, all, times);
    heard_output(&listening, text);
}

static void no_counter_says(void **state) {
    (void)state;
    char text[HEARD_MAX];
    Carried all[] = {on("n1", (Link){.speed = 0}, port("mlx5_0/1", 100000)),
                     on("n2", (Link){.speed = 0}, port("mlx5_0/1", 100000)),
                     on("n3", tcp("eth0", 1000), (Link){.speed = 0})};
    said(all, 3, text);
    heard(text,
          "  by which link of n1 and 1 more host the sums went, no counter of the kernel says\n");
    heard(text, "  the sums went over eth0 (1 Gb/s) of n3, at best ");
    assert_null(strstr(text, "n2"));
    assert_null(strstr(text, "has the network library lost it")); /* nobody knows that it has */
}

/* A port at the speed of the interface that the sums went over does without TCP/IP. */
static void a_port_as_fast_has_dropped_out(void **state) {
    (void)state;
    char text[HEARD_MAX];
    static const struct {
        int64_t carrier, fastest;
        bool carrier_port, fastest_port, warned;
    } cases[] = {{100000, 100000, false, true, true},   {100000, 100000, false, false, false},
                 {100000, 100000, true, true, false},   {100000, 56000, false, true, false},
                 {100000, 150000, false, false, false}, {100000, 200000, false, false, true},
                 {100000, 200000, true, true, true},    {100000, 0, false, true, false},
                 {0, 100000, false, true, true},        {0, 100000, false, false, false},
                 {0, 100000, true, true, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Link carrier = (cases[i].carrier_port ? port : tcp)("slow", cases[i].carrier);
        Link fastest = (cases[i].fastest_port ? port : tcp)("quick", cases[i].fastest);
        Carried all[] = {on("n1", carrier, fastest), on("n2", carrier, fastest)};
        said(all, 2, text);
        heard(text, "the sums went over slow");
        if (cases[i].warned)
            heard(text, "of n1 and 1 more host, and not by quick");
        else if (strstr(text, "not by"))
            fail_msg("case %zu: \"%s\"", i, text);
    }
}

static void one_host_needs_no_link(void **state) {
    (void)state;
    char text[HEARD_MAX];
    Carried all[] = {on("n1", tcp("eth0", 1000), port("mlx5_0/1", 100000)),
                     on("n1", tcp("eth0", 1000), port("mlx5_0/1", 100000))};
    said(all, 2, text);
    assert_string_equal(text, "");
}

/* The same link, which is not told to be another for its counters. */
static void the_share_of_the_link(void **state) {
    (void)state;
    char text[HEARD_MAX];
    Carried all[] = {on("n1", tcp("eth0", 100000), tcp("eth0", 100000)),
                     on("n2", tcp("eth0", 100000), tcp("eth0", 100000))};
    said(all, 2, text);
    /* Each of two ranks sends what it sums, once: 125 MB in 0.1 s. */
    heard(text,
          "over eth0 (100 Gb/s) of n1 and 1 more host, at best 10.00 Gb/s a rank, 10 % of the "
          "link\n");
    assert_null(strstr(text, "warning"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_counter_says),
        cmocka_unit_test(a_port_as_fast_has_dropped_out),
        cmocka_unit_test(one_host_needs_no_link),
        cmocka_unit_test(the_share_of_the_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
