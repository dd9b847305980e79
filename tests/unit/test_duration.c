/* Durations as people write them, and back to text that reads the same. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lockstep/duration.h"

/* Slurm's forms as `man sbatch` has them under --time, but for minutes alone. */
static void both_manners(void **state) {
    static const struct {
        const char *text;
        double seconds;
    } good[] = {{"90s", 90},
                {"0s", 0},
                {"3h50m", 3 * 3600 + 50 * 60},
                {"1d12h30m5s", 86400 + 12 * 3600 + 30 * 60 + 5},
                {"1d5s", 86405},
                {"1.5h", 5400},
                {"0.25s", 0.25},
                {"100m", 6000},
                {"30:00", 1800},
                {"90:30", 5430},
                {"3:50:00", 13800},
                {"100:00:00", 360000},
                {"1-12", 129600},
                {"1-12:30", 131400},
                {"1-12:00:05", 129605}};
    static const char *const bad[] = {
        "",      "90",      "h",   "5 m",  "-5m",    "5m3h",   "3h3h", "1e3s",  "5M",
        "5min",  "1.h",     ".5h", "1:60", "1:2:60", "1:60:0", "1-24", "1-",    "-1:00",
        "1-2-3", "1:2:3:4", "1:",  ":1",   "1.5:00", "5m ",    "inf",  "1-12h", "none"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double seconds = -1;
        assert_int_equal(duration_parse(good[i].text, &seconds), PARSE_OK);
        if (seconds != good[i].seconds)
            fail_msg("%s: %.17g, not %.17g", good[i].text, seconds, good[i].seconds);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double seconds = -1;
        if (duration_parse(bad[i], &seconds) != PARSE_SYNTAX || seconds != -1)
            fail_msg("'%s' was read as %g", bad[i], seconds);
    }
}

static void text_reads_the_same(void **state) {
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0, "0s"},     {90, "1m30s"},          {13800, "3h50m"},
                 {86400, "1d"}, {864e6, "10000d"},      {131405, "1d12h30m5s"},
                 {1.5, "1.5s"}, {3600.125, "3600.125s"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[DURATION_TEXT_MAX];
        duration_text(cases[i].seconds, text);
        assert_string_equal(text, cases[i].text);
    }
    for (double seconds = 1; seconds < 1e9; seconds = seconds * 1.7 + 0.1) {
        char text[DURATION_TEXT_MAX];
        double back = -1;
        duration_text(seconds, text);
        assert_int_equal(duration_parse(text, &back), PARSE_OK);
        assert_true(back == seconds);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_manners),
        cmocka_unit_test(text_reads_the_same),
    };
    return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
