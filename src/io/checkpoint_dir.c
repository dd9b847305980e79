/* checkpoint_dir: the folder of checkpoints: names, the newest good one, quarantine.
 *
 * A file counts only if it has exactly a checkpoint's name; what else is in the folder is left
 * alone (but see checkpoint_prune.c). */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint_dir.h"
#include "checkpoint_format.h"
#include "checkpoint_look.h"
#include "file_util.h"
#include "folder.h"
#include "lockstep/lineage.h"
#include "lockstep/log.h"

enum { BAD_MAX = 1000 };

/* Moves `path` to `to`, or, where that is taken, to `to`.2 and so on: nothing is replaced. */
static Status move_away(const char *path, const char *to) {
    char free_name[4096 + 32];
    bool exists = true;
    snprintf(free_name, sizeof free_name, "%s", to);
    for (int i = 2; exists && i <= BAD_MAX; i++) {
        TRY(file_rename_new(path, free_name, &exists));
        snprintf(free_name, sizeof free_name, "%s.%d", to, i);
    }
    return exists ? FAIL(ST_CHECKPOINT, "%s: %d files of this name are there already", to, BAD_MAX)
                  : ST_OK;
}

Status checkpoint_quarantine(const char *path) {
    char from[4096 + 8], to[4096 + 16];
    snprintf(to, sizeof to, "%s.bad", path);
    TRY(move_away(path, to));
    snprintf(from, sizeof from, "%s.xxh3", path);
    snprintf(to, sizeof to, "%s.xxh3.bad", path);
    return access(from, F_OK) == 0 ? move_away(from, to) : ST_OK;
}

bool checkpoint_is_bad(const char *name) {
    char plain[CHECKPOINT_FILE_NAME];
    const char *end = strstr(name, ".bad");
    int64_t step;
    if (!end || end - name >= (ptrdiff_t)sizeof plain ||
        (end[4] && (end[4] != '.' || strspn(end + 5, "0123456789") != strlen(end + 5))))
        return false;
    snprintf(plain, sizeof plain, "%.*s", (int)(end - name), name);
    return checkpoint_step_of(plain, "", &step) || checkpoint_step_of(plain, ".xxh3", &step);
}

bool checkpoint_is_aside(const char *name) {
    static const char begin[] = "aside-";
    size_t length = sizeof begin - 1;
    if (strncmp(name, begin, length) != 0 || strspn(name + length, "0123456789abcdef") != 16)
        return false;
    const char *rest = name + length + 16;
    return !*rest || (*rest == '.' && rest[1] && !rest[1 + strspn(rest + 1, "0123456789")]);
}

