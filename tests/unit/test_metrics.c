/* metrics.jsonl: valid lines, numbers that read back, the cut at resume, a disk that fails;
 * result.json.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cJSON.h>
#include <cmocka.h>

#include "../../src/io/event_file.h"
#include "io_fixture.h"
#include "lockstep/metrics.h"

/* Take the place of the C library's: a disk that does not take the next `sync_failures` fsyncs, a
 * process that can open no more files to append to. */
static int sync_failures;
static bool no_more_files;
int fsync(int fd) {
    if (sync_failures > 0) {
        sync_failures--;
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (no_more_files && (flags & O_APPEND)) {
        errno = EMFILE;
        return -1;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static TrainMetrics sample(int64_t step) {
    return (TrainMetrics){.dataset = "cifar10",
                          .step = step,
                          .epoch = (double)step / 3,
                          .loss = 2.3025850929940455,
                          .accuracy = 0.1,
                          .lr = 1e-3 / 7,
                          .grad_norm = -1,
                          .images = 512,
                          .images_per_s = 1234.5678,
                          .times = {{[PHASE_DATA] = 0.001, [PHASE_FORWARD] = 0.5}},
                          .memory = 1 << 30,
                          .ranks = 4,
                          .threads = 2,
                          .host = "no\"de\\1"};
}

static void lines_read_back(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    Metrics *metrics;
    size_t size;
    fixture_open(&f, 1);
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    assert_int_equal(metrics_open(&dir, 0, NULL, 0, NULL, &metrics), ST_OK);
    TrainMetrics train = sample(1);
    assert_int_equal(metrics_train(metrics, &train), ST_OK);
    train.loss = NAN;
    train.grad_norm = INFINITY;
    train.images_per_s = NAN;
    assert_int_equal(metrics_train(metrics, &train), ST_OK);
    EvalMetrics eval = {.dataset = "synthetic",
                        .step = 1,
                        .epoch = 1,
                        .split = "test",
                        .loss = 1.0 / 3,
                        .accuracy = 0.7,
                        .train_loss = -1,
                        .images = 10000,
                        .wall_s = 2.5,
                        .best = true};
    assert_int_equal(metrics_eval(metrics, &eval), ST_OK);
    assert_int_equal(metrics_sync(metrics), ST_OK);
    metrics_close(metrics);
    rundir_close(&dir);
    char *text = fixture_load(fixture_path(&f, "metrics.jsonl"), &size);
    char *rest = NULL;
    cJSON *line = cJSON_Parse(strtok_r(text, "\n", &rest));
    assert_true(cJSON_GetObjectItem(line, "loss")->valuedouble == 2.3025850929940455);
    assert_true(cJSON_GetObjectItem(line, "epoch")->valuedouble == 1.0 / 3);
    assert_true(cJSON_GetObjectItem(line, "lr")->valuedouble == 1e-3 / 7);
    assert_null(cJSON_GetObjectItem(line, "grad_norm"));
    assert_string_equal(cJSON_GetObjectItem(line, "host")->valuestring, "no\"de\\1");
    assert_string_equal(cJSON_GetObjectItem(line, "dataset")->valuestring, "cifar10");
    assert_true(cJSON_GetObjectItem(cJSON_GetObjectItem(line, "times"), "forward")->valuedouble ==
                0.5);
    cJSON_Delete(line);
    line = cJSON_Parse(strtok_r(NULL, "\n", &rest));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(line, "loss")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(line, "grad_norm")));
    cJSON_Delete(line);
    char *last = strtok_r(NULL, "\n", &rest);
    assert_non_null(strstr(last, "{\"kind\":\"eval\",\"dataset\":\"synthetic\",\"step\":1,"));
    assert_non_null(strstr(last, "\"accuracy\":0.7,"));
    line = cJSON_Parse(last);
    assert_true(cJSON_GetObjectItem(line, "loss")->valuedouble == 1.0 / 3);
    assert_null(cJSON_GetObjectItem(line, "train_loss"));
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(line, "best")));
    cJSON_Delete(line);
    free(text);
    fixture_close(&f);
}

