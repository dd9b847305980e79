/* Progress: lines are plain text, the bar fits the width, redraws seldom and steps aside for logs.
 */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "io_fixture.h"
#include "lockstep/log.h"
#include "lockstep/progress.h"

static const ProgressState halfway = {.step = 50,
                                      .end_step = 100,
                                      .epoch = 3,
                                      .epochs = 10,
                                      .epoch_step = 5,
                                      .steps_per_epoch = 10,
                                      .loss = 1.23456,
                                      .accuracy = 0.5678,
                                      .lr = 0.04,
                                      .images_per_s = 5321,
                                      .eta_s = 125};

typedef struct Capture {
    Fixture fixture;
    int kept; /* the real stdout */
} Capture;

/* From here stdout goes to a file. */
static void capture_start(Capture *c) {
    fixture_open(&c->fixture, 1);
    fflush(stdout);
    c->kept = dup(STDOUT_FILENO);
    int fd = open(fixture_path(&c->fixture, "out"), O_CREAT | O_RDWR | O_APPEND, 0600);
    assert_true(fd >= 0 && c->kept >= 0);
    dup2(fd, STDOUT_FILENO);
    close(fd);
}

/* What was printed; the caller frees it. */
static char *capture_end(Capture *c) {
    size_t size;
    dup2(c->kept, STDOUT_FILENO);
    close(c->kept);
    char *text = fixture_load(fixture_path(&c->fixture, "out"), &size);
    fixture_close(&c->fixture);
    assert_int_equal(strlen(text), size);
    return text;
}

static void lines(void **state) {
    (void)state;
    Capture c;
    ProgressState s = halfway;
    capture_start(&c);
    Progress *p = progress_open(false, 0, false);
    progress_step(p, &s);
    progress_line(p, &s);
    s.eta_s = NAN;
    progress_line(p, &s);
    s.loss = s.accuracy = NAN;
    progress_line(p, &s);
    s.loss = halfway.loss, s.accuracy = halfway.accuracy;
    progress_close(p);
    p = progress_open(false, 0, true);
    s.eta_s = 3 * 3600 + 7 * 60 + 9;
    progress_line(p, &s);
    s.eta_s = 59.6;
    progress_line(p, &s);
    progress_close(p);
    char *text = capture_end(&c);
    assert_string_equal(
        text,
        "epoch 3/10  step 50/100  loss 1.2346  acc 56.78%  lr 0.04  5321 img/s  ETA 2m05s\n"
        "epoch 3/10  step 50/100  loss 1.2346  acc 56.78%  lr 0.04  5321 img/s  ETA ?\n"
        "epoch 3/10  step 50/100  no image counted  lr 0.04  5321 img/s  ETA ?\n"
        "[synthetic] epoch 3/10  step 50/100  loss 1.2346  acc 56.78%  lr 0.04  5321 img/s  ETA "
        "3h07m\n"
        "[synthetic] epoch 3/10  step 50/100  loss 1.2346  acc 56.78%  lr 0.04  5321 img/s  ETA "
        "1m00s\n");
    for (const char *at = text; *at; at++)
        assert_true(*at == '\n' || (*at >= 0x20 && *at < 0x7f));
    free(text);
}

/* The text after the last \r, without the erasing sequence: what the terminal shows. */
static void shown(char *text) {
    char *last = strrchr(text, '\r');
    char *end;
    assert_non_null(last);
    memmove(text, last + 1, strlen(last));
    end = strstr(text, "\033[K");
    assert_non_null(end);
    *end = '\0';
}

static void bar_fits(void **state) {
    (void)state;
    for (int64_t width = 20; width <= 200; width += 15) {
        Capture c;
        capture_start(&c);
        Progress *p = progress_open(true, width, true);
        progress_step(p, &halfway);
        progress_close(p);
        char *text = capture_end(&c);
        shown(text);
        assert_true((int64_t)strlen(text) <= width - 1);
        assert_int_equal(strncmp(text, "[synthetic] epoch 3", 19), 0);
        if (width > 120) {
            assert_non_null(strstr(text, "[###############...............]  50%"));
            assert_non_null(strstr(text, "ETA 2m05s"));
        }
        free(text);
    }
}

/* Full, and 100 %, is a bar at the end alone; and nothing of it is there before the first of its
 * places is done. */
