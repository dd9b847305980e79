/* place: --out and --runs-dir, or by the configuration's name; and names that hold the time. See
 * place.h. */
#include "place.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Conversions of strftime that make a name of digits and letters, or - and : between them. */
static const char conversions[] = "YmdHMSjyFTsbBaAuVG";

/* How `%` itself is written. */
static Status add_escaped(const char *text, char out[CONFIG_PATH_MAX]) {
    size_t n = strlen(out);
    for (; *text; text++) {
        if (n + 3 > CONFIG_PATH_MAX)
            return FAIL(ST_USAGE, "--out: the path is longer than %d bytes", CONFIG_PATH_MAX - 1);
        if (*text == '%')
            out[n++] = '%';
        out[n++] = *text;
        out[n] = '\0';
    }
    return ST_OK;
}

/* The folder of a configuration that a run has written, wherever that was copied to. */
static bool is_in_run(const RunConfig *config, char folder[CONFIG_PATH_MAX]) {
    char owner[CONFIG_PATH_MAX];
    const char *slash = strrchr(config->file, '/');
    snprintf(folder, CONFIG_PATH_MAX, "%.*s", slash ? (int)(slash - config->file) : 1,
             slash ? config->file : ".");
    return snprintf(owner, sizeof owner, "%s/owner", folder) < (int)sizeof owner &&
           strcmp(slash ? slash + 1 : config->file, "config.yaml") == 0 && access(owner, F_OK) == 0;
}

static Status check_pattern(const char *out) {
    for (const char *c = strchr(out, '%'); c; c = strchr(c + 2, '%')) {
        if (c[1] && (c[1] == '%' || strchr(conversions, c[1])))
            continue;
        return FAIL(ST_USAGE,
                    "--out %s: %.2s is no part of a time that a name can have: %%Y %%m %%d %%H %%M "
                    "%%S, %%j %%y %%F %%T %%s %%b %%B %%a %%A %%u %%V %%G; a %% itself is %%%%",
                    out, c);
    }
    return ST_OK;
}

/* Below --runs-dir, unless it is named from the root. */
static Status named_out(RunConfig *config) {
    char name[CONFIG_PATH_MAX];
    TRY(check_pattern(config->out));
    if (!config->runs_dir[0] || config->out[0] == '/')
        return ST_OK;
    memcpy(name, config->out, sizeof name);
    config->out[0] = '\0';
    TRY(add_escaped(config->runs_dir, config->out));
    size_t n = strlen(config->out);
    if (snprintf(config->out + n, sizeof config->out - n, "/%s", name) >=
        (int)(sizeof config->out - n))
        return FAIL(ST_USAGE, "--runs-dir %.200s...: the path is too long", config->runs_dir);
    return ST_OK;
}

static Status default_out(RunConfig *config) {
    char folder[CONFIG_PATH_MAX];
    if (config->file[0] != '\0' && is_in_run(config, folder))
        return add_escaped(folder, config->out);
    if (config->name[0] == '\0')
        return FAIL(ST_USAGE, "name a run directory: --out DIR");
    TRY(add_escaped(config->runs_dir[0] ? config->runs_dir : "runs", config->out));
    TRY(add_escaped("/", config->out));
    return add_escaped(config->name, config->out);
}

Status config_place(RunConfig *config) {
    TRY(config->out[0] != '\0' ? named_out(config) : default_out(config));
    config->runs_dir[0] = '\0'; /* what is dumped and read again is not put below it twice */
    return ST_OK;
}

bool config_out_is_timed(const char *out) {
    const char *c = strchr(out, '%');
    while (c && c[1] == '%')
        c = strchr(c + 2, '%');
    return c != NULL;
}

Status config_out_at(const char *out, int64_t now, char path[CONFIG_PATH_MAX]) {
    time_t at = (time_t)now;
    struct tm local;
    if (!localtime_r(&at, &local) || strftime(path, CONFIG_PATH_MAX, out, &local) == 0)
        return FAIL(ST_USAGE, "--out %.200s: gives no name of a directory, or one that is too long",
                    out);
    return ST_OK;
}