/* Everything from "times" on may differ between runs of the same bits, nothing before it. */
static void volatile_fields_stand_last(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    Metrics *metrics;
    size_t size;
    fixture_open(&f, 1);
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    assert_int_equal(metrics_open(&dir, 0, NULL, 0, NULL, &metrics), ST_OK);
    TrainMetrics a = sample(8), b = sample(8);
    b.images_per_s = 1;
    b.times.seconds[PHASE_BACKWARD] = 3;
    b.memory = 5;
    b.ranks = 1;
    b.threads = 1;
    b.host = "other";
    assert_int_equal(metrics_train(metrics, &a), ST_OK);
    assert_int_equal(metrics_train(metrics, &b), ST_OK);
    metrics_close(metrics);
    rundir_close(&dir);
    char *text = fixture_load(fixture_path(&f, "metrics.jsonl"), &size);
    char *second = strchr(text, '\n') + 1;
    size_t same = 0;
    while (text[same] == second[same])
        same++;
    assert_true(same >= (size_t)(strstr(text, ",\"times\":") - text));
    free(text);
    fixture_close(&f);
}

static void check_cut(const char *before, int64_t step, const char *after) {
    Fixture f;
    RunDir dir;
    Metrics *metrics;
    size_t size;
    fixture_open(&f, 1);
    fixture_save(fixture_path(&f, "owner"), "", 0); /* a run has been there */
    fixture_save(fixture_path(&f, "metrics.jsonl"), before, strlen(before));
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    assert_int_equal(metrics_open(&dir, step, NULL, 0, NULL, &metrics), ST_OK);
    assert_int_equal(write(dir.metrics_fd, "next\n", 5), 5);
    metrics_close(metrics);
    rundir_close(&dir);
    char *text = fixture_load(fixture_path(&f, "metrics.jsonl"), &size);
    assert_int_equal(size, strlen(after) + 5);
    assert_memory_equal(text, after, strlen(after));
    assert_false(fixture_exists(&f, "metrics.jsonl.tmp"));
    free(text);
    fixture_close(&f);
}

#define T(n) "{\"kind\":\"train\",\"step\":" #n "}\n"
#define E(n) "{\"kind\":\"eval\",\"step\":" #n "}\n"

static void cut_back(void **state) {
    (void)state;
    check_cut(T(1) T(2) E(2) T(3) E(4), 2, T(1) T(2) E(2));
    check_cut(T(1) T(2), 2, T(1) T(2));
    check_cut(T(1) T(2), 0, "");
    check_cut("", 5, "");
    check_cut(T(1) "{\"kind\":\"train\",\"st", 5, T(1));
    check_cut(T(1) "{\"step\":2}", 5, T(1)); /* whole, but its newline is not there */
    check_cut(T(1) "rubbish\n\n[1]\n{\"step\":\"2\"}\n{}\n" T(2), 5, T(1) T(2));
}

#define EVAL(n, split) "{\"kind\":\"eval\",\"step\":" #n ",\"split\":\"" split "\"}\n"
#define PUT_BACK(n)                                                                                \
    "{\"kind\":\"eval\",\"dataset\":\"cifar10\",\"step\":" #n ",\"epoch\":" #n                     \
    ",\"split\":\"test\",\"loss\":0.5,\"accuracy\":0.25,\"train_loss\":0.75,"                      \
    "\"train_accuracy\":0.125,\"images\":64,\"best\":false,"                                       \
    "\"times\":{\"at\":null,\"wall_s\":null}}\n"

