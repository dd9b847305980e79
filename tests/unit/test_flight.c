/* The flight recorder: the ring under several writers, and what records of ranks say together. The
 * records are made by hand: what a rank would have left in each case. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lockstep/comm.h"
#include "lockstep/flight.h"

enum { THREADS = 4, EACH = 5000 };

/* No thread is ever a ring behind another, as in the step loop. */
enum { TOGETHER = FLIGHT_ENTRIES / THREADS / 2 };
static pthread_barrier_t together;

static void *write_many(void *context) {
    Flight *flight = context;
    for (int i = 0; i < EACH; i++) {
        if (i % TOGETHER == 0)
            pthread_barrier_wait(&together);
        flight_end(
            flight,
            flight_begin(
                flight, (FlightEntry){.op = FLIGHT_FORWARD, .step = i, .bytes = i, .sequence = i}));
    }
    return NULL;
}

/* Each entry is one thread's whole: no field of another's. */
static void entries_are_whole(void **state) {
    (void)state;
    static FlightEntry entries[FLIGHT_ENTRIES];
    pthread_t thread[THREADS];
    Flight *flight;
    assert_int_equal(flight_open(&flight), ST_OK);
    assert_int_equal(flight_entries(flight, entries), 0);
    assert_int_equal(pthread_barrier_init(&together, NULL, THREADS), 0);
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&thread[t], NULL, write_many, flight), 0);
    for (int look = 0; look < 50; look++) {
        int n = flight_entries(flight, entries);
        for (int i = 0; i < n; i++) {
            assert_int_equal(entries[i].step, entries[i].bytes);
            assert_int_equal(entries[i].step, entries[i].sequence);
            assert_true(i == 0 || entries[i].order > entries[i - 1].order);
        }
    }
    for (int t = 0; t < THREADS; t++)
        pthread_join(thread[t], NULL);
    assert_int_equal(flight_entries(flight, entries), FLIGHT_ENTRIES);
    assert_int_equal(entries[FLIGHT_ENTRIES - 1].order, THREADS * EACH);
    for (int i = 0; i < FLIGHT_ENTRIES; i++)
        assert_true(entries[i].end >= entries[i].start);
    pthread_barrier_destroy(&together);
    flight_close(flight);
}

static void recent_ones_are_of_a_plane(void **state) {
    (void)state;
    FlightEntry entries[3];
    Flight *flight;
    assert_int_equal(flight_open(&flight), ST_OK);
    for (int i = 1; i <= 4; i++) {
        flight_begin(flight, (FlightEntry){.op = FLIGHT_BUCKET, .sequence = i});
        flight_begin(flight, (FlightEntry){.op = FLIGHT_BARRIER, .sequence = 10 + i});
        flight_begin(flight, (FlightEntry){.op = FLIGHT_BACKWARD});
    }
    assert_int_equal(flight_recent(flight, FLIGHT_DATA, entries, 3), 3);
    assert_int_equal(entries[0].sequence, 2);
    assert_int_equal(entries[2].sequence, 4);
    assert_int_equal(flight_recent(flight, FLIGHT_CONTROL, entries, 1), 1);
    assert_int_equal(entries[0].sequence, 14);
    flight_close(flight);
}

/* ---- verdicts ---- */

#define BUCKET(n, s, b, done)                                                                      \
    {                                                                                              \
        .order = (n), .op = FLIGHT_BUCKET, .sequence = (n), .step = (s), .bytes = 4096,            \
        .index = (b), .start = 100, .end = (done) ? 101 : 0                                        \
    }
#define AGREEMENT(n, s, done)                                                                      \
    {                                                                                              \
        .order = (n), .op = FLIGHT_AGREEMENT, .sequence = (n), .step = (s), .bytes = 8,            \
        .index = STAGE_CHECKPOINT, .start = 100, .end = (done) ? 101 : 0                           \
    }
#define WORK(o, s, i)                                                                              \
    { .order = 99, .op = (o), .step = (s), .index = (i), .start = 105 }

static FlightRecord record_of(int rank, FlightEntry *entry, int n) {
    FlightRecord record = {
        .present = n > 0, .rank = rank, .size = 4, .now = 135, .entry = entry, .n = n};
    snprintf(record.host, sizeof record.host, "n%d", rank);
    return record;
}

static void says(const FlightRecord *records, int n, const char *wanted) {
    char text[1024];
    flight_verdict(records, n, text, sizeof text);
    assert_string_equal(text, wanted);
}

