/* file_open opens regular files, and whatever else is there it refuses at once. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lockstep/file.h"

static char folder[] = "/tmp/lockstep-file-XXXXXX";

static const char *at(const char *name) {
    static char path[4][64];
    static int next;
    char *out = path[next++ % 4];
    snprintf(out, sizeof path[0], "%s/%s", folder, name);
    return out;
}

static int make(void **state) {
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!mkdtemp(folder) || mkfifo(at("fifo"), 0666) != 0 || mkdir(at("folder"), 0777) != 0 ||
        symlink("fifo", at("link-to-fifo")) != 0 || symlink("file", at("link-to-file")) != 0 ||
        symlink("/dev/zero", at("link-to-device")) != 0)
        return -1;
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", at("socket"));
    return bind(server, (struct sockaddr *)&address, sizeof address) == 0 ? close(server) : -1;
}

static int clear(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* A call that does not come back ends this program. */
static void what_is_no_file_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *name, *cause;
    } cases[] = {
        {"fifo", "it is not a regular file"},   {"link-to-fifo", "it is not a regular file"},
        {"socket", "it is not a regular file"}, {"link-to-device", "it is not a regular file"},
        {"folder", "Is a directory"},           {"missing", "No such file or directory"}};
    static const int flags[] = {O_RDONLY, O_WRONLY, O_RDWR, O_WRONLY | O_CREAT | O_TRUNC,
                                O_WRONLY | O_CREAT | O_APPEND};
    alarm(20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t f = 0; f < sizeof flags / sizeof *flags; f++) {
            if ((flags[f] & O_CREAT) && strcmp(cases[i].name, "missing") == 0)
                continue;
            errno = 0;
            assert_int_equal(file_open(at(cases[i].name), flags[f]), -1);
            assert_string_equal(file_cause(errno), cases[i].cause);
        }
        errno = 0;
        assert_null(file_open_stream(at(cases[i].name)));
        assert_string_equal(file_cause(errno), cases[i].cause);
    }
    alarm(0);
}

/* A process that waits for a reader of a FIFO goes on waiting. */
static void nor_is_it_opened(void **state) {
    (void)state;
    pid_t writer = fork();
    assert_true(writer >= 0);
    if (writer == 0) {
        alarm(60);
        _exit(open(at("fifo"), O_WRONLY) >= 0);
    }
    usleep(300000);
    assert_int_equal(file_open(at("fifo"), O_RDONLY), -1);
    assert_int_equal(file_open(at("fifo"), O_RDWR), -1);
    usleep(300000);
    assert_int_equal(waitpid(writer, NULL, WNOHANG), 0);
    kill(writer, SIGKILL);
    assert_int_equal(waitpid(writer, NULL, 0), writer);
}

static void files_are_opened(void **state) {
    (void)state;
    char text[16] = "";
    int fd = file_open(at("file"), O_WRONLY | O_CREAT | O_TRUNC);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(fd, "one\n", 4), 4);
    close(fd);
    fd = file_open(at("link-to-file"), O_WRONLY | O_CREAT | O_APPEND);
    assert_int_equal(write(fd, "two\n", 4), 4);
    close(fd);
    FILE *stream = file_open_stream(at("file"));
    assert_non_null(stream);
    assert_int_equal(fread(text, 1, sizeof text, stream), 8);
    assert_string_equal(text, "one\ntwo\n");
    fclose(stream);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(nor_is_it_opened),
        cmocka_unit_test(files_are_opened),
    };
    return cmocka_run_group_tests(tests, make, clear);
}