/* What the history knows and the file lacks stands where it would have stood. */
static void evaluations_are_put_back(void **state) {
    (void)state;
    static const struct {
        const char *before, *after;
    } cases[] = {{T(1) T(2) EVAL(2, "test") T(3) T(4) EVAL(4, "test"),
                  T(1) T(2) EVAL(2, "test") T(3) T(4) EVAL(4, "test")},
                 {T(1) T(2) T(3) T(4), T(1) T(2) PUT_BACK(2) T(3) T(4) PUT_BACK(4)},
                 {T(2) EVAL(2, "holdout") T(3) EVAL(4, "test") T(5),
                  T(2) EVAL(2, "holdout") PUT_BACK(2) T(3) EVAL(4, "test")},
                 {T(3) "{\"kind\":\"eval\",\"step\":4,\"spl", PUT_BACK(2) T(3) PUT_BACK(4)},
                 {NULL, PUT_BACK(2) PUT_BACK(4)}};
    EvalMetrics known[2];
    for (int i = 0; i < 2; i++)
        known[i] = (EvalMetrics){.dataset = "cifar10",
                                 .step = 2 * i + 2,
                                 .epoch = 2 * i + 2,
                                 .split = "test",
                                 .loss = 0.5,
                                 .accuracy = 0.25,
                                 .train_loss = 0.75,
                                 .train_accuracy = 0.125,
                                 .images = 64,
                                 .wall_s = NAN};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const char *before = cases[i / 2].before;
        Fixture f;
        RunDir dir;
        Metrics *metrics;
        size_t size;
        fixture_open(&f, 1);
        fixture_save(fixture_path(&f, "owner"), "", 0); /* a run has been there */
        if (before)
            fixture_save(fixture_path(&f, "metrics.jsonl"), before, strlen(before));
        assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
        if (i % 2 == 0) {
            assert_int_equal(metrics_open(&dir, 4, known, 2, NULL, &metrics), ST_OK);
            metrics_close(metrics);
        } else {
            assert_int_equal(metrics_mend(&dir, 4, known, 2), ST_OK);
        }
        rundir_close(&dir);
        char *text = fixture_load(fixture_path(&f, "metrics.jsonl"), &size);
        assert_string_equal(text, cases[i / 2].after);
        free(text);
        fixture_close(&f);
    }
}

/* A process that was cut off may still hold the file open: it must not reach the new one's. */
static void begun_as_a_new_file(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    Metrics *metrics;
    size_t size;
    fixture_open(&f, 1);
    fixture_save(fixture_path(&f, "owner"), "", 0); /* a run has been there */
    fixture_save(fixture_path(&f, "metrics.jsonl"), T(1) T(2), strlen(T(1) T(2)));
    int old = open(fixture_path(&f, "metrics.jsonl"), O_WRONLY | O_APPEND);
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    assert_int_equal(metrics_open(&dir, 2, NULL, 0, NULL, &metrics), ST_OK);
    assert_int_equal(write(old, T(3), strlen(T(3))), strlen(T(3)));
    char *text = fixture_load(fixture_path(&f, "metrics.jsonl"), &size);
    assert_string_equal(text, T(1) T(2));
    free(text);
    close(old);
    metrics_close(metrics);
    rundir_close(&dir);
    fixture_close(&f);
}

/* A disk that has failed is given a new file. Where that cannot be opened yet, lines go on to be
 * written and none is lost; the next time it is. */
static void a_new_file_that_cannot_be_opened(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    Metrics *metrics;
    size_t size;
    fixture_open(&f, 1);
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    assert_int_equal(metrics_open(&dir, 0, NULL, 0, NULL, &metrics), ST_OK);
    for (int64_t step = 1; step <= 4; step++) {
        TrainMetrics train = sample(step);
        assert_int_equal(metrics_train(metrics, &train), ST_OK);
        sync_failures = step == 2;
        no_more_files = step == 3;
        if (step == 2)
            fixture_refused(metrics_sync(metrics), "cannot be made durable: Input/output error");
        else if (step == 3)
            fixture_refused(metrics_sync(metrics), "cannot be opened: Too many open files");
        else
            assert_int_equal(metrics_sync(metrics), ST_OK);
    }
    TrainMetrics train = sample(5);
    assert_int_equal(metrics_train(metrics, &train), ST_OK);
    metrics_close(metrics);
    rundir_close(&dir);
    char *text = fixture_load(fixture_path(&f, "metrics.jsonl"), &size), *rest = NULL;
    char *at = strtok_r(text, "\n", &rest);
    for (int step = 1; step <= 5; step++, at = strtok_r(NULL, "\n", &rest)) {
        cJSON *line = cJSON_Parse(at);
        assert_int_equal(cJSON_GetObjectItem(line, "step")->valueint, step);
        cJSON_Delete(line);
    }
    assert_null(at);
    free(text);
    fixture_close(&f);
}