static FlightEntry waiting[] = {BUCKET(6, 811, 0, true), BUCKET(7, 812, 2, false)};
static FlightEntry working[] = {BUCKET(6, 811, 0, true), WORK(FLIGHT_STAGE, 812, STAGE_COMPUTE),
                                WORK(FLIGHT_FORWARD, 812, 5)};

static void the_rank_that_is_behind_is_named(void **state) {
    (void)state;
    FlightRecord records[] = {record_of(0, waiting, 2), record_of(1, waiting, 2),
                              record_of(2, waiting, 2), record_of(3, working, 3)};
    says(records, 4,
         "rank 3 on n3: forward of step 812 (lane 5) since 30 s; 3 ranks wait in bucket 2 of step "
         "812");
    records[3] = record_of(3, NULL, 0);
    says(records, 4,
         "rank 3 on n3 left no record: killed, or its host is gone; 3 ranks wait in bucket 2 of "
         "step 812");
    /* Who left nothing may have been killed for another's hang. */
    records[1] = record_of(1, working, 3);
    says(records, 4,
         "rank 1 on n1: forward of step 812 (lane 5) since 30 s; 2 ranks wait in bucket 2 of step "
         "812");
    /* Clocks of hosts have nothing in common. */
    records[1] = record_of(1, waiting, 2);
    records[3] = record_of(3, working, 3);
    records[0].now = 1e6;
    records[3].now = 106;
    says(records, 4,
         "rank 3 on n3: forward of step 812 (lane 5) since 1 s; 3 ranks wait in bucket 2 of step "
         "812");
}

static void a_stopped_process_is_named(void **state) {
    (void)state;
    FlightRecord records[] = {record_of(0, waiting, 2), record_of(1, waiting, 2)};
    records[1].stood_s = 28;
    records[1].stood_until = 134.9;
    says(
        records, 2,
        "rank 1 on n1 did not run for 28 s (stopped, or suspended): waits in bucket 2 of step 812");
    records[1].stood_s = 15; /* on a busy machine; the others have waited for 35 s */
    says(records, 2, "all 2 ranks: waits in bucket 2 of step 812; no rank waits for another");
    records[1].stood_s = 28;
    records[1].stood_until = 10; /* that was long ago */
    says(records, 2, "all 2 ranks: waits in bucket 2 of step 812; no rank waits for another");
}

static void ranks_in_different_places(void **state) {
    (void)state;
    FlightEntry agreeing[] = {BUCKET(6, 811, 0, true), AGREEMENT(3, 811, false)};
    FlightRecord records[] = {record_of(0, agreeing, 2), record_of(1, waiting, 2),
                              record_of(2, agreeing, 2)};
    says(records, 3,
         "rank 1 on n1: waits in bucket 2 of step 812 since 35 s; 2 ranks wait in an agreement of "
         "step 811 (checkpoint)");
}

/* One has left a sum out and waits in what comes after it, the other one in the sum. */
static void a_sum_that_is_left_out_is_named(void **state) {
    (void)state;
    FlightEntry beyond[] = {BUCKET(6, 811, 0, true), AGREEMENT(3, 812, false)};
    FlightEntry summing[] = {AGREEMENT(2, 811, true), BUCKET(7, 812, 0, false)};
    FlightRecord records[] = {record_of(0, summing, 2), record_of(1, beyond, 2),
                              record_of(2, summing, 2)};
    char text[1024];
    const char *parted = "rank 1 on n1 came to an agreement of step 812 (checkpoint), 8 bytes, "
                         "where rank 0 on n0 and 1 more came to bucket 0 of step 812, 4096 bytes";
    assert_true(flight_mismatch(records, 3, text, sizeof text));
    assert_string_equal(text, parted);
    says(records, 2,
         "rank 1 on n1 came to an agreement of step 812 (checkpoint), 8 bytes, where rank 0 on n0 "
         "came to bucket 0 of step 812, 4096 bytes");
    /* No parting: it has been through the sum, the others have come as far, it does not wait, or
     * what it waits in may be made beside sums. */
    beyond[0].sequence = 7;
    beyond[0].step = 812;
    assert_false(flight_mismatch(records, 3, text, sizeof text));
    beyond[0] = (FlightEntry)BUCKET(6, 811, 0, true);
    summing[0] = (FlightEntry)AGREEMENT(3, 812, true);
    assert_false(flight_mismatch(records, 3, text, sizeof text));
    summing[0] = (FlightEntry)AGREEMENT(2, 811, true);
    beyond[1].end = 101;
    assert_false(flight_mismatch(records, 3, text, sizeof text));
    beyond[1].end = 0;
    beyond[1].index = STAGE_COMPUTE;
    assert_false(flight_mismatch(records, 3, text, sizeof text));
}