static int descending(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

static bool is_checkpoint(const char *name) {
    int64_t step;
    return checkpoint_step_of(name, "", &step) || checkpoint_is_bad(name);
}

Status checkpoint_steps(const char *folder, CheckpointSteps *steps) {
    Status status = ST_OK;
    Names names;
    *steps = (CheckpointSteps){0};
    TRY_DONE(folder_names(folder, is_checkpoint, &names));
    steps->step = calloc((size_t)names.n + 1, sizeof *steps->step);
    if (!steps->step) {
        status = FAIL(ST_INTERNAL, "out of memory");
        goto done;
    }
    for (int64_t i = 0; i < names.n; i++) {
        if (checkpoint_step_of(names.name[i], "", &steps->step[steps->n]))
            steps->n++;
        else
            steps->bad = true;
    }
    qsort(steps->step, (size_t)steps->n, sizeof *steps->step, descending);
done:
    folder_free(&names);
    return status;
}

void checkpoint_pass_over(const char *path, bool quarantine) {
    log_warn("%s; passed over%s", status_message(), quarantine ? " and renamed .bad" : "");
    status_clear();
    if (quarantine && checkpoint_quarantine(path) != ST_OK) {
        log_warn("%s", status_message());
        status_clear();
    }
}

CheckpointVerdict checkpoint_look_for(const char *path, const char *lineage, CheckpointKin *kin) {
    Checkpoint meta;
    CheckpointSeal seal;
    char *bytes;
    size_t size;
    CheckpointVerdict verdict = checkpoint_examine(path, &bytes, &size, &seal);
    kin->of = !lineage;
    lineage_id("", kin->branch);
    if (verdict == CHECKPOINT_GOOD) {
        if (checkpoint_parse_meta(bytes, size, path, &meta) == ST_OK) {
            const char *own = meta.lineage ? meta.lineage : "";
            kin->of = !lineage || lineage_holds(lineage, own, meta.state.step);
            lineage_id(own, kin->branch);
            checkpoint_meta_free(&meta);
        } else { /* no memory: a moment ago it could be parsed */
            verdict = CHECKPOINT_UNSEEN;
        }
    }
    free(bytes);
    return verdict;
}

/* A file that a search may come to. */
typedef struct Candidate {
    int64_t step;
    int place;
} Candidate;

/* Newest first; of one step, the earlier place first. */
static int by_age(const void *a, const void *b) {
    const Candidate *x = a, *y = b;
    if (x->step != y->step)
        return x->step < y->step ? 1 : -1;
    return x->place - y->place;
}

/* The files of all places in the order in which they are looked at; the caller frees. */
static Status gather(CheckpointPlace *places, int n_places, Candidate **candidates, int64_t *n) {
    *candidates = NULL;
    *n = 0;
    for (int p = 0; p < n_places; p++) {
        CheckpointSteps steps;
        TRY(checkpoint_steps(places[p].folder, &steps));
        places[p].bad = steps.bad;
        Candidate *more = realloc(*candidates, (size_t)(*n + steps.n + 1) * sizeof *more);
        if (!more) {
            free(steps.step);
            return FAIL(ST_INTERNAL, "out of memory");
        }
        *candidates = more;
        for (int64_t i = 0; i < steps.n; i++)
            more[(*n)++] = (Candidate){steps.step[i], p};
        free(steps.step);
    }
    qsort(*candidates, (size_t)*n, sizeof **candidates, by_age);
    return ST_OK;
}

/* Looks at one; *good: it is the one. A failure where it cannot be looked at. */
static Status try_one(CheckpointPlace *place, const char *path, bool quarantine,
                      const char *lineage, bool *good) {
    CheckpointKin kin;
    *good = false;
    switch (checkpoint_look_for(path, lineage, &kin)) {
    case CHECKPOINT_GOOD:
        *good = kin.of;
        if (!kin.of) {
            place->bad = true;
            log_warn("%s is of another branch of the run; passed over", path);
        }
        break;
    case CHECKPOINT_BAD:
        place->bad = true;
        checkpoint_pass_over(path, quarantine);
        break;
    case CHECKPOINT_GONE: /* pruned by its owner meanwhile */
        status_clear();
        break;
    case CHECKPOINT_UNSEEN:
        status_prefix("the newest checkpoint cannot be looked at, and stays as it is (make it "
                      "readable, use the version of lockstep that wrote it, or name an older one "
                      "with --resume FILE)");
        return ST_CHECKPOINT;
    }
    return ST_OK;
}

Status checkpoint_search(CheckpointPlace *places, int n_places, bool quarantine,
                         const char *lineage, char path[4096], int *where) {
    Status status = ST_OK;
    Candidate *candidates;
    int64_t n;
    bool good = false;
    *where = -1;
    TRY_DONE(gather(places, n_places, &candidates, &n));
    for (int64_t i = 0; i < n && !good; i++) {
        CheckpointPlace *place = &places[candidates[i].place];
        char name[CHECKPOINT_FILE_NAME];
        checkpoint_file_name(candidates[i].step, name);
        TRY_DONE(file_join(place->folder, name, path));
        TRY_DONE(try_one(place, path, quarantine, lineage, &good));
        *where = good ? candidates[i].place : -1;
    }
done:
    if (!good)
        path[0] = '\0';
    free(candidates);
    return status;
}

Status checkpoint_newest(const char *folder, bool quarantine, const char *lineage,
                         char path[4096]) {
    CheckpointPlace place = {.folder = folder};
    int where;
    TRY(checkpoint_search(&place, 1, quarantine, lineage, path, &where));
    if (!path[0] && place.bad)
        return FAIL(ST_CHECKPOINT,
                    "%s: has checkpoints but no good one%s; start over with --reset, or name a "
                    "file with --resume FILE",
                    folder, lineage ? " of this run's branch" : "");
    return ST_OK;
}

Status checkpoint_ask(const CheckpointGate *gate) {
    return gate && gate->ask ? gate->ask(gate->context) : ST_OK;
}