/* Nothing is written once the directory is another process's. */
static void not_where_the_directory_is_lost(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    Metrics *metrics, *refused = NULL;
    size_t size;
    fixture_open(&f, 1);
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    assert_int_equal(metrics_open(&dir, 0, NULL, 0, NULL, &metrics), ST_OK);
    fixture_save(fixture_path(&f, "owner"), "", 0);
    TrainMetrics train = sample(1);
    EvalMetrics eval = {.dataset = "cifar10", .step = 1, .split = "test"};
    RunResult r = {.device = "cpu",
                   .dataset = "cifar10",
                   .git = "0",
                   .selected_on = "test",
                   .status = "finished"};
    fixture_refused(metrics_train(metrics, &train), "owner is gone");
    fixture_refused(metrics_eval(metrics, &eval), "owner is gone");
    fixture_refused(metrics_result(&dir, &r), "owner is gone");
    fixture_refused(metrics_open(&dir, 0, NULL, 0, NULL, &refused), "owner is gone");
    metrics_close(refused);
    assert_false(fixture_exists(&f, "result.json"));
    char *text = fixture_load(fixture_path(&f, "metrics.jsonl"), &size);
    assert_int_equal(size, 0);
    free(text);
    metrics_close(metrics);
    rundir_close(&dir);
    fixture_close(&f);
}

/* The value that the standard gives for the nine digits (RFC 3720, B.4 has more). */
static void crc_of_castagnoli(void **state) {
    (void)state;
    static const unsigned char zeros[32];
    assert_int_equal(crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(zeros, sizeof zeros), 0x8a9136aa);
}

/* The bytes of a record's event, as its length and its checksums say; moves *at behind it. */
static const uint8_t *take_record(const uint8_t **at, const uint8_t *end, size_t *size) {
    uint64_t length;
    uint32_t sums[2], want[2];
    assert_true(end - *at >= 16);
    memcpy(&length, *at, 8);
    memcpy(&sums[0], *at + 8, 4);
    assert_true(length <= (uint64_t)(end - *at) - 16);
    memcpy(&sums[1], *at + 12 + length, 4);
    want[0] = crc32c(&length, 8);
    want[1] = crc32c(*at + 12, length);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sums[i], (want[i] >> 15 | want[i] << 17) + 0xa282ead8);
    const uint8_t *event = *at + 12;
    *size = length;
    *at += 16 + length;
    return event;
}

/* A picture is a record like others, though it is written from where it lies. */
static void a_picture_is_a_record(void **state) {
    (void)state;
    /* As protobuf's own library has it: step 7, tag "t", height 3, width 2, RGB, and two bytes. */
    static const uint8_t want[] = {0x10, 7, 0x2a, 17, 0x0a, 15, 0x0a, 1, 't',  0x22, 10,
                                   0x08, 3, 0x10, 2,  0x18, 3,  0x22, 2, 0xff, 0};
    static uint8_t bytes[4096];
    char path[] = "/tmp/lockstep-events-XXXXXX";
    EventFile file = {.fd = -1};
    size_t size;
    close(mkstemp(path));
    unlink(path);
    assert_int_equal(event_file_create(path, &file), ST_OK);
    BoardImage image = {.tag = "t", .w = 2, .h = 3, .bytes = 2, .png = "\xff"};
    event_scalar(&file, "a", 1);
    assert_int_equal(event_file_write(&file, 6), ST_OK);
    assert_int_equal(event_image(&file, 7, &image), ST_OK);
    event_scalar(&file, "a", 1);
    assert_int_equal(event_file_write(&file, 8), ST_OK);
    event_file_close(&file);
    int fd = open(path, O_RDONLY);
    const uint8_t *at = bytes, *end = bytes + read(fd, bytes, sizeof bytes);
    close(fd);
    unlink(path);
    take_record(&at, end, &size);
    take_record(&at, end, &size);
    const uint8_t *event = take_record(&at, end, &size);
    assert_int_equal(size, 9 + sizeof want); /* the time stands first */
    assert_memory_equal(event + 9, want, sizeof want);
    take_record(&at, end, &size);
    assert_true(at == end);
}