static void the_first_collective_that_differs_is_named(void **state) {
    (void)state;
    FlightEntry usual[] = {BUCKET(6, 811, 0, true), BUCKET(7, 812, 2, true),
                           BUCKET(8, 812, 1, false)};
    FlightEntry left_out[] = {BUCKET(6, 811, 0, true), BUCKET(7, 812, 1, true),
                              BUCKET(8, 812, 0, false)};
    FlightEntry later[] = {BUCKET(9, 812, 0, true)};
    FlightRecord records[] = {record_of(0, left_out, 3), record_of(1, usual, 3),
                              record_of(2, usual, 3), record_of(3, later, 1)};
    says(records, 4,
         "rank 0 on n0 came to bucket 1 of step 812, 4096 bytes, where rank 1 on n1 and 1 more "
         "came to bucket 2 of step 812, 4096 bytes");
    usual[1].bytes = left_out[1].bytes = 8192;
    left_out[1].index = 2;
    left_out[2].index = 1;
    records[3].n = 0;
    char text[1024];
    assert_false(flight_mismatch(records, 3, text, sizeof text));
    left_out[0].bytes = 5;
    assert_true(flight_mismatch(records, 3, text, sizeof text));
    assert_string_equal(text, "rank 0 on n0 came to bucket 0 of step 811, 5 bytes, where rank 1 on "
                              "n1 and 1 more came to bucket 0 of step 811, 4096 bytes");
}

static void ranks_are_listed(void **state) {
    (void)state;
    bool member[] = {true, true, false, true, true, true, false, true};
    char text[64];
    flight_ranks(member, 8, text, sizeof text);
    assert_string_equal(text, "0, 1, 3-5, 7");
    flight_ranks(member, 0, text, sizeof text);
    assert_string_equal(text, "");
}

/* ---- files ---- */

static void a_record_comes_back(void **state) {
    (void)state;
    char path[] = "/tmp/lockstep-flight-test-XXXXXX";
    const char hosts[4][FLIGHT_HOST_MAX] = {"n0", "n1", "n2", "n3"};
    char(*read_hosts)[FLIGHT_HOST_MAX];
    FlightRecord out = record_of(3, working, 3), in;
    snprintf(out.reason, sizeof out.reason, "rank 3 failed: 5 %% of it");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(flight_write(path, &out, "20261126T153201Z-1", hosts), ST_OK);
    assert_int_equal(flight_read(path, &in, &read_hosts), ST_OK);
    assert_int_equal(in.rank, 3);
    assert_int_equal(in.size, 4);
    assert_string_equal(in.host, "n3");
    assert_string_equal(in.reason, out.reason);
    assert_string_equal(read_hosts[2], "n2");
    assert_int_equal(in.n, 3);
    assert_int_equal(in.entry[2].op, FLIGHT_FORWARD);
    assert_int_equal(in.entry[2].step, 812);
    assert_int_equal(in.entry[2].index, 5);
    free(in.entry);
    free(read_hosts);
    /* Every shorter file is refused. */
    FILE *file = fopen(path, "r");
    char text[4096];
    size_t bytes = fread(text, 1, sizeof text, file);
    fclose(file);
    for (size_t n = 0; n < bytes - 1; n++) {
        file = fopen(path, "w");
        fwrite(text, 1, n, file);
        fclose(file);
        assert_int_equal(flight_read(path, &in, &read_hosts), ST_CHECKPOINT);
        free(in.entry);
        free(read_hosts);
        status_clear();
    }
    remove(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_whole),
        cmocka_unit_test(recent_ones_are_of_a_plane),
        cmocka_unit_test(the_rank_that_is_behind_is_named),
        cmocka_unit_test(a_stopped_process_is_named),
        cmocka_unit_test(ranks_in_different_places),
        cmocka_unit_test(a_sum_that_is_left_out_is_named),
        cmocka_unit_test(the_first_collective_that_differs_is_named),
        cmocka_unit_test(ranks_are_listed),
        cmocka_unit_test(a_record_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
