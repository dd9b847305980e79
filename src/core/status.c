/* status: the error record of each thread. See status.h. */
#include "lockstep/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local StatusRecord record;

Status status_fail(Status status, const char *file, int line, const char *format, ...) {
    if (record.status == ST_OK) {
        va_list arguments;
        record.status = status;
        va_start(arguments, format);
        vsnprintf(record.message, sizeof record.message, format, arguments);
        va_end(arguments);
        for (char *c = record.message; *c; c++) {
            if (*c == '\n')
                *c = ' ';
        }
    }
    status_trace(file, line);
    return status;
}

void status_trace(const char *file, int line) {
    size_t used = strlen(record.trace);
    snprintf(record.trace + used, sizeof record.trace - used, "%s%s:%d", used ? " < " : "", file,
             line);
}

void status_prefix(const char *format, ...) {
    char text[2 * STATUS_MESSAGE_MAX];
    va_list arguments;
    if (record.status == ST_OK)
        return;
    va_start(arguments, format);
    int used = vsnprintf(text, STATUS_MESSAGE_MAX, format, arguments);
    va_end(arguments);
    if (used < 0 || used >= STATUS_MESSAGE_MAX)
        return;
    snprintf(text + used, sizeof text - (size_t)used, ": %s", record.message);
    memcpy(record.message, text, STATUS_MESSAGE_MAX - 1);
    record.message[STATUS_MESSAGE_MAX - 1] = '\0';
}

void status_take(StatusRecord *out) {
    *out = record;
    status_clear();
}

Status status_put(const StatusRecord *in) {
    record = *in;
    return record.status;
}

void status_clear(void) {
    memset(&record, 0, sizeof record);
}

const char *status_message(void) {
    return record.message;
}

const char *status_trace_text(void) {
    return record.trace;
}

const char *status_word(Status status) {
    switch (status) {
    case ST_OK:
        return "ok";
    case ST_INTERNAL:
        return "internal";
    case ST_USAGE:
        return "usage";
    case ST_DATA:
        return "data";
    case ST_CHECKPOINT:
        return "checkpoint";
    case ST_DEVICE:
        return "device";
    case ST_COMM:
        return "communication";
    case ST_DEADLINE:
        return "deadline";
    case ST_DIVERGED:
        return "diverged";
    case ST_LOST:
        return "lost rank";
    case ST_STOPPED:
        return "stopped";
    }
    return "unknown";
}