static void result(void **state) {
    (void)state;
    Fixture f;
    RunDir dir;
    size_t size;
    fixture_open(&f, 1);
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    enum { CLASSES = 12 };
    /* of class 2 one image was taken for a class, one for none */
    static const int64_t class_images[CLASSES] = {[2] = 5};
    static const int64_t confusion[CLASSES][CLASSES] = {[2] = {[2] = 3, [5] = 1}};
    static const char *const names[CLASSES] = {"a", "b", "\"c\"", "d", "e", "f",
                                               "g", "h", "i",     "j", "k", "l"};
    RunResult r = {.state_hash = 0xabc,
                   .samples = {.known = true, .from = 7, .all = 0xdef},
                   .bad_steps = {.skipped = 3, .rollbacks = 2, .lr_factor = 0.25},
                   .test_accuracy = 0.7123,
                   .test_loss = NAN,
                   .epoch = 3,
                   .step = 300,
                   .images_per_s = 100,
                   .wall_s = 2,
                   .train_s = 1.5,
                   .plan_s = 0.25,
                   .plans_made = 3,
                   .plans_taken = 40,
                   .ranks = 4,
                   .lanes = 8,
                   .device = "cpu",
                   .dataset = "synthetic",
                   .git = "abc",
                   .resumed_from = -1,
                   .parameters = 89614,
                   .best_accuracy = 0.72,
                   .best_step = 200,
                   .selected_on = "holdout",
                   .image = {1, 3, 32, 30},
                   .classes = CLASSES,
                   .class_names = names,
                   .class_images = class_images,
                   .confusion = confusion[0],
                   .status = "finished"};
    assert_int_equal(metrics_result(&dir, &r), ST_OK);
    char *text = fixture_load(fixture_path(&f, "result.json"), &size);
    cJSON *o = cJSON_Parse(text);
    assert_non_null(o);
    assert_string_equal(cJSON_GetObjectItem(o, "state_hash")->valuestring, "0000000000000abc");
    assert_string_equal(cJSON_GetObjectItem(o, "samples_hash")->valuestring, "0000000000000def");
    assert_int_equal(cJSON_GetObjectItem(o, "samples_from")->valueint, 7);
    assert_int_equal(cJSON_GetObjectItem(o, "skipped_steps")->valueint, 3);
    assert_int_equal(cJSON_GetObjectItem(o, "rollbacks")->valueint, 2);
    assert_true(cJSON_GetObjectItem(o, "lr_factor")->valuedouble == 0.25);
    assert_true(cJSON_GetObjectItem(o, "test_accuracy")->valuedouble == 0.7123);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(o, "test_loss")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(o, "resumed_from")));
    assert_int_equal(cJSON_GetObjectItem(o, "best_step")->valueint, 200);
    assert_true(cJSON_GetObjectItem(o, "train_s")->valuedouble == 1.5);
    assert_true(cJSON_GetObjectItem(o, "plan_s")->valuedouble == 0.25);
    assert_int_equal(cJSON_GetObjectItem(o, "plans_made")->valueint, 3);
    assert_int_equal(cJSON_GetObjectItem(o, "plans_taken")->valueint, 40);
    cJSON *row = cJSON_GetArrayItem(cJSON_GetObjectItem(o, "confusion"), 2);
    assert_int_equal(cJSON_GetArrayItem(row, 5)->valueint, 1);
    assert_true(cJSON_GetArrayItem(cJSON_GetObjectItem(o, "class_accuracy"), 2)->valuedouble ==
                0.6);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(o, "confusion")), CLASSES);
    assert_int_equal(cJSON_GetArraySize(row), CLASSES);
    assert_true(cJSON_IsNull(cJSON_GetArrayItem(cJSON_GetObjectItem(o, "class_accuracy"), 1)));
    static const char *const keys[] = {
        "epoch",   "step", "images_per_s", "wall_s",     "ranks",       "lanes", "device",
        "dataset", "git",  "status",       "parameters", "selected_on", "times", "best_accuracy"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_non_null(cJSON_GetObjectItem(o, keys[i]));
    const cJSON *told = cJSON_GetObjectItem(o, "class_names");
    assert_int_equal(cJSON_GetArraySize(told), CLASSES);
    assert_string_equal(cJSON_GetArrayItem(told, 2)->valuestring, "\"c\"");
    assert_int_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(o, "image"), 2)->valueint, 30);
    cJSON_Delete(o);
    free(text);
    r.resumed_from = 200;
    assert_int_equal(metrics_result(&dir, &r), ST_OK);
    text = fixture_load(fixture_path(&f, "result.json"), &size);
    assert_non_null(strstr(text, "\"resumed_from\":\t200"));
    assert_false(fixture_exists(&f, "result.json.tmp"));
    free(text);
    rundir_close(&dir);
    fixture_close(&f);
}

