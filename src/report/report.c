/* report: see report.h. */
#include "lockstep/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "page.h"

static Status make_folder(const char *path) {
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return FAIL(ST_CHECKPOINT, "%s: cannot be made: %s", path, strerror(errno));
    return ST_OK;
}

Status report_write(const char *const *runs, int n, const char *out) {
    Sheet sheet = {.folder = out};
    Status status = ST_OK;
    if (n < 1)
        return FAIL(ST_USAGE, "which run? Name its directory");
    TRY(painter_png_there());
    Facts *facts = calloc((size_t)n, sizeof *facts);
    TRY_ALLOC(facts);
    for (int i = 0; i < n; i++)
        TRY_DONE(facts_read(runs[i], &facts[i]));
    TRY_DONE(make_folder(out));
    TRY_DONE(n == 1 ? page_of_run(&sheet, &facts[0]) : page_of_runs(&sheet, facts, n));
done:
    for (int i = 0; i < n; i++)
        facts_free(&facts[i]);
    free(facts);
    text_free(&sheet.html);
    return status;
}