static void bar_is_full_at_the_end(void **state) {
    (void)state;
    static const struct {
        int64_t step, end;
        const char *shown;
    } cases[] = {{1, 1000, "[..............................]   0%"},
                 {33, 1000, "[..............................]   3%"},
                 {34, 1000, "[#.............................]   3%"},
                 {999, 1000, "[#############################.]  99%"},
                 {1000, 1000, "[##############################] 100%"},
                 {1003, 1000, "[##############################] 100%"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Capture c;
        ProgressState s = halfway;
        s.step = cases[i].step;
        s.end_step = cases[i].end;
        capture_start(&c);
        Progress *p = progress_open(true, 200, false);
        progress_step(p, &s);
        progress_close(p);
        char *text = capture_end(&c);
        if (!strstr(text, cases[i].shown))
            fail_msg("no '%s' in '%s'", cases[i].shown, text);
        free(text);
    }
}

/* To the nearest second, minutes and hours cut off, and over each border in one piece. */
static void times_left(void **state) {
    (void)state;
    static const struct {
        double seconds;
        const char *shown;
    } cases[] = {{0, "ETA 0s\n"},          {0.4, "ETA 0s\n"},       {0.6, "ETA 1s\n"},
                 {59.4, "ETA 59s\n"},      {119.6, "ETA 2m00s\n"},  {3599.4, "ETA 59m59s\n"},
                 {3599.6, "ETA 1h00m\n"},  {7199, "ETA 1h59m\n"},   {86399.4, "ETA 23h59m\n"},
                 {86399.6, "ETA 1d00h\n"}, {100000, "ETA 1d03h\n"}, {-1, "ETA ?\n"},
                 {INFINITY, "ETA ?\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Capture c;
        ProgressState s = halfway;
        s.eta_s = cases[i].seconds;
        capture_start(&c);
        Progress *p = progress_open(false, 0, false);
        progress_line(p, &s);
        progress_close(p);
        char *text = capture_end(&c);
        if (!strstr(text, cases[i].shown))
            fail_msg("no '%s' in '%s'", cases[i].shown, text);
        free(text);
    }
}

static int count(const char *text, const char *part) {
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

static void bar_redraws_seldom(void **state) {
    (void)state;
    Capture c;
    ProgressState s = halfway;
    capture_start(&c);
    Progress *p = progress_open(true, 100, false);
    for (s.step = 1; s.step <= 99; s.step++)
        progress_step(p, &s);
    char *text = capture_end(&c);
    /* A hundred steps in an instant: the first, and one more if the machine was slow. */
    assert_in_range(count(text, "\r"), 1, 3);
    free(text);
    capture_start(&c);
    s.step = 100;
    progress_step(p, &s); /* the end is always shown */
    progress_close(p);
    text = capture_end(&c);
    assert_non_null(strstr(text, "100%"));
    assert_int_equal(text[strlen(text) - 1], '\n');
    free(text);
}

static void bar_steps_aside(void **state) {
    (void)state;
    Capture c;
    capture_start(&c);
    Progress *p = progress_open(true, 100, false);
    log_info("before the first drawing");
    progress_step(p, &halfway);
    log_info("hello");
    progress_line(p, &halfway); /* goes to log.txt alone */
    progress_close(p);
    log_info("after");
    char *text = capture_end(&c);
    assert_int_equal(strncmp(text, "before the first drawing\n\repoch", 31), 0);
    assert_non_null(strstr(text, "\r\033[Khello\n\repoch 3/10"));
    assert_int_equal(count(text, "loss"), 2);
    assert_non_null(strstr(text, "\033[K\nafter\n"));
    free(text);
}

static void nothing_where_closed(void **state) {
    (void)state;
    progress_step(NULL, &halfway);
    progress_line(NULL, &halfway);
    progress_close(NULL);
    Capture c;
    capture_start(&c);
    progress_close(progress_open(true, 80, false));
    char *text = capture_end(&c);
    assert_string_equal(text, "");
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(bar_fits),
        cmocka_unit_test(bar_is_full_at_the_end),
        cmocka_unit_test(times_left),
        cmocka_unit_test(bar_redraws_seldom),
        cmocka_unit_test(bar_steps_aside),
        cmocka_unit_test(nothing_where_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