/* Of more than 100 classes there is no matrix, but an accuracy of each. */
static void result_of_many_classes(void **state) {
    (void)state;
    enum { CLASSES = 101 };
    Fixture f;
    RunDir dir;
    size_t size;
    char text[CLASSES][8];
    const char *names[CLASSES];
    int64_t class_images[CLASSES] = {[100] = 4};
    static int64_t confusion[CLASSES][CLASSES] = {[100] = {[100] = 1, [3] = 3}};
    for (int i = 0; i < CLASSES; i++) {
        snprintf(text[i], sizeof text[i], "%d", i);
        names[i] = text[i];
    }
    fixture_open(&f, 1);
    assert_int_equal(rundir_open(f.folder, &dir), ST_OK);
    RunResult r = {.device = "cpu",
                   .dataset = "own",
                   .git = "",
                   .tta = "none",
                   .selected_on = "test",
                   .status = "finished",
                   .image = {1, 1, 28, 28},
                   .classes = CLASSES,
                   .class_names = names,
                   .class_images = class_images,
                   .confusion = confusion[0]};
    assert_int_equal(metrics_result(&dir, &r), ST_OK);
    char *json = fixture_load(fixture_path(&f, "result.json"), &size);
    cJSON *o = cJSON_Parse(json);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(o, "confusion")));
    const cJSON *accuracy = cJSON_GetObjectItem(o, "class_accuracy");
    assert_int_equal(cJSON_GetArraySize(accuracy), CLASSES);
    assert_true(cJSON_GetArrayItem(accuracy, 100)->valuedouble == 0.25);
    cJSON_Delete(o);
    free(json);
    rundir_close(&dir);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_read_back),
        cmocka_unit_test(volatile_fields_stand_last),
        cmocka_unit_test(cut_back),
        cmocka_unit_test(evaluations_are_put_back),
        cmocka_unit_test(crc_of_castagnoli),
        cmocka_unit_test(a_picture_is_a_record),
        cmocka_unit_test(begun_as_a_new_file),
        cmocka_unit_test(a_new_file_that_cannot_be_opened),
        cmocka_unit_test(not_where_the_directory_is_lost),
        cmocka_unit_test(result),
        cmocka_unit_test(result_of_many_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
