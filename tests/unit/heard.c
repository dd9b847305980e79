/* heard: see heard.h. */
#include "heard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void listen_to_output(Listening *listening) {
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    fflush(stdout);
    for (int fd = 0; fd < 2; fd++) {
        listening->saved[fd] = dup(fd + 1);
        assert_int_equal(dup2(pipes[1], fd + 1), fd + 1);
    }
    close(pipes[1]);
    listening->end = pipes[0];
}

void heard_output(Listening *listening, char *text) {
    ssize_t size = 0;
    fflush(stdout);
    for (int fd = 0; fd < 2; fd++) {
        dup2(listening->saved[fd], fd + 1);
        close(listening->saved[fd]);
    }
    for (ssize_t got;
         (got = read(listening->end, text + size, (size_t)(HEARD_MAX - 1 - size))) > 0;)
        size += got;
    text[size] = '\0';
    close(listening->end);
}

void heard(const char *text, const char *part) {
    if (!strstr(text, part))
        fail_msg("\"%s\" lacks \"%s\"", text, part);
}
