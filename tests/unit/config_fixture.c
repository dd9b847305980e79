/* config_fixture: see config_fixture.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_fixture.h"

enum { ARGS_MAX = 64 };

char folder[64];
char path[96];
RunConfig config;

void write_file(const char *text, size_t length) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* Loads `text` as a file, with flags given in one string, cut at blanks. */
Status load(const char *text, const char *flags) {
    char words[512];
    char *argv[ARGS_MAX] = {path};
    int argc = 1;
    write_file(text, strlen(text));
    snprintf(words, sizeof words, "%s", flags);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
        assert_in_range(argc, 1, ARGS_MAX - 1);
        argv[argc++] = word;
    }
    return config_load(argc, argv, &config);
}

void must_load(const char *text, const char *flags) {
    if (load(text, flags) != ST_OK)
        fail_msg("%s", status_message());
}

/* `message` may begin with PATH, which stands for the file's name. */
void assert_refused(Status status, const char *message) {
    char expected[STATUS_MESSAGE_MAX];
    bool has_path = strncmp(message, "PATH", 4) == 0;
    snprintf(expected, sizeof expected, "%s%s", has_path ? path : "", message + (has_path ? 4 : 0));
    assert_int_equal(status, ST_USAGE);
    assert_string_equal(status_message(), expected);
    status_clear();
}

int config_fixture_open(void **state) {
    (void)state;
    strcpy(folder, "/tmp/lockstep-config-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/small.yaml", folder);
    return 0;
}

/* A test that failed must not make the next ones fail. */
int config_fixture_each(void **state) {
    static const char *const variables[] = {
        "EPOCHS",       "BATCHSIZE", "XYZZY", "RESET", "SEED",   "KEEP",
        "OPTIMIZER_LR", "DROP_LAST", "DATA",  "OUT",   "RESUME", "CHECKPOINT_LOCAL"};
    (void)state;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "LOCKSTEP_%s", variables[i]);
        unsetenv(name);
    }
    status_clear();
    return 0;
}

int config_fixture_close(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}
