/* sessions: see sessions.h. */
#include "lockstep/sessions.h"

#include <cJSON.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file_util.h"
#include "lockstep/clock.h"
#include "lockstep/config.h"
#include "lockstep/job.h"
#include "lockstep/text.h"

/* The words of this process's command line with blanks between, as far as they fit. */
static void command_line(char *words, size_t room) {
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, words, room - 1) : 0;
    if (fd >= 0)
        close(fd);
    n = n > 0 ? n : 0;
    while (n > 0 && words[n - 1] == '\0')
        n--;
    words[n] = '\0';
    for (ssize_t i = 0; i < n; i++)
        words[i] = words[i] == '\0' ? ' ' : words[i];
}

/* What the file holds, up to its last whole line; nothing where there is none. */
static Status load(const RunDir *dir, Text *text) {
    char path[4096], *bytes = NULL;
    size_t size = 0;
    TRY(file_join(dir->path, "sessions.jsonl", path));
    if (access(path, F_OK) != 0)
        return ST_OK;
    TRY(file_load(path, &bytes, &size));
    const char *end = memrchr(bytes, '\n', size);
    text_add_bytes(text, bytes, end ? (size_t)(end - bytes) + 1 : 0);
    free(bytes);
    return ST_OK;
}

static Status append(const RunDir *dir, cJSON *line) {
    Text text = {0};
    char *words = cJSON_PrintUnformatted(line), *bytes = NULL;
    size_t size;
    Status status = words ? ST_OK : FAIL(ST_INTERNAL, "out of memory for sessions.jsonl");
    if (status == ST_OK)
        status = load(dir, &text);
    if (status == ST_OK) {
        text_add(&text, "%s\n", words);
        status = text_take(&text, &bytes, &size);
    }
    if (status == ST_OK)
        status = rundir_replace(dir, "sessions.jsonl", bytes, size);
    text_free(&text);
    free(bytes);
    cJSON_free(words);
    cJSON_Delete(line);
    return status;
}

static cJSON *new_line(const char *kind, int64_t step) {
    char time[21];
    cJSON *line = cJSON_CreateObject();
    clock_iso8601(time);
    cJSON_AddStringToObject(line, "kind", kind);
    cJSON_AddStringToObject(line, "time", time);
    cJSON_AddNumberToObject(line, "step", (double)step);
    return line;
}

/* An object of lines KEY=VALUE. */
static void add_changes(cJSON *line, const char *changes) {
    cJSON *object = cJSON_AddObjectToObject(line, "changes");
    char key[128], value[CONFIG_CHANGES_MAX];
    while (*changes) {
        size_t length = strcspn(changes, "\n"), name = strcspn(changes, "=");
        snprintf(key, sizeof key, "%.*s", (int)name, changes);
        snprintf(value, sizeof value, "%.*s", (int)(length - name - 1), changes + name + 1);
        cJSON_AddStringToObject(object, key, value);
        changes += length + (changes[length] == '\n');
    }
}

Status sessions_start(const RunDir *dir, const SessionStart *start) {
    char command[4096];
    Job job = job_now();
    cJSON *line = new_line("start", start->step);
    command_line(command, sizeof command);
    cJSON_AddStringToObject(line, "host", start->host);
    cJSON_AddNumberToObject(line, "ranks", start->ranks);
    cJSON_AddNumberToObject(line, "threads", start->threads);
    cJSON_AddStringToObject(line, "device", start->device);
    cJSON_AddStringToObject(line, "libraries", start->libraries);
    cJSON_AddStringToObject(line, "version", start->version);
    if (job_known(&job))
        cJSON_AddStringToObject(line, "job", job.id);
    else
        cJSON_AddNullToObject(line, "job");
    cJSON_AddStringToObject(line, "recipe", start->recipe);
    add_changes(line, start->changes);
    cJSON_AddStringToObject(line, "command", command);
    return append(dir, line);
}

Status sessions_end(const RunDir *dir, int64_t step, const char *status) {
    cJSON *line = new_line("end", step);
    cJSON_AddStringToObject(line, "status", status);
    return append(dir, line);
}

Status sessions_lost(const RunDir *dir, const CommLoss *losses, int64_t n, int ranks) {
    for (int64_t i = 0; i < n; i++) {
        cJSON *line = new_line("lost", losses[i].step);
        cJSON_AddNumberToObject(line, "rank", losses[i].rank);
        cJSON_AddStringToObject(line, "host", losses[i].host);
        cJSON_AddNumberToObject(line, "ranks", ranks);
        TRY(append(dir, line));
    }
    return ST_OK;
}
